extension AuthEvent {
    /// What can happen: a noun, a dot, and a verb in the past. The list is closed: the names are
    /// those that the rooms declare, and nobody else can make one.
    public struct Name: Sendable, Hashable {
        /// As it stands in rows, log lines and metrics.
        public let rawValue: String
        /// What the log calls it, as in earlier versions.
        package let logName: String
        /// Of its log line.
        let level: Level
        /// Whether it is stored as a row, with what it changed. What changes nothing is a line of
        /// the log and is counted: it can be had as often as anybody asks.
        public let isDurable: Bool
        /// Whether the owner of the account sees it, and how much of it.
        let shownToOwner: Disclosure

        /// - Parameters:
        ///   - logName: where it is not the name with an underscore for the dot.
        ///   - shownToOwner: what ``AuditTrail/events(of:before:limit:)`` gives of it.
        init(
            _ name: String, logName: String? = nil, level: Level = .info, isDurable: Bool = true,
            shownToOwner: Disclosure = .no
        ) {
            rawValue = name
            self.logName = logName ?? name.replacing(".", with: "_")
            self.level = level
            self.isDurable = isDurable
            self.shownToOwner = shownToOwner
        }

        /// Parts of an event that the owner of the account is shown.
        enum Disclosure: Sendable, Hashable {
            case no
            /// The name, the time, the session, the kind of actor, and these details.
            ///
            /// The origin as well, where the owner or somebody unknown did it; never where whoever
            /// caused it need not be the one who did it, as with guesses (`hasOrigin`).
            case yes(details: Set<String> = [], hasOrigin: Bool = true)
        }

        enum Level: Sendable {
            case info, notice, warning
        }

        /// The name that is spelled so; `nil` when there is none.
        public init?(rawValue: String) {
            guard let name = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
            self = name
        }
    }
}

extension AuthEvent.Name: CaseIterable {
    /// Every name, in the order of their bytes.
    public static let allCases = Rooms.all.flatMap { $0.events }.sorted { $0.rawValue < $1.rawValue }
}

extension AuthEvent {
    /// Name of an event: a noun, a dot, and a verb in the past tense. The list is closed: the names
    /// are those that the rooms declare, and no other code can make one.
    public struct Name: Sendable, Hashable {
        /// The name in rows, log lines and metrics.
        public let rawValue: String
        /// The message of the log line, as in earlier versions.
        package let logName: String
        /// The level of the log line.
        let level: Level
        /// Whether the event is stored as a row, in the transaction of the change that it reports.
        /// An event without a change is only logged and counted, because anybody can cause it as
        /// often as they like.
        public let isDurable: Bool
        /// The parts of the event that the owner of the account is shown.
        let shownToOwner: Disclosure

        /// - Parameters:
        ///   - logName: the log message, where it is not the name with an underscore for the dot.
        ///   - shownToOwner: the parts that ``AuditTrail/events(of:before:limit:)`` returns.
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
            /// With `hasOrigin` also the origin, if the actor is the owner or anonymous. It is
            /// `false` for guesses, which may come from another user.
            case yes(details: Set<String> = [], hasOrigin: Bool = true)
        }

        enum Level: Sendable {
            case info, notice, warning
        }

        /// The declared name with that text; `nil` when there is none.
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

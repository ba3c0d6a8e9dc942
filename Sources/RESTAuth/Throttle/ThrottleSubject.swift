/// What failures are counted of.
public struct ThrottleSubject: RawRepresentable, Sendable, Hashable {
    /// A kind, a colon, and what it is about. Neither user names nor networks have a blank.
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    /// Wrong passwords for a name, by canonical form, whether there is such a user or not: from
    /// where the user has not signed in before.
    static func account(_ name: Username) -> Self { Self(rawValue: "account:\(name.canonical)") }

    /// Wrong passwords for a name from one network where the user has signed in before.
    static func account(_ name: Username, from network: ClientNetwork) -> Self {
        Self(rawValue: "known:\(name.canonical) \(network)")
    }

    /// Wrong passwords from a network, whoever they are for.
    static func network(_ network: ClientNetwork) -> Self { Self(rawValue: "network:\(network)") }

    /// Wrong answers of who is signed in, asked for the present password.
    static func confirmation(by user: User.ID) -> Self { Self(rawValue: "confirmation:\(user)") }

    static func registrations(from network: ClientNetwork) -> Self { Self(rawValue: "registrations:\(network)") }

    /// Milliseconds of hashing for wrong passwords, of everybody.
    static let hashing = Self(rawValue: "hashing:")

    /// What stands before the colon.
    public var kind: Substring { rawValue.prefix { $0 != ":" } }

    private var parts: [Substring] { rawValue.dropFirst(kind.count + 1).split(separator: " ") }

    /// The canonical user name that this is about.
    public var username: String? { kind == "account" || kind == "known" ? parts.first.map(String.init) : nil }

    /// The user that this is about, where it is not counted by name.
    public var userID: User.ID? { kind == "confirmation" ? parts.first.flatMap { User.ID($0) } : nil }

    /// The network that this is about.
    public var network: String? {
        kind == "network" || kind == "known" || kind == "registrations" ? parts.last.map(String.init) : nil
    }
}

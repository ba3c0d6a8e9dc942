/// What failures are counted of: a kind, and the parts that this kind is counted by.
///
/// The parts stay apart wherever a subject goes. A name may have any character between its letters,
/// so no text of several parts could be taken to pieces again.
public struct ThrottleSubject: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Wrong passwords for a name, whether there is such a user or not: from where the user has
        /// not signed in before.
        case account
        /// Wrong answers of who is signed in, asked for the present password.
        case confirmation
        /// Milliseconds of hashing for wrong passwords, of everybody.
        case hashing
        /// Wrong passwords for a name from one network where the user has signed in before.
        case known
        /// Wrong passwords from a network, whoever they are for.
        case network
        /// Registrations from a network.
        case registrations
    }

    public let kind: Kind
    /// The canonical user name that this is about.
    public let username: String?
    /// The network that this is about.
    public let network: ClientNetwork?
    /// The user that this is about, where it is not counted by name.
    public let userID: User.ID?

    private init(_ kind: Kind, username: String? = nil, network: ClientNetwork? = nil, userID: User.ID? = nil) {
        self.kind = kind
        self.username = username
        self.network = network
        self.userID = userID
    }

    /// Of whoever says to be that user, from where the user has not signed in before.
    public static func account(_ name: Username) -> Self { Self(.account, username: name.canonical) }

    /// Of whoever says to be that user, from one network where the user has signed in before.
    public static func account(_ name: Username, from network: ClientNetwork) -> Self {
        Self(.known, username: name.canonical, network: network)
    }

    public static func network(_ network: ClientNetwork) -> Self { Self(.network, network: network) }

    public static func confirmation(by user: User.ID) -> Self { Self(.confirmation, userID: user) }

    public static func registrations(from network: ClientNetwork) -> Self { Self(.registrations, network: network) }

    public static let hashing = Self(.hashing)

    /// Whether it is wrong passwords that are counted.
    var isOfGuesses: Bool {
        switch kind {
        case .account, .confirmation, .known, .network: true
        case .hashing, .registrations: false
        }
    }
}

// MARK: - In a row

extension ThrottleSubject {
    /// The parts as four columns that are a key together, so that none may be missing: `""` and 0
    /// stand for what the kind is not counted by. No name and no network is empty.
    public struct Key: Sendable, Hashable {
        public let kind: String
        public let username: String
        public let network: String
        public let userID: User.ID

        public init(kind: String, username: String, network: String, userID: User.ID) {
            self.kind = kind
            self.username = username
            self.network = network
            self.userID = userID
        }
    }

    public var key: Key {
        Key(kind: kind.rawValue, username: username ?? "", network: network?.description ?? "", userID: userID ?? 0)
    }

    /// `nil` for a key that no subject has.
    public init?(_ key: Key) {
        guard let kind = Kind(rawValue: key.kind) else { return nil }
        let username = key.username.isEmpty ? nil : key.username
        let network = ClientNetwork.cidr(key.network)
        let subject: Self? =
            switch kind {
            case .account: username.map { Self(kind, username: $0) }
            case .confirmation: Self(kind, userID: key.userID)
            case .hashing: Self(kind)
            case .known: username.flatMap { name in network.map { Self(kind, username: name, network: $0) } }
            case .network, .registrations: network.map { Self(kind, network: $0) }
            }
        guard let subject, subject.key == key else { return nil }
        self = subject
    }
}

/// The subject of a failure counter: a kind, with the parts that this kind is counted by.
///
/// The parts stay separate everywhere. A name may contain any character, so a text of several parts
/// could not be split again.
public enum ThrottleSubject: Sendable, Hashable {
    /// Wrong passwords for a user name, whether there is such a user or not, from networks where
    /// that user has not signed in before.
    case account(canonicalUsername: String)
    /// Wrong answers of a user who is signed in and was asked for the present password.
    case confirmation(by: User.ID)
    /// Wrong passwords that came with the token of one of the user's trusted devices.
    case device(of: User.ID)
    /// Milliseconds of hashing for wrong passwords, of all callers together.
    case hashing
    /// Wrong passwords for a user name from one network where that user has signed in before.
    case known(canonicalUsername: String, from: ClientNetwork)
    /// Wrong passwords from a network, for any user name.
    case network(ClientNetwork)
    /// Wrong codes of the authenticator apps of a user, all of them together: one code is compared
    /// with each.
    case oneTimeCode(of: User.ID)
    /// Wrong recovery codes of a user.
    case recoveryCode(of: User.ID)
    /// Registrations from a network.
    case registrations(from: ClientNetwork)

    /// The subject of guesses at a name from networks where its user has not signed in before.
    public static func account(_ name: Username) -> Self { .account(canonicalUsername: name.canonical) }

    /// The subject of guesses at a name from one network where its user has signed in before.
    public static func account(_ name: Username, from network: ClientNetwork) -> Self {
        .known(canonicalUsername: name.canonical, from: network)
    }
}

// MARK: - Parts

extension ThrottleSubject {
    /// The name of a case in rows, log lines and rate limit policies.
    public enum Kind: String, Sendable, CaseIterable {
        case account, confirmation, device, hashing, known, network
        case oneTimeCode = "one_time_code"
        case recoveryCode = "recovery_code"
        case registrations
    }

    public var kind: Kind {
        switch self {
        case .account: .account
        case .confirmation: .confirmation
        case .device: .device
        case .hashing: .hashing
        case .known: .known
        case .network: .network
        case .oneTimeCode: .oneTimeCode
        case .recoveryCode: .recoveryCode
        case .registrations: .registrations
        }
    }

    /// The canonical user name that is guessed at, where the kind is counted by name.
    public var username: String? {
        switch self {
        case .account(let name), .known(let name, _): name
        case .confirmation, .device, .hashing, .network, .oneTimeCode, .recoveryCode, .registrations: nil
        }
    }

    /// The network that requests come from, where the kind is counted by network.
    public var network: ClientNetwork? {
        switch self {
        case .known(_, let network), .network(let network), .registrations(let network): network
        case .account, .confirmation, .device, .hashing, .oneTimeCode, .recoveryCode: nil
        }
    }

    /// The user, where the kind is counted by the id and not by the name.
    public var userID: User.ID? {
        switch self {
        case .confirmation(let user), .device(let user), .oneTimeCode(let user), .recoveryCode(let user): user
        case .account, .hashing, .known, .network, .registrations: nil
        }
    }

    /// Whether wrong passwords or codes are counted.
    var isOfGuesses: Bool {
        switch self {
        case .account, .confirmation, .device, .known, .network, .oneTimeCode, .recoveryCode: true
        case .hashing, .registrations: false
        }
    }

    /// Whether wrong codes are counted.
    var isOfCodes: Bool {
        switch self {
        case .oneTimeCode, .recoveryCode: true
        case .account, .confirmation, .device, .hashing, .known, .network, .registrations: false
        }
    }
}

// MARK: - Row

extension ThrottleSubject {
    /// The parts as four columns that form a key together, so that none may be missing: `""` and 0
    /// stand for parts that the kind is not counted by. No name and no network is empty.
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

    /// `nil` for a key that no subject can have.
    public init?(_ key: Key) {
        let network = ClientNetwork.cidr(key.network)
        let subject: Self? =
            switch Kind(rawValue: key.kind) {
            case .account: .account(canonicalUsername: key.username)
            case .confirmation: .confirmation(by: key.userID)
            case .device: .device(of: key.userID)
            case .hashing: .hashing
            case .known: network.map { .known(canonicalUsername: key.username, from: $0) }
            case .network: network.map { .network($0) }
            case .oneTimeCode: .oneTimeCode(of: key.userID)
            case .recoveryCode: .recoveryCode(of: key.userID)
            case .registrations: network.map { .registrations(from: $0) }
            case nil: nil
            }
        guard let subject, subject.key == key, subject.username?.isEmpty != true else { return nil }
        self = subject
    }
}

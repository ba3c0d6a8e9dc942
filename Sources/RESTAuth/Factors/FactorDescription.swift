import PasswordHashing

/// A factor that may follow the password, as a client sees it: nothing of it is secret.
public struct FactorDescription: Sendable, Hashable, Identifiable {
    /// Kind of a factor: its `type` in answers.
    public struct Kind: RawRepresentable, Sendable, Hashable {
        public let rawValue: String

        public init(rawValue: String) { self.rawValue = rawValue }

        /// An authenticator app. A user may have several.
        public static let totp = Kind(rawValue: "totp")
        /// The recovery codes of a user, which are one factor together.
        public static let recoveryCodes = Kind(rawValue: "recovery_codes")
        /// A passkey. A user may have several.
        public static let passkey = Kind(rawValue: "passkey")
    }

    /// Id of the factor among those of its user; the kind where there can be only one.
    public let id: String
    public let kind: Kind
    /// Name that the user gave it; empty for a factor without a name.
    public let name: String
    /// Method that it proves.
    public let method: Authentication.Method

    package init(id: String, kind: Kind, name: String, method: Authentication.Method) {
        self.id = id
        self.kind = kind
        self.name = name
        self.method = method
    }

    /// An authenticator app of a user.
    package static func totp(id: ID, name: String) -> Self {
        Self(id: id, kind: .totp, name: name, method: .oneTimePassword)
    }

    /// The recovery codes of a user who has some left.
    package static let recoveryCodes = Self(
        id: Kind.recoveryCodes.rawValue, kind: .recoveryCodes, name: "", method: .oneTimePassword)

    /// Makes a new id: 80 random bits in 16 characters.
    package static func newID() -> ID { Base32.encode(Random.bytes(10)) }

    /// Whether that is the id. Compared byte by byte, because `text` came in a request.
    func hasID(_ text: String) -> Bool { id.utf8.elementsEqual(text.utf8) }
}

extension StoredFactors {
    /// The factors that a sign-in asks for.
    /// - Parameter stored: the passkeys of the user, which were read after these factors.
    /// - Throws: `storage_unavailable` when there are no passkeys any more: an app may have taken
    ///   their place meanwhile, and the password alone must not sign in then.
    package func descriptions(with stored: [Passkey]) throws(AuthError) -> [FactorDescription] {
        guard passkeys == 0 || !stored.isEmpty else {
            throw AuthError(.storageUnavailable, "the factors were changed meanwhile", retryAfter: 1)
        }
        return confirmed.map { FactorDescription($0) } + stored.map { FactorDescription($0) }
            + (recoveryCodes > 0 ? [.recoveryCodes] : [])
    }
}

public import Foundation
public import PasswordHashing

/// Every setting of the core, its default, and why that default is safe.
public struct AuthConfiguration: Sendable {
    /// Encrypt the signing keys in the storage. `nil` takes the secrets that the storage keeps
    /// beside its data.
    public var secrets: InstanceSecrets?

    /// The present one of ``secrets``. Set, it is the only one.
    public var secret: InstanceSecret? {
        get { secrets?.known.present }
        set { secrets = newValue.map { InstanceSecrets($0) } }
    }

    /// `iss` and `client_id` of every token, and `aud` where ``tokenAudience`` names none: the URL
    /// that clients know this service by. A token with another one is refused, so two services that
    /// share a secret by mistake still do not take each other's tokens.
    public var issuer = "rest-auth"

    /// `aud` of every token: the names of the services that are to take it, at most
    /// ``maximumAudienceLength`` characters together. None stands for ``issuer``. For those
    /// services to check: this one takes whatever it signed, so a change refuses no live token.
    public var tokenAudience: [String] = []

    /// In bytes of UTF-8: what leaves room for the roles in a token.
    public static let maximumAudienceLength = 512

    /// `typ` of every token. A change refuses no live token.
    public var tokenType = AccessTokenType.accessToken

    /// Life of an access token in seconds, 1 to ``maximumTokenDuration``. 600 is the original Flask
    /// server's.
    public var tokenDuration = 600

    /// A day, in seconds.
    public static let maximumTokenDuration = 86400
    package static let tokenDurations = 1...maximumTokenDuration

    /// Ten years, in seconds.
    package static let sessionDurations = 1...3650 * 86400
    /// Twice the time for which a key is published before it signs, to ten years, in seconds.
    package static let keyRotationIntervals = 7200...3650 * 86400

    /// What may follow a password: none that is built in.
    package var factors: [Factor] = []

    /// Whether a live token may be traded for a fresh one.
    public var tokenRenewal = TokenRenewal.always

    /// Seconds that a session lives without being renewed. A week: who comes back on the same
    /// weekday stays signed in.
    public var sessionInactivityTimeout = 7 * 86400

    /// Seconds that a session lives at most, however often it is renewed.
    public var sessionTimebox = 30 * 86400

    /// How many sessions a user may have; a new one ends the oldest beyond. Large, because the
    /// original Flask server's route starts one for each token.
    public var sessionLimit = 10_000

    package static let sessionLimits = 1...1_000_000

    /// How new signing keys sign. `nil` stays with what the newest key does; the first is ES256.
    /// When it differs from the newest key's, the next key is made at once.
    public var signingAlgorithm: SigningAlgorithm?

    /// Seconds that a key signs before the next takes its place.
    public var keyRotationInterval = 30 * 86400

    /// Seconds within which a refusal reaches every process that shares the storage, 1 to
    /// ``longestRevocationBound``. A process that has not been able to read the log for longer asks
    /// the storage about each token, and refuses when that does not answer.
    public var revocationBound = 1

    /// A minute, in seconds.
    public static let longestRevocationBound = 60
    package static let revocationBounds = 1...longestRevocationBound

    /// Seconds for which events are kept, a day at least.
    public var auditRetention = 90 * 86400

    /// A day to ten years, in seconds.
    package static let auditRetentions = 86400...3650 * 86400

    /// How many verified tokens are remembered. One takes about 200 bytes.
    public var verifiedTokenCapacity = 100_000

    package static let verifiedTokenCapacities = 0...100_000_000

    /// Who may register by ``Registration``, and so over HTTP. Open, as the original Flask server
    /// is.
    public var registration = RegistrationMode.open

    /// Work that is asked of who registers there, in zero bits that a hash has to begin with, 8 to
    /// 30; `nil` asks for none. Each more is twice the work.
    public var registrationChallenge: Int?

    package static let registrationChallenges = 8...30

    /// What a new password must be. ``PasswordPolicy/open`` is the original Flask server's.
    public var passwordPolicy = PasswordPolicy.open

    /// Passwords known from breaches, which ``PasswordPolicy/nist`` refuses beside the common ones.
    /// ``PasswordPolicy/open`` does not ask.
    public var breachedPasswords: BreachedPasswords?

    /// The cost of a new hash: by default the least that is safe, so that a small machine signs in
    /// many.
    public var passwordCost = Argon2id.standard

    /// What a stored hash of another kind may cost; a dearer one is not computed, and its user
    /// cannot sign in.
    public var passwordHashLimit = HashLimit()

    /// What another application mixed into the passwords that it hashed: needed as long as a user
    /// who was imported with it has not signed in. Those users cannot without.
    public var passwordPepper: PasswordPepper?

    /// Passwords hashed at once; each takes ``passwordCost``'s memory.
    public var hashingThreads = max(1, ProcessInfo.processInfo.activeProcessorCount)

    package static let hashingThreadCounts = 1...1024

    /// Passwords that may wait to be hashed. Beyond, a sign-in is answered `overloaded`.
    public var hashingQueue = 256

    package static let hashingQueues = 1...1_000_000

    /// Seconds that a password may wait to be hashed.
    public var hashingPatience = 5

    package static let hashingPatiences = 1...600

    /// How many guesses and registrations are let through.
    public var throttle = ThrottleConfiguration()

    /// The `SECRET_KEY` of a Flask server whose users were imported: its tokens are accepted until
    /// they expire. `nil` accepts none.
    public var legacySecret: LegacySecret?

    /// The clock. Everything that depends on the time asks this.
    public var now: @Sendable () -> Date = { Date() }

    public init() {}

    /// - Throws: ``AuthError/Code/misconfigured`` naming the setting and its range.
    package func validate() throws(AuthError) {
        try Self.require(tokenDuration, in: Self.tokenDurations, "token duration")
        try Self.require(sessionInactivityTimeout, in: Self.sessionDurations, "session inactivity timeout")
        try Self.require(sessionTimebox, in: Self.sessionDurations, "session timebox")
        try Self.require(sessionLimit, in: Self.sessionLimits, "session limit")
        try Self.require(keyRotationInterval, in: Self.keyRotationIntervals, "key rotation interval")
        try Self.require(revocationBound, in: Self.revocationBounds, "revocation bound")
        try Self.require(verifiedTokenCapacity, in: Self.verifiedTokenCapacities, "verified token capacity")
        try Self.require(auditRetention, in: Self.auditRetentions, "audit retention")
        if let registrationChallenge {
            try Self.require(registrationChallenge, in: Self.registrationChallenges, "registration challenge")
        }
        try Self.require(hashingThreads, in: Self.hashingThreadCounts, "hashing threads")
        try Self.require(hashingQueue, in: Self.hashingQueues, "hashing queue")
        try Self.require(hashingPatience, in: Self.hashingPatiences, "hashing patience")
        try throttle.validate()
        guard !issuer.isEmpty else { throw AuthError(.misconfigured, "the issuer is empty") }
        try Self.checkAudience(tokenAudience)
    }

    /// - Throws: ``AuthError/Code/misconfigured`` naming the first that could be no audience (RFC
    ///   7519 section 2, StringOrURI), that is there twice, or with which all are too long.
    package static func checkAudience(_ audience: [String]) throws(AuthError) {
        var (known, length) = (Set<WireText>(), 0)
        for name in audience {
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                throw AuthError(
                    .misconfigured, "the token audience \(name.debugDescription) is empty or has a blank in it")
            }
            guard !name.utf8.contains(UInt8(ascii: ":")) || URL(string: name)?.scheme?.isEmpty == false else {
                throw AuthError(.misconfigured, "the token audience \(name.debugDescription) has a colon and is no URI")
            }
            guard known.insert(WireText(name)).inserted else {
                throw AuthError(.misconfigured, "the token audience \(name.debugDescription) is there twice")
            }
            length += name.utf8.count
            guard length <= maximumAudienceLength else {
                throw AuthError(
                    .misconfigured, "the token audiences have more than \(maximumAudienceLength) bytes together")
            }
        }
    }

    static func require(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws(AuthError) {
        guard range.contains(value) else {
            throw AuthError(
                .misconfigured, "\(name) is \(value) and must be \(range.lowerBound) to \(range.upperBound)")
        }
    }
}

/// Whether a live token may be traded for a fresh one (row 6 of the original Flask server's
/// contract).
public enum TokenRenewal: Sendable, Hashable {
    /// Over and over: the original Flask server's side effect, kept.
    case always
    /// Until that many seconds after the password was given.
    case until(Int)
    /// Only a password gives a token.
    case never
}

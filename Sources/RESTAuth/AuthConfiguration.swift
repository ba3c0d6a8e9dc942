public import Foundation
public import PasswordHashing

/// All settings of the core with their defaults, and why each default is safe.
public struct AuthConfiguration: Sendable {
    /// Secrets that encrypt the signing keys in the storage. `nil` takes the secrets that the
    /// storage keeps beside its data.
    public var secrets: InstanceSecrets?

    /// The present one of ``secrets``. Setting it makes it the only one.
    public var secret: InstanceSecret? {
        get { secrets?.known.present }
        set { secrets = newValue.map { InstanceSecrets($0) } }
    }

    /// `iss` and `client_id` of every token, and `aud` where ``tokenAudience`` is empty: the URL by
    /// which clients know this service. A token with another issuer is refused, so two services
    /// that share a secret by mistake still do not accept each other's tokens.
    public var issuer = "rest-auth"

    /// `aud` of every token: the names of the services that are to accept it, at most
    /// ``maximumAudienceLength`` bytes together. An empty list stands for ``issuer``. Only those
    /// services check it: this one accepts every token it signed, so a change refuses no live
    /// token.
    public var tokenAudience: [String] = []

    /// Longest audience in bytes of UTF-8, which leaves room for the roles in a token.
    public static let maximumAudienceLength = 512

    /// `typ` of every token. A change refuses no live token.
    public var tokenType = AccessTokenType.accessToken

    /// Lifetime of an access token in seconds, 1 to ``maximumTokenDuration``. The original Flask
    /// server's is 600.
    public var tokenDuration = 600

    /// Longest lifetime of an access token: a day, in seconds.
    public static let maximumTokenDuration = 86400
    package static let tokenDurations = 1...maximumTokenDuration

    /// Range of the inactivity timeout and of the timebox: to ten years, in seconds.
    package static let sessionDurations = 1...3650 * 86400
    /// Range of the key rotation interval: from twice the time for which a key is published before
    /// it signs, to ten years, in seconds.
    package static let keyRotationIntervals = 7200...3650 * 86400

    /// Rule for who may, and who must, have a second factor.
    public var secondFactor = FactorPolicy()

    /// Name of the instance in authenticator apps, without a colon; `nil` shows the host of
    /// ``issuer``.
    public var totpIssuer: String?

    /// Seconds that a device is trusted after a second factor, an hour to a year; `nil` trusts
    /// none.
    public var trustedDeviceLifetime: Int? = 30 * 86400

    /// Domain that passkeys are bound to, and the pages and apps that may use them; `nil` where
    /// there are no passkeys.
    public var relyingParty: RelyingParty?

    /// Seconds that a personal token lives unless another lifetime is asked for, at most
    /// ``personalTokenMaximumLifetime``.
    public var personalTokenLifetime = 90 * 86400

    /// Seconds that a personal token lives at most; `nil` also allows tokens that never expire.
    public var personalTokenMaximumLifetime: Int? = 365 * 86400

    /// Range of both: a minute to ten years, in seconds.
    package static let personalTokenLifetimes = ProgramToken.lifetimes

    /// Rule for exchanging a live token for a fresh one.
    public var tokenRenewal = TokenRenewal.always

    /// Seconds that a session lives without being renewed. With the default of a week, a user who
    /// comes back on the same weekday stays signed in.
    public var sessionInactivityTimeout = 7 * 86400

    /// Seconds that a session lives at most, however often it is renewed.
    public var sessionTimebox = 30 * 86400

    /// Number of sessions that a user may have; a new one ends the oldest ones beyond it. It is
    /// large because the original Flask server's route starts one for each token.
    public var sessionLimit = 10_000

    package static let sessionLimits = 1...1_000_000

    /// Names of members of ``Profile/appMetadata`` that tokens carry as claims, at most 1 KiB
    /// together. Each token that is given costs one more query then.
    public var tokenClaims: [String] = []

    /// Whether users may sign in with a verified mail address in the place of the name. New names
    /// may have no `@` then.
    public var signInByEmail = false

    /// Seconds for which a name that a user gave up is kept for that user.
    public var usernameReservation = 90 * 86400

    /// Range of the reservation: none to ten years, in seconds.
    package static let usernameReservations = 0...3650 * 86400

    /// Algorithm of new signing keys. `nil` keeps that of the newest key; the first key is ES256.
    /// If it differs from the newest key's, the next key is made at once.
    public var signingAlgorithm: SigningAlgorithm?

    /// Seconds that a key signs before the next one replaces it.
    public var keyRotationInterval = 30 * 86400

    /// Seconds within which a refusal reaches every process that shares the storage, 1 to
    /// ``longestRevocationBound``. A process that could not read the revocation log for longer asks
    /// the storage about each token, and refuses the token if the storage does not answer.
    public var revocationBound = 1

    /// Longest revocation bound: a minute, in seconds.
    public static let longestRevocationBound = 60
    package static let revocationBounds = 1...longestRevocationBound

    /// Seconds for which events are kept, at least a day.
    public var auditRetention = 90 * 86400

    /// Range of the retention: a day to ten years, in seconds.
    package static let auditRetentions = 86400...3650 * 86400

    /// Number of verified tokens that are cached, of about 200 bytes each.
    public var verifiedTokenCapacity = 100_000

    package static let verifiedTokenCapacities = 0...100_000_000

    /// Rule for who may register through ``Registration``, and so over HTTP. The default is open,
    /// like the original Flask server.
    public var registration = RegistrationMode.open

    /// Difficulty of the challenge that such a registration has to solve, in zero bits at the
    /// beginning of a hash, 8 to 30; `nil` requires none. Each bit more doubles the work.
    public var registrationChallenge: Int?

    package static let registrationChallenges = 8...30

    /// Rules for new passwords. ``PasswordPolicy/open`` has those of the original Flask server.
    public var passwordPolicy = PasswordPolicy.open

    /// Passwords known from breaches, which ``PasswordPolicy/nist`` refuses in addition to the
    /// common ones. ``PasswordPolicy/open`` ignores them.
    public var breachedPasswords: BreachedPasswords?

    /// Page on which a user sets the password of a link (``PasswordLink/url``); `nil` where links
    /// are tokens alone.
    public var passwordLinkURL: String?

    /// Cost of a new hash. The default is the least that is safe, so that a small machine can sign
    /// in many users.
    public var passwordCost = Argon2id.standard

    /// Highest cost of a stored hash of another kind. A more expensive one is not computed, and its
    /// user cannot sign in.
    public var passwordHashLimit = HashLimit()

    /// Pepper that another application mixed into the passwords it hashed. Users imported with it
    /// cannot sign in without it; it is needed until each of them has signed in once.
    public var passwordPepper: PasswordPepper?

    /// Number of passwords that are hashed at the same time; each takes the memory of
    /// ``passwordCost``.
    public var hashingThreads = max(1, ProcessInfo.processInfo.activeProcessorCount)

    package static let hashingThreadCounts = 1...1024

    /// Number of passwords that may wait to be hashed. Any more are answered `overloaded`.
    public var hashingQueue = 256

    package static let hashingQueues = 1...1_000_000

    /// Seconds that a password may wait to be hashed.
    public var hashingPatience = 5

    package static let hashingPatiences = 1...600

    /// Limits for guesses and registrations.
    public var throttle = ThrottleConfiguration()

    /// The `SECRET_KEY` of a Flask server whose users were imported: its tokens are accepted until
    /// they expire. `nil` accepts none.
    public var legacySecret: LegacySecret?

    /// The clock, which everything that depends on the time uses.
    public var now: @Sendable () -> Date = { Date() }

    public init() {}

    /// Checks all settings.
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
        try Self.require(personalTokenLifetime, in: Self.personalTokenLifetimes, "personal token lifetime")
        if let personalTokenMaximumLifetime {
            try Self.require(
                personalTokenMaximumLifetime, in: Self.personalTokenLifetimes, "personal token maximum lifetime")
            guard personalTokenLifetime <= personalTokenMaximumLifetime else {
                throw AuthError(
                    .misconfigured,
                    """
                    personal token lifetime is \(personalTokenLifetime) and must be at most the personal token maximum \
                    lifetime, which is \(personalTokenMaximumLifetime)
                    """)
            }
        }
        try throttle.validate()
        try validateFactors()
        if let passwordLinkURL { try Self.checkPasswordLinkURL(passwordLinkURL) }
        guard !issuer.isEmpty else { throw AuthError(.misconfigured, "the issuer is empty") }
        try Self.checkAudience(tokenAudience)
        try TokenClaims.check(tokenClaims)
        try Self.require(usernameReservation, in: Self.usernameReservations, "username reservation")
    }

    /// Checks an audience.
    /// - Throws: ``AuthError/Code/misconfigured`` naming the first name that is not a StringOrURI
    ///   (RFC 7519 section 2), that is listed twice, or with which the audience is too long.
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

/// Rule for exchanging a live token for a fresh one (row 6 of the original Flask server's
/// contract).
public enum TokenRenewal: Sendable, Hashable {
    /// Always, again and again, as with the original Flask server.
    case always
    /// Allowed until that many seconds after the password was given.
    case until(Int)
    /// Never: only a password gives a token.
    case never
}

import Foundation
public import ServiceLifecycle

/// The front desk: every door of the core, put together over one storage.
///
///     let auth = try await Auth(storage: SQLiteStorage(path: "rest-auth.sqlite"))
///     let user = try await auth.users.register("miguel", password: "python")
///     let identity = try await auth.login.identify("miguel", password: "python")
///     let tokens = try await auth.sessions.start(for: identity)
///
/// Run ``services`` as long as it is used: without them everything still holds, but each verified
/// token costs a look into the database, because nothing tells this process what others have
/// refused.
public struct Auth: Sendable {
    /// Users: add, find, list, disable, delete, and give roles to, without asking who asks.
    public let users: Users
    /// Who may register, as anybody may over HTTP: openly, by invitation, with a challenge, or not.
    public let registration: Registration
    /// Passwords: change by their owner, set by an operator, ask again before what matters most.
    public let passwords: Passwords
    /// Credentials in, an ``Identity`` out: whether a password or a token signs someone in.
    public let login: Login
    /// Access tokens: verify one, with or without a look into the storage. ``sessions`` gives them.
    public let accessTokens: AccessTokens
    /// Sessions: start one for who has signed in, renew, list, and end them.
    public let sessions: Sessions
    /// The keys that sign tokens: publish, list, replace, withdraw.
    public let signingKeys: SigningKeys
    /// Other services that may ask about tokens: add, list, remove.
    public let clients: Clients
    /// The instance's own secret: change it while everything runs.
    public let secretRotation: SecretRotation
    /// Who has to wait after too many wrong passwords: list, and forgive.
    public let throttle: Throttle
    /// What happened: look at it, and see whether anybody changed it.
    public let auditTrail: AuditTrail
    package let sealer: AuditSealer
    /// What the doors were built from.
    public let configuration: AuthConfiguration
    /// For doors that are put in by an extension.
    package let storage: any Storage
    package let secrets: InstanceSecrets

    /// Background work, for a `ServiceGroup` or an application's list of services.
    public var services: [any Service] { Rooms.all.flatMap { $0.services(of: self) } + [ExpirySweeper(self)] }

    /// Checks the configuration, opens the secrets, loads or makes the signing keys.
    /// - Throws: ``AuthError/Code/misconfigured`` with what to do about it; what the storage
    ///   throws.
    public init(storage: any Storage, configuration: AuthConfiguration = .init()) async throws {
        try configuration.validate()
        guard let secrets = try configuration.secrets ?? storage.instanceSecrets() else {
            throw AuthError(
                .misconfigured, "this storage keeps no secret of its own: configure one of at least 32 bytes")
        }
        try configuration.legacySecret?.refuse(in: secrets.known)
        let now = configuration.now
        let revocations = Revocations(bound: .seconds(configuration.revocationBound))
        signingKeys = try await SigningKeys(storage: storage, secrets: secrets, configuration: configuration)
        throttle = Throttle(storage: storage, configuration: configuration.throttle, now: now)
        accessTokens = AccessTokens(
            storage: storage, keys: signingKeys, revocations: revocations, configuration: configuration)
        let factors = Factors(all: configuration.factors)
        sessions = Sessions(
            storage: storage, accessTokens: accessTokens, refreshTokens: RefreshTokens(secrets: secrets),
            revocations: revocations, throttle: throttle, factors: factors, configuration: configuration)
        passwords = try Passwords(
            storage: storage, secrets: secrets, revocations: revocations, sessions: sessions, throttle: throttle,
            configuration: configuration)
        try await passwords.decoys.update()
        users = Users(storage: storage, passwords: passwords, revocations: revocations, now: now)
        registration = Registration(
            storage: storage, passwords: passwords, throttle: throttle, secrets: secrets, configuration: configuration)
        login = Login(
            storage: storage, passwords: passwords, accessTokens: accessTokens, throttle: throttle, secrets: secrets,
            factors: factors, now: now)
        clients = Clients(storage: storage, secrets: secrets, keys: signingKeys, now: now)
        auditTrail = AuditTrail(
            storage: storage, secrets: secrets, retention: TimeInterval(configuration.auditRetention), now: now)
        sealer = AuditSealer(trail: auditTrail)
        secretRotation = SecretRotation(
            storage: storage, secrets: secrets, keys: signingKeys, sealer: sealer, revocations: revocations, now: now)
        self.configuration = configuration
        self.storage = storage
        self.secrets = secrets
    }

    /// Closes the storage after a failure, and takes back what was made for it: see
    /// `FileStorage`.
    package func abandon() { (storage as? any FileStorage)?.abandon(secrets) }

    /// Closes the storage, once the ``services`` have ended and nobody asks any more.
    package func close() { (storage as? any FileStorage)?.closeDatabase() }

    /// What users were imported with and is not configured.
    package func missingPeppers() async throws -> [MissingPepper] {
        MissingPepper.all(
            among: try await storage.passwordHashes(sampling: MissingPepper.sampleSize),
            besides: configuration.passwordPepper)
    }

    package static let revocationPageSize = 1000

    /// A page of the revocation log with numbers greater than `number`, for verifiers elsewhere,
    /// and the number to go on from. It is less than `number` when that was never given: then a
    /// backup has been put back, and the verifier starts over.
    package func revocations(after number: Int64) async throws -> (lines: [Revocation], last: Int64) {
        let lines = try await storage.revocations(after: number, limit: Self.revocationPageSize)
        if let last = lines.last?.number { return (lines, last) }
        return ([], min(number, try await storage.lastRevocationNumber()))
    }

    /// What has to be in order before requests should come here.
    public struct Readiness: Sendable, Hashable {
        /// Whether the storage answers, and did so about signing keys lately; never for long
        /// without the ``Auth/services``.
        public let storage: Bool
        /// Whether the revocation log was read within ``AuthConfiguration/revocationBound``; never
        /// without the ``Auth/services``.
        public let revocations: Bool
        /// Whether all wrong passwords are counted: while the storage does not take one, nobody is
        /// told whether a password is right.
        public let throttle: Bool

        /// Whether all of it is in order.
        public var isReady: Bool { storage && revocations && throttle }
    }

    /// Asks the storage whether it answers, and whether it takes the wrong passwords that it has
    /// not taken.
    public func readiness() async -> Readiness {
        let storageAnswers =
            (try? await storage.lastRevocationNumber()) != nil && signingKeys.verification.isConfirmed()
            && signingKeys.isWhole
        let isCounted = (try? await throttle.uncounted.settle()) != nil
        return Readiness(
            storage: storageAnswers, revocations: accessTokens.verifier.revocations.isConfirmed, throttle: isCounted)
    }
}

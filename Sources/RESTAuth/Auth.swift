import Foundation
public import ServiceLifecycle

/// The entry point to the core: all of its parts, put together over one storage.
///
///     let auth = try await Auth(storage: SQLiteStorage(path: "rest-auth.sqlite"))
///     let user = try await auth.users.register("miguel", password: "python")
///     let identity = try await auth.login.identify("miguel", password: "python")
///     let tokens = try await auth.sessions.start(for: identity)
///
/// Run ``services`` as long as it is used. Without them everything still holds, but each verified
/// token costs a query, because this process does not learn which tokens other processes have
/// refused.
public struct Auth: Sendable {
    /// Adds, finds, lists, disables and deletes users, and gives them roles, without checking who
    /// asks.
    public let users: Users
    /// Shows and changes profiles, and gives users other names.
    public let profiles: Profiles
    /// Registers users of the public, as over HTTP: openly, by invitation, with a challenge, or not
    /// at all.
    public let registration: Registration
    /// Changes passwords by their owner, sets them by an operator, and confirms them before
    /// critical actions.
    public let passwords: Passwords
    /// Signs users in: takes a password or a token and returns an ``Identity``.
    public let login: Login
    /// Adds, confirms, lists and removes second factors.
    public let factors: Factors
    /// Adds, lists, renames and deletes passkeys, which sign in by themselves or follow a password.
    public let passkeys: Passkeys
    /// Makes, lists, rotates and deletes the tokens that users give to their programs.
    public let personalTokens: PersonalTokens
    /// Adds, lists and removes accounts of programs, and their tokens.
    public let serviceAccounts: ServiceAccounts
    /// Verifies tokens for programs.
    package let programTokens: ProgramTokens
    /// Lists and forgets devices on which no second factor is asked for.
    public let trustedDevices: TrustedDevices
    /// Verifies access tokens, with or without a query to the storage. ``sessions`` issues them.
    public let accessTokens: AccessTokens
    /// Starts, renews, lists and ends sessions.
    public let sessions: Sessions
    /// Publishes, lists, replaces and withdraws the keys that sign tokens.
    public let signingKeys: SigningKeys
    /// Adds, lists and removes clients, which are other services that may ask about tokens.
    public let clients: Clients
    /// Changes the instance's secret while everything runs.
    public let secretRotation: SecretRotation
    /// Lists who has to wait after too many failed sign-ins, and lifts the wait.
    public let throttle: Throttle
    /// Reads the audit trail, and verifies that nobody changed it.
    public let auditTrail: AuditTrail
    package let sealer: AuditSealer
    /// The configuration that everything was made from.
    public let configuration: AuthConfiguration
    /// The storage, for parts that an extension adds.
    package let storage: any Storage
    package let secrets: InstanceSecrets

    /// Background work, for a `ServiceGroup` or an application's list of services.
    public var services: [any Service] { Rooms.all.flatMap { $0.services(of: self) } + [ExpirySweeper(self)] }

    /// Checks the configuration, opens the secrets, and loads or makes the signing keys.
    /// - Throws: ``AuthError/Code/misconfigured`` with what to do about it; errors of the storage.
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
        programTokens = ProgramTokens(
            storage: storage, secrets: secrets, keys: signingKeys, revocations: revocations, now: now)
        accessTokens = AccessTokens(
            storage: storage, keys: signingKeys, revocations: revocations, programTokens: programTokens,
            configuration: configuration)
        factors = Factors(
            storage: storage, secrets: secrets, keys: signingKeys, throttle: throttle,
            policy: configuration.secondFactor, issuer: configuration.nameInApps, now: now)
        passkeys = Passkeys(
            storage: storage, secrets: secrets, factors: factors, relyingParty: configuration.relyingParty, now: now)
        try await passkeys.checkBinding()
        sessions = Sessions(
            storage: storage, accessTokens: accessTokens, refreshTokens: RefreshTokens(secrets: secrets),
            revocations: revocations, throttle: throttle, factors: factors, configuration: configuration)
        passwords = try Passwords(
            storage: storage, secrets: secrets, revocations: revocations, sessions: sessions, throttle: throttle,
            factors: factors, configuration: configuration)
        try await passwords.decoys.update()
        users = Users(
            storage: storage, passwords: passwords, revocations: revocations, secrets: secrets,
            names: NewNames(refusingAddresses: configuration.signInByEmail), now: now)
        profiles = Profiles(
            storage: storage, factors: factors, revocations: revocations, configuration: configuration)
        registration = Registration(
            storage: storage, passwords: passwords, throttle: throttle, secrets: secrets, configuration: configuration)
        trustedDevices = TrustedDevices(
            storage: storage, lifetime: configuration.trustedDeviceLifetime, now: now)
        login = Login(
            storage: storage, passwords: passwords, accessTokens: accessTokens, throttle: throttle, secrets: secrets,
            factors: factors, passkeys: passkeys, trustedDevices: trustedDevices,
            acceptsAddresses: configuration.signInByEmail, now: now)
        clients = Clients(storage: storage, secrets: secrets, keys: signingKeys, now: now)
        auditTrail = AuditTrail(
            storage: storage, secrets: secrets, retention: TimeInterval(configuration.auditRetention), now: now
        ) { [signingKeys] in try await signingKeys.followSecretsNow() }
        sealer = AuditSealer(trail: auditTrail)
        personalTokens = PersonalTokens(
            tokens: programTokens, factors: factors, throttle: throttle, configuration: configuration)
        serviceAccounts = ServiceAccounts(
            storage: storage, tokens: programTokens, revocations: revocations, now: now)
        secretRotation = SecretRotation(
            storage: storage, secrets: secrets, keys: signingKeys, factors: factors, tokens: programTokens,
            sealer: sealer, revocations: revocations, now: now)
        self.configuration = configuration
        self.storage = storage
        self.secrets = secrets
    }

    /// Closes the storage after a failure, and removes the files that were made for it: see
    /// `FileStorage`.
    package func abandon() { (storage as? any FileStorage)?.abandon(secrets) }

    /// Closes the storage, after the ``services`` have ended and the last request was answered.
    package func close() { (storage as? any FileStorage)?.closeDatabase() }

    /// Finds the peppers that some users were imported with and that are not configured.
    package func missingPeppers() async throws -> [MissingPepper] {
        MissingPepper.all(
            among: try await storage.passwordHashes(sampling: MissingPepper.sampleSize),
            besides: configuration.passwordPepper)
    }

    package static let revocationPageSize = 1000

    /// Reads a page of the revocation log with sequence numbers greater than `number`, for
    /// verifiers elsewhere, and the number to continue from. That one is less than `number` if
    /// `number` was never used: then a backup was restored, and the verifier starts over.
    package func revocations(after number: Int64) async throws -> (entries: [Revocation], last: Int64) {
        let entries = try await storage.revocations(after: number, limit: Self.revocationPageSize)
        if let last = entries.last?.number { return (entries, last) }
        return ([], min(number, try await storage.lastRevocationNumber()))
    }

    /// The conditions under which requests should be sent to this process.
    public struct Readiness: Sendable, Hashable {
        /// Whether the storage answers, and the signing keys were read from it recently; without
        /// the ``Auth/services`` this stays `true` only for a short time.
        public let storage: Bool
        /// Whether the revocation log was read within ``AuthConfiguration/revocationBound``; never
        /// without the ``Auth/services``.
        public let revocations: Bool
        /// Whether all failed sign-ins are counted. While the storage refuses to store one, nobody
        /// is told whether a password is correct.
        public let throttle: Bool

        /// Whether all conditions hold.
        public var isReady: Bool { storage && revocations && throttle }
    }

    /// Asks the storage whether it answers, and stores the failed sign-ins that it did not take
    /// before.
    public func readiness() async -> Readiness {
        let storageAnswers =
            (try? await storage.lastRevocationNumber()) != nil && signingKeys.verification.isConfirmed()
            && signingKeys.isWhole
        let isCounted = (try? await throttle.uncounted.settle()) != nil
        return Readiness(
            storage: storageAnswers, revocations: accessTokens.verifier.revocations.isConfirmed, throttle: isCounted)
    }
}

import Foundation
public import RESTAuth
public import ServiceLifecycle
import Synchronization

/// Verifies the tokens of a rest-auth server in another service, without a database, and access
/// tokens without a request for each.
///
///     let verifier = try Verifier(at: "https://auth.example.com")
///     router.group("notes").add(middleware: verifier.authenticator())
///     Application(router: router, services: [verifier])
///
/// It keeps the server's public keys and its list of revocations. Run it as a service: until it has
/// both, and whenever the list is older than ``VerifierConfiguration/bound``, every token is
/// refused.
///
/// Where it has the id and secret of a client, it takes tokens for programs too: it asks the server
/// about each, and remembers the answer for no longer than that bound. What a token's scope allows
/// is checked by `Requirement.scope(_:)`.
public final class Verifier: CredentialVerifier, Service {
    private let server: RemoteServer
    private let tokens: TokenVerifier
    private let programTokens: ProgramTokenMemory
    private let configuration: VerifierConfiguration
    private let issuer: String
    private let progress = Mutex(Progress())

    private struct Progress {
        /// The sequence number of the last revocation that was applied.
        var last: Int64 = 0
        var keysFetchedAt: ContinuousClock.Instant?
        var keysFailedAt: ContinuousClock.Instant?
        /// The fetch in progress, shared by all who wait for it.
        var keyFetch: Task<Void, any Error>?
    }

    /// The shortest time between two attempts to fetch the keys after a failure.
    private static let retryInterval: Duration = .seconds(1)

    /// The shortest time between two fetches for an unknown `kid`, so that invented ones do not
    /// cause a fetch each.
    private static let keyPatience: Duration = .seconds(2)

    /// - Parameters:
    ///   - url: the URL of the server, without the paths that it serves.
    ///   - configuration: the settings; each has a default.
    /// - Throws: `misconfigured` for text that is no URL, and for `http` to another machine unless
    ///   that is allowed.
    public init(at url: String, configuration: VerifierConfiguration = .init()) throws {
        server = try RemoteServer(
            url, client: configuration.client, allowsPlaintext: configuration.allowsPlaintext)
        issuer = configuration.issuer ?? server.url
        tokens = TokenVerifier(
            keys: VerificationKeys(bound: configuration.keyInterval + configuration.bound),
            revocations: Revocations(bound: configuration.bound),
            issuer: issuer, audiences: configuration.audiences ?? [issuer],
            capacity: configuration.verifiedTokenCapacity, hidesRoles: true, now: { Date() })
        programTokens = ProgramTokenMemory(
            capacity: configuration.verifiedTokenCapacity,
            duration: min(configuration.bound / .seconds(1), ProgramTokens.memory),
            revocations: tokens.revocations, now: { Date() })
        self.configuration = configuration
    }

    /// Keeps keys and revocations up to date until graceful shutdown.
    public func run() async throws {
        try await every(configuration.revocationInterval, "the auth server could not be asked") { try await update() }
    }

    /// Brings keys and revocations up to date once; ``run()`` does so over and over.
    /// - Throws: `storage_unavailable` when the server does not answer as it should.
    public func update() async throws {
        try await updateKeys(ifOlderThan: configuration.keyInterval)
        try await updateRevocations()
    }

    // MARK: Verifying

    /// Verifies an access token as `AccessTokens.verify` on the server does, with the revocations
    /// that were fetched last.
    /// - Throws: `invalid_token`; `storage_unavailable` while the list or the keys are too old.
    public func verify(_ token: [UInt8]) async throws -> UserIdentity {
        guard let token = PresentedToken(token) else { throw AuthError.invalidToken }
        if let known = tokens.remembered(token) { return known.identity }
        guard let parts = token.parts else { throw AuthError.invalidToken }
        // The key may be newer than the last fetch.
        if let id = parts.keyID, !tokens.keys.contains(id) {
            try await updateKeys(ifOlderThan: Self.keyPatience)
        }
        return try await tokens.verify(token, parts) { _, identity in
            guard tokens.revocations.standing(of: identity) == .admitted, tokens.keys.isConfirmed() else {
                throw AuthError(
                    .storageUnavailable, "it is not known at the moment which tokens were revoked", retryAfter: 1)
            }
        }.identity
    }

    /// Verifies credentials: an access token or a token for programs. A password is refused: only
    /// the server can check one.
    /// - Throws: what ``verify(_:)`` throws; `credentials_required` for a password.
    public func identify(
        _ credentials: Credentials, by caller: @autoclosure () -> Caller = .application
    ) async throws -> Identity {
        guard case .token(let token) = credentials else { throw AuthError.credentialsRequired }
        guard ProgramToken.hasOutline(token) else { return .user(try await verify(token)) }
        return try await verify(programToken: token)
    }

    /// Verifies a token for programs, from memory or by the server's word.
    private func verify(programToken bytes: [UInt8]) async throws -> Identity {
        guard configuration.client != nil, ProgramToken.Form(bytes) != nil, let token = PresentedToken(bytes) else {
            throw AuthError.invalidToken
        }
        return try await programTokens.verify(token) { [server, issuer] bytes in
            let now = Date()
            let description = try await server.introspection(of: bytes)
            guard let token = VerifiedProgramToken(introspection: description, issuer: issuer, at: now) else {
                throw AuthError.invalidToken
            }
            return token
        }.identity
    }

    // MARK: Updating

    /// Fetches the keys, once for all callers at a time. While that fails, a token with an unknown
    /// `kid` can be neither accepted nor refused.
    private func updateKeys(ifOlderThan age: Duration) async throws {
        let start = ContinuousClock.now
        let fetch = try progress.withLock { progress throws(AuthError) -> Task<Void, any Error>? in
            if let fetch = progress.keyFetch { return fetch }
            if let fetchedAt = progress.keysFetchedAt, start - fetchedAt < age { return nil }
            if let failedAt = progress.keysFailedAt, start - failedAt < Self.retryInterval {
                throw AuthError(
                    .storageUnavailable, "the auth server's keys cannot be had at the moment", retryAfter: 1)
            }
            let fetch = Task { try await fetchKeys(at: start) }
            progress.keyFetch = fetch
            return fetch
        }
        try await fetch?.value
    }

    private func fetchKeys(at start: ContinuousClock.Instant) async throws {
        do {
            tokens.keys.replace(with: try await server.keys())
            tokens.keys.confirm(at: start)
            progress.withLock { ($0.keysFetchedAt, $0.keysFailedAt, $0.keyFetch) = (start, nil, nil) }
        } catch {
            progress.withLock { ($0.keysFailedAt, $0.keyFetch) = (start, nil) }
            throw error
        }
    }

    private func updateRevocations() async throws {
        while true {
            let start = ContinuousClock.now
            let since = progress.withLock { $0.last }
            let page = try await server.revocations(after: since)
            tokens.revocations.apply(page.lines)
            // A log that ends before the last known entry is another one: the server's database was
            // restored from a backup.
            let isAnother = page.last < since
            if isAnother { tokens.revocations.startOver() }
            progress.withLock { $0.last = isAnother ? 0 : page.last }
            guard page.isMore || isAnother else {
                tokens.revocations.confirm(at: start)
                break
            }
        }
        tokens.forgetRevocations()
    }
}

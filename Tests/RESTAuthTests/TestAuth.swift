import Foundation
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// The core on SQLite in memory, with a clock that the test moves.
struct TestAuth {
    let auth: Auth
    let storage: SQLiteStorage
    let clock: TestClock

    init(_ configure: (inout AuthConfiguration) -> Void = { _ in }) async throws {
        try await self.init(over: SQLiteStorage(), secret: InstanceSecret(), configure)
    }

    /// Another process on the same storage.
    init(
        over storage: SQLiteStorage, secret: InstanceSecret, clock: TestClock = TestClock(),
        _ configure: (inout AuthConfiguration) -> Void = { _ in }
    ) async throws {
        var configuration = AuthConfiguration()
        configuration.secret = secret
        configuration.now = { clock.now }
        // Patient, because the machine may be busy with other tests.
        configuration.hashingPatience = 600
        configure(&configuration)
        self.storage = storage
        self.clock = clock
        auth = try await Auth(storage: storage, configuration: configuration)
    }

    /// A token for a new user.
    func token(_ username: String = "miguel", password: String = "python") async throws -> [UInt8] {
        _ = try await auth.users.register(username, password: password)
        return Array(try await auth.sessions.token(for: auth.login.identify(username, password: password)).value.utf8)
    }

    /// The tokens of a session for a new user.
    func session(_ username: String = "miguel", by caller: Caller = .application) async throws -> SessionTokens {
        _ = try await auth.users.register(username, password: "python")
        return try await signIn(username, by: caller)
    }

    func signIn(_ username: String = "miguel", by caller: Caller = .application) async throws -> SessionTokens {
        try await auth.sessions.start(for: auth.login.identify(username, password: "python"), by: caller)
    }

    func verify(_ token: AccessToken) async throws -> UserIdentity {
        try await auth.accessTokens.verify(Array(token.value.utf8))
    }

    /// Expects `door` to throw an error with that code.
    func expect(
        _ code: AuthError.Code, sourceLocation: SourceLocation = #_sourceLocation,
        from door: () async throws -> some Any
    ) async {
        let error = await #expect(throws: AuthError.self, sourceLocation: sourceLocation) { _ = try await door() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
    }

    /// Reads keys and revocations as running services do, so that they are trusted however long the
    /// test takes.
    func readFeed() async throws {
        let feed = try #require(auth.services.compactMap { $0 as? RevocationFeed }.first)
        _ = try await feed.read(after: nil)
        feed.revocations.confirm(at: .now + .seconds(3600))
        auth.signingKeys.verification.confirm(at: .now + .seconds(3600))
    }
}

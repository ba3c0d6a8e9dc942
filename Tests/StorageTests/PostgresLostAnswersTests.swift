import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthTesting
import Support
import Testing

/// A committed transaction whose answer is lost is sent again: its change is recorded once, and
/// reported as new to the caller who made it.
@Suite struct PostgresLostAnswersTests {
    private let directory: TemporaryDirectory
    private let now = TestClock().now

    init() throws { directory = try TemporaryDirectory() }

    /// Makes a storage that is reached through a proxy, and a user in it.
    private func makeStorage() async throws -> (storage: PostgresStorage, proxy: DatabaseProxy, user: User.ID) {
        let server = try await PostgresServer.shared()
        let url = try await directory.makePostgresDatabase()
        let proxy = try DatabaseProxy(to: server)
        var configuration = PostgresConfiguration(url: proxy.url(PostgresServer.name(in: url)))
        configuration.timeout = 60
        configuration.writers = 1
        let storage = try await PostgresStorage(configuration)
        let user = try await storage.insertUser(Username("miguel"), passwordHash: "h", at: now)
        return (storage, proxy, user.id)
    }

    private func recorded(_ name: AuthEvent.Name, in storage: PostgresStorage) async throws -> Int {
        try await storage.events(after: 0, limit: 100).count { $0.fields.name == name.rawValue }
    }

    @Test func aChangeOfAUserIsNewToWhoMadeItAndRecordedOnce() async throws {
        let (storage, proxy, user) = try await makeStorage()
        defer { proxy.end() }
        let event = { name in Samples.event(name, user: user, ["role": "admin"]) }
        let changes: [(AuthEvent.Name, String, @Sendable (AuthEvent) async throws -> Bool?)] = [
            (
                .roleGranted, "length",
                { try await storage.grantRole("admin", user: user, at: now, recording: $0).isNew }
            ),
            (
                .roleRevoked, "is_refused",
                { try await storage.revokeRole("admin", user: user, at: now, recording: $0)?.isNew }
            ),
            (.userDisabled, "is_refused", { try await storage.disableUser(id: user, at: now, recording: $0)?.isNew }),
            (.userEnabled, "is_refused", { try await storage.enableUser(id: user, at: now, recording: $0)?.isNew }),
        ]
        for (name, text, change) in changes {
            proxy.cut(at: .answer(text))
            #expect(try await change(event(name)) == true, "\(name.rawValue)")
            #expect(proxy.hasLostAll)
            #expect(try await recorded(name, in: storage) == 1, "\(name.rawValue)")
            // A repetition by another caller changes nothing, and is not taken for the first
            // change.
            proxy.cut(at: .answer(text))
            let other = event(name).by(Caller(address: "192.0.2.9", requestID: "other"), at: now)
            #expect(try await change(other) == false, "\(name.rawValue)")
            #expect(try await recorded(name, in: storage) == 1, "\(name.rawValue)")
        }
    }

    @Test func aRefreshTokenThatWasAskedForOnceIsNotRepeated() async throws {
        let (storage, proxy, user) = try await makeStorage()
        defer { proxy.end() }
        let session = Samples.session(1, of: user, at: now)
        _ = try await storage.insertSession(session, passwordVersion: nil, refreshDigest: [0], limit: 9)
        func rotation(at now: Date) -> RefreshRotation {
            RefreshRotation(
                sessionID: session.id, generation: 0, digest: [0], successorDigest: { [1, UInt8($0)] }, now: now,
                inactivityTimeout: 600, timebox: 6000)
        }
        proxy.cut(at: .answer("UPDATE 1"))
        guard case .renewed(_, _, digest: [1, 0]) = try await storage.rotate(rotation(at: now)) else {
            Issue.record("it was not renewed")
            return
        }
        #expect(proxy.hasLostAll)
        #expect(try await recorded(.refreshTokenRepeated, in: storage) == 0)
        proxy.cut(at: .answer("repeats"))
        guard case .repeated = try await storage.rotate(rotation(at: now + RefreshRotation.sharingTime + 1)) else {
            Issue.record("it was not repeated")
            return
        }
        #expect(try await recorded(.refreshTokenRepeated, in: storage) == 1)
    }

    @Test func aNetworkAndAKeyAreNewToWhoBroughtThem() async throws {
        let (storage, proxy, user) = try await makeStorage()
        defer { proxy.end() }
        let network = try #require(ClientNetwork("192.0.2.1"))
        proxy.cut(at: .answer("user_id"))
        #expect(
            try await storage.rememberOrigin(
                network, user: user, at: now, limit: 20, recording: Samples.event(.networkRemembered, user: user)))
        #expect(try await recorded(.networkRemembered, in: storage) == 1)
        _ = try await storage.insertSigningKey(Samples.signingKey("a", at: now))
        proxy.cut(at: .answer("id"))
        #expect(
            try await storage.hastenSigningKey(
                id: "a", to: now - 1, recording: Samples.event(.signingKeyHastened, ["kid": "a"])))
        #expect(try await recorded(.signingKeyHastened, in: storage) == 1)
    }
}

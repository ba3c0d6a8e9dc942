import Foundation
import RESTAuth
import RESTAuthHummingbird
import RESTAuthVerifier
import ServiceLifecycle
import Support
import Testing

/// The verifier for other services, tested against the real binary.
@Suite(.server()) struct VerifierTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    /// A verifier whose list stays valid for as long as a test takes, unless the test is about
    /// that.
    private func verifier(
        of server: RunningServer? = nil, _ configure: (inout VerifierConfiguration) -> Void = { _ in }
    ) throws -> Verifier {
        var configuration = VerifierConfiguration()
        configuration.issuer = "rest-auth"
        configuration.bound = .seconds(3600)
        configure(&configuration)
        return try Verifier(at: "http://127.0.0.1:\((server ?? self.server).port)", configuration: configuration)
    }

    private func verify(_ verifier: Verifier, _ token: String) async throws -> UserIdentity {
        try await verifier.verify(Array(token.utf8))
    }

    private func expect(
        _ code: AuthError.Code, _ verifier: Verifier, _ token: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        var error: AuthError?
        try await wait(for: "the server to be asked") {
            error = await #expect(throws: AuthError.self, sourceLocation: sourceLocation) {
                try await verify(verifier, token)
            }
            // The server may have taken longer to answer than a verifier waits.
            return error?.code == code || error?.code != .storageUnavailable
        }
        #expect(error?.code == code, sourceLocation: sourceLocation)
    }

    @Test func aTokenSaysWhoItStandsFor() async throws {
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "admin")
        let verifier = try verifier()
        let tokens = try await server.signIn(miguel)
        try await verifier.updated()
        let session = try await server.sessions(bearer(tokens.access))[0]["id"] as? String
        for _ in 0..<2 {
            let identity = try await verify(verifier, tokens.access)
            #expect(identity.userID == miguel.id)
            #expect(identity.username == miguel.name)
            #expect(identity.roles == ["admin"])
            #expect(identity.sessionID?.description == session)
        }
    }

    @Test func whatIsNoAccessTokenOfTheServerIsRefused() async throws {
        let miguel = try await server.newAccount()
        let verifier = try verifier()
        try await verifier.updated()
        let tokens = try await server.signIn(miguel)
        // Another instance with other keys.
        let other = try await RunningServer()
        try await other.register(miguel.name, miguel.password)
        let foreign = try await other.signIn(miguel).access
        for token in [tokens.refresh, "", "x", "x.y.z", String(tokens.access.dropLast(2)), foreign] {
            try await expect(.invalidToken, verifier, token)
        }
        try await expect(.invalidToken, self.verifier { $0.issuer = "other" }.updated(), tokens.access)
        let error = await #expect(throws: AuthError.self) {
            try await verifier.identify(.password(username: miguel.name, password: miguel.password))
        }
        #expect(error?.code == .credentialsRequired)
    }

    @Test func whatTheServerRevokesIsRefusedHereWithinTheInterval() async throws {
        let miguel = try await server.newAccount()
        let verifier = try verifier { $0.revocationInterval = .milliseconds(100) }
        try await server.command("users", "grant", miguel.name, "admin")
        var sessions: [SignedIn] = []
        for _ in 0..<3 { sessions.append(try await server.signIn(miguel)) }
        // Updates only when it is told to: once is enough.
        let other = try await self.verifier().updated()
        let group = ServiceGroup(services: [verifier], logger: .init(label: "test"))
        async let running: Void = group.run()
        try await wait(for: "the first update") { (try? await verify(verifier, sessions[0].access)) != nil }
        for tokens in sessions { _ = try await verify(verifier, tokens.access) }

        func expectRefusal(of token: String) async throws {
            _ = try await verify(other, token)
            try await expect(.invalidToken, other.updated(), token)
            try await wait(for: "the refusal") { (try? await verify(verifier, token)) == nil }
            try await expect(.invalidToken, verifier, token)
        }
        try await server.send("DELETE", "/api/tokens", headers: [bearer(sessions[0].access)])
        try await expectRefusal(of: sessions[0].access)
        _ = try await verify(verifier, sessions[1].access)
        try await server.command("users", "revoke", miguel.name, "admin")
        try await expectRefusal(of: sessions[1].access)
        let plain = try #require(try await server.refresh(sessions[1].refresh).json["access_token"] as? String)
        _ = try await verify(verifier, plain)
        try await server.command("users", "disable", miguel.name)
        try await expectRefusal(of: plain)
        await group.triggerGracefulShutdown()
        try await running
    }

    /// Uses a server of its own, because it ends it.
    @Test func withoutAnUpToDateListEveryTokenIsAnsweredLater() async throws {
        let server = try await RunningServer()
        let verifier = try verifier(of: server) { $0.bound = .seconds(1) }
        let token = try await server.signIn(server.newAccount()).access
        try await expect(.invalidToken, verifier, "x")
        // The key is fetched on demand, once for all concurrent calls; the list is not.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { try await expect(.storageUnavailable, verifier, token) } }
            try await group.waitForAll()
        }
        try await wait(for: "a list that is used in time") {
            try await verifier.updated()
            return (try? await verify(verifier, token)) != nil
        }
        try await server.kill()
        // A verifier that never had keys cannot tell a good token from a bad one.
        let late = try self.verifier(of: server)
        async let refusals: Void = {
            for _ in 0..<2 { try await expect(.storageUnavailable, late, token) }
        }()
        await #expect(throws: AuthError.self) { try await verifier.update() }
        try await wait(for: "the list to grow old") { (try? await verify(verifier, token)) == nil }
        try await expect(.storageUnavailable, verifier, token)
        try await refusals
    }

    /// Uses a server of its own, because it replaces the database.
    @Test func aListThatWasReplacedByABackupIsReadAnew() async throws {
        var running = try await RunningServer()
        let (directory, port) = (running.directory, running.port)
        let verifier = try verifier(of: running)
        let miguel = try await running.newAccount()
        let (first, second) = (try await running.signIn(miguel), try await running.signIn(miguel))
        try await running.kill()
        try await directory.database().keepCopy()
        running = try await RunningServer(directory: directory, port: port)
        for _ in 0..<3 {
            let access = try await running.signIn(miguel).access
            try await running.send("DELETE", "/api/tokens", headers: [bearer(access)])
        }
        try await verifier.updated()
        try await running.kill()
        try await directory.database().putCopyBack()
        running = try await RunningServer(directory: directory, port: port)
        try await running.send("DELETE", "/api/tokens", headers: [bearer(first.access)])
        try await verifier.updated()
        try await expect(.invalidToken, verifier, first.access)
        _ = try await verify(verifier, second.access)
    }

    /// Uses a server of its own, which changes its signing key in the end.
    @Test func aNewKeyIsFetchedWhenItsFirstTokenComes() async throws {
        let server = try await RunningServer()
        let verifier = try verifier(of: server)
        try await verifier.updated()
        let old = try await server.token(server.newAccount())
        try await server.command("keys", "rotate", "--now")
        let keys = try await server.command("keys", "list", "--json").output.split(separator: "\n")
        let next = try JSONSerialization.jsonObject(with: Data((keys.last ?? "").utf8)) as? [String: Any]
        let text = try #require(next?["signs_from"] as? String)
        let signsFrom = try Date(text, strategy: .iso8601)
        // Seconds pass until then; the text has no fractions of one.
        try await wait(for: "the time of the new key") { Date.now > signsFrom + 1 }
        var new = old
        try await wait(for: "the new key to sign") {
            // A token is traded for the next one, which costs no hash, but a write.
            new = try await server.token(new, "")
            return new.prefix { $0 != "." } != old.prefix { $0 != "." }
        }
        try await wait(for: "the verifier to have asked") { (try? await verify(verifier, new)) != nil }
        _ = try await verify(verifier, old)
    }

    @Test(arguments: [
        "", "auth.example.com", "ftp://auth.example.com", "http://auth.example.com", "http://10.0.0.1:5000",
        "http://127.0.0.1.example.com", "https://auth.example.com?x", "https://", "http://localhost.example.com",
    ])
    func anAddressThatCannotBeTrustedIsRefused(url: String) {
        let error = #expect(throws: AuthError.self) { try Verifier(at: url) }
        #expect(error?.code == .misconfigured)
    }

    @Test(arguments: [
        "https://auth.example.com", "https://auth.example.com/base/", "http://localhost:5000", "http://[::1]:5000",
    ])
    func anAddressIsTakenAsItIs(url: String) throws {
        _ = try Verifier(at: url)
    }
}

extension Verifier {
    /// Updates the list, retrying when the server takes longer to answer than a verifier waits.
    @discardableResult
    fileprivate func updated() async throws -> Verifier {
        try await wait(for: "the update") { (try? await update()) != nil }
        return self
    }
}

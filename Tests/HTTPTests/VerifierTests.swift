import Foundation
import RESTAuth
import RESTAuthHummingbird
import RESTAuthVerifier
import ServiceLifecycle
import Support
import Testing

/// The verifier for services elsewhere, against the real binary.
@Suite struct VerifierTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer()
        _ = try server.register("miguel", "python")
    }

    private func verifier(_ configure: (inout VerifierConfiguration) -> Void = { _ in }) throws -> Verifier {
        var configuration = VerifierConfiguration()
        configuration.issuer = "rest-auth"
        configure(&configuration)
        return try Verifier(at: "http://127.0.0.1:\(server.port)", configuration: configuration)
    }

    private func verify(_ verifier: Verifier, _ token: String) async throws -> Identity {
        try await verifier.verify(Array(token.utf8))
    }

    private func expect(
        _ code: AuthError.Code, _ verifier: Verifier, _ token: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: AuthError.self, sourceLocation: sourceLocation) {
            try await verify(verifier, token)
        }
        #expect(error?.code == code, sourceLocation: sourceLocation)
    }

    @Test func aTokenSaysWhoItStandsFor() async throws {
        try await server.command("users", "grant", "miguel", "admin")
        let verifier = try verifier()
        let tokens = try server.signIn()
        try await verifier.update()
        for _ in 0..<2 {
            let identity = try await verify(verifier, tokens.access)
            #expect(identity.userID == 1)
            #expect(identity.username == "miguel")
            #expect(identity.roles == ["admin"])
            #expect(identity.sessionID?.description == (try server.sessions(bearer(tokens.access))[0]["id"] as? String))
        }
    }

    @Test func whatIsNoAccessTokenOfTheServerIsRefused() async throws {
        let verifier = try verifier()
        try await verifier.update()
        let tokens = try server.signIn()
        let other = try await RunningServer()
        _ = try other.register("miguel", "python")
        for token in [tokens.refresh, "", "x", "x.y.z", String(tokens.access.dropLast(2)), try other.signIn().access] {
            await expect(.invalidToken, verifier, token)
        }
        await expect(.invalidToken, try self.verifier { $0.issuer = "other" }.updated(), tokens.access)
        let error = await #expect(throws: AuthError.self) {
            try await verifier.attempt(.password(username: "miguel", password: "python"))
        }
        #expect(error?.code == .credentialsRequired)
    }

    @Test func whatTheServerRevokesIsRefusedHereWithinTheInterval() async throws {
        let verifier = try verifier { $0.revocationInterval = .milliseconds(100) }
        try await server.command("users", "grant", "miguel", "admin")
        let sessions = try (0..<3).map { _ in try server.signIn() }
        let group = ServiceGroup(services: [verifier], logger: .init(label: "test"))
        async let running: Void = group.run()
        try await wait(seconds: 5, for: "the first update") { (try? await verify(verifier, sessions[0].access)) != nil }
        for tokens in sessions { _ = try await verify(verifier, tokens.access) }

        func expectRefusal(of token: String) async throws {
            try await wait(seconds: 2, for: "the refusal") { (try? await verify(verifier, token)) == nil }
            await expect(.invalidToken, verifier, token)
        }
        _ = try server.send("DELETE", "/api/tokens", headers: [bearer(sessions[0].access)])
        try await expectRefusal(of: sessions[0].access)
        _ = try await verify(verifier, sessions[1].access)
        try await server.command("users", "revoke", "miguel", "admin")
        try await expectRefusal(of: sessions[1].access)
        let plain = try #require(server.refresh(sessions[1].refresh).json["access_token"] as? String)
        _ = try await verify(verifier, plain)
        try await server.command("users", "disable", "miguel")
        try await expectRefusal(of: plain)
        await group.triggerGracefulShutdown()
        try await running
    }

    @Test func withoutAnUpToDateListEveryTokenIsAnsweredLater() async throws {
        let verifier = try verifier { $0.bound = .seconds(1) }
        let token = try server.signIn().access
        await expect(.invalidToken, verifier, "x")
        // The key is fetched on demand, once for all who ask at once; the list is not.
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { await expect(.storageUnavailable, verifier, token) } }
        }
        try await verifier.update()
        _ = try await verify(verifier, token)
        try await server.kill()
        await #expect(throws: AuthError.self) { try await verifier.update() }
        try await wait(seconds: 5, for: "the list to grow old") { (try? await verify(verifier, token)) == nil }
        await expect(.storageUnavailable, verifier, token)
        // One that never had keys cannot tell a good token from a bad one.
        let late = try self.verifier()
        for _ in 0..<2 { await expect(.storageUnavailable, late, token) }
    }

    @Test func aListThatWasReplacedByABackupIsReadAnew() async throws {
        let directory = server.directory
        let verifier = try verifier()
        let (first, second) = (try server.signIn(), try server.signIn())
        try await server.kill()
        try directory.database().keepCopy()
        var running = try await RunningServer(directory: directory, port: server.port)
        for _ in 0..<3 { _ = try running.send("DELETE", "/api/tokens", headers: [bearer(running.signIn().access)]) }
        try await verifier.update()
        try await running.kill()
        try directory.database().putCopyBack()
        running = try await RunningServer(directory: directory, port: server.port)
        _ = try running.send("DELETE", "/api/tokens", headers: [bearer(first.access)])
        try await verifier.update()
        await expect(.invalidToken, verifier, first.access)
        _ = try await verify(verifier, second.access)
    }

    @Test func aNewKeyIsFetchedWhenItsFirstTokenComes() async throws {
        let verifier = try verifier()
        try await verifier.update()
        let old = try server.signIn()
        try await server.command("keys", "rotate", "--now")
        var new = old.access
        try await wait(seconds: 15, for: "the new key to sign") {
            new = try server.signIn().access
            return new.prefix(80) != old.access.prefix(80)
        }
        try await wait(seconds: 10, for: "the verifier to ask again") {
            try await verifier.update()
            return (try? await verify(verifier, new)) != nil
        }
        _ = try await verify(verifier, old.access)
    }

    @Test(arguments: [
        "", "auth.example.com", "ftp://auth.example.com", "http://auth.example.com", "http://10.0.0.1:5000",
        "http://127.0.0.1.example.com",
        "https://auth.example.com?x", "https://", "http://localhost.example.com",
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
    fileprivate func updated() async throws -> Verifier {
        try await update()
        return self
    }
}

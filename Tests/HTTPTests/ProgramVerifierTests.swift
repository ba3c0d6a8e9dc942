import Foundation
import RESTAuth
import RESTAuthVerifier
import Support
import Testing

/// Tokens for programs at the verifier for other services, which asks the real binary.
@Suite(.server()) struct ProgramVerifierTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func verifier(
        of server: RunningServer? = nil, bound: Duration = .seconds(3600), isClient: Bool = true
    ) async throws -> Verifier {
        let server = server ?? self.server
        var configuration = VerifierConfiguration()
        configuration.issuer = "rest-auth"
        configuration.bound = bound
        if isClient {
            let id = RunningServer.newName("notes")
            configuration.client = (id, try await server.addClient(id))
        }
        return try Verifier(at: "http://127.0.0.1:\(server.port)", configuration: configuration)
    }

    private func identify(_ verifier: Verifier, _ token: String) async throws -> Identity {
        var identity: Identity?
        // The server may take longer to answer than a verifier waits.
        try await wait(for: "an answer") {
            do {
                identity = try await verifier.identify(.token(Array(token.utf8)))
                return true
            } catch let error as AuthError where error.code == .storageUnavailable {
                return false
            }
        }
        return try #require(identity)
    }

    private func expectRefusal(_ verifier: Verifier, _ token: String) async {
        let error = await #expect(throws: AuthError.self) { try await identify(verifier, token) }
        #expect(error?.code == .invalidToken)
    }

    @Test func bothKindsAreTaken() async throws {
        let (verifier, miguel) = (try await verifier(), try await server.newAccount())
        try await server.command("users", "grant", miguel.name, "editor")
        let token = try await server.personalToken(of: miguel, scopes: ["notes:read", "mail"])
        for _ in 0..<2 {
            let user = try #require(await identify(verifier, token.token).user)
            #expect(user.userID == miguel.id)
            #expect(user.username == miguel.name)
            #expect(user.roles == ["editor"])
            #expect(user.scope == ["notes:read", "mail"])
            #expect(user.sessionID == nil)
        }
        let (service, credential) = try await server.serviceToken(scopes: ["notes:read"])
        let identity = try #require(await identify(verifier, credential.token).service)
        #expect(identity.id == service)
        #expect(identity.scope == ["notes:read"])
        // An access token is verified beside them as ever.
        let access = try await server.token(miguel)
        try await wait(for: "an answer") { (try? await verifier.update()) != nil }
        #expect(try await identify(verifier, access).user?.scope == nil)
    }

    @Test func theAnswerIsRemembered() async throws {
        let server = try await RunningServer()
        let verifier = try await verifier(of: server)
        try await wait(for: "the list") { (try? await verifier.update()) != nil }
        let token = try await server.personalToken(of: server.newAccount()).token
        _ = try await identify(verifier, token)
        try await server.kill()
        #expect(try await identify(verifier, token).user != nil)
    }

    @Test func aTokenThatWasDeletedIsRefusedOnceTheListSaysSo() async throws {
        let (verifier, miguel) = (try await verifier(), try await server.newAccount())
        try await wait(for: "the list") { (try? await verifier.update()) != nil }
        let token = try await server.personalToken(of: miguel)
        _ = try await identify(verifier, token.token)
        try await server.delete(token, of: miguel)
        try await wait(for: "the list") { (try? await verifier.update()) != nil }
        await expectRefusal(verifier, token.token)
    }

    /// A verifier whose list is too old, or whose memory has ended, asks.
    @Test func withoutAListEachUseIsAsked() async throws {
        let (verifier, miguel) = (try await verifier(bound: .zero), try await server.newAccount())
        let token = try await server.personalToken(of: miguel)
        _ = try await identify(verifier, token.token)
        try await server.delete(token, of: miguel)
        await expectRefusal(verifier, token.token)
    }

    @Test func whatIsNoneOfTheServersIsRefused() async throws {
        let (verifier, miguel) = (try await verifier(), try await server.newAccount())
        let token = try await server.personalToken(of: miguel).token
        let other = try await RunningServer()
        let foreign = try await other.personalToken(of: other.newAccount()).token
        let last = token.last == "0" ? "1" : "0"
        for wrong in [foreign, "\(token.dropLast())\(last)", "\(token.dropLast())", "\(token)x", "ra_pat_"] {
            await expectRefusal(verifier, wrong)
        }
        // Without a client nothing can be asked.
        await expectRefusal(try await self.verifier(isClient: false), token)
        // It is no access token, whose scope nobody checks.
        let error = await #expect(throws: AuthError.self) { try await verifier.verify(Array(token.utf8)) }
        #expect(error?.code == .invalidToken)
    }

    @Test func whoeverIsNoClientAnyMoreIsAnsweredLater() async throws {
        let id = RunningServer.newName("notes")
        var configuration = VerifierConfiguration()
        configuration.issuer = "rest-auth"
        configuration.client = (id, "wrong")
        let verifier = try Verifier(at: "http://127.0.0.1:\(server.port)", configuration: configuration)
        let token = try await server.personalToken(of: server.newAccount()).token
        let error = await #expect(throws: AuthError.self) { try await verifier.identify(.token(Array(token.utf8))) }
        #expect(error?.code == .storageUnavailable)
    }
}

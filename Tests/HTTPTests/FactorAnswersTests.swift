import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Testing

/// Answers to a client whose user `miguel` has an authenticator app besides the password.
@Suite struct FactorAnswersTests {
    private let auth: Auth
    /// Codes that have not been used.
    private let codes: [String]

    init() async throws {
        auth = try await Auth(storage: SQLiteStorage(), configuration: AuthConfiguration())
        for name in ["miguel", "susan"] { _ = try await auth.users.register(name, password: "python") }
        let miguel = try await auth.login.identify("miguel", password: "python")
        let app = try await auth.factors.add("phone", of: miguel)
        let secret = try #require(Base32.decode(app.secret.utf8).flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: .now)).value
        codes = try #require(try await auth.factors.confirm(app.id, code: code, of: miguel))
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, as authorization: String? = nil, body: String? = nil,
        code: String? = nil
    ) async throws -> TestResponse {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        var fields: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        if let authorization { fields[.authorization] = authorization.replacing("Authorization: ", with: "") }
        if let code { fields[HTTPField.Name("X-OTP")!] = code }
        let headers = fields
        return try await Application(router: router).test(.live) { client in
            try await client.execute(
                uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        }
    }

    private func code(_ response: TestResponse) -> String? { JSON(String(buffer: response.body).utf8)?["code"]?.string }

    @Test(arguments: [
        (HTTPRequest.Method.post, "/api/tokens"), (.get, "/api/token"), (.get, "/api/resource"), (.get, "/api/me"),
        (.get, "/api/verify"), (.delete, "/api/me"),
    ])
    func thePasswordAloneIs401WithAChallenge(method: HTTPRequest.Method, path: String) async throws {
        let refused = try await send(method, path, as: basic("miguel", "python"))
        #expect(refused.status == .unauthorized)
        #expect(code(refused) == "mfa_required")
        #expect(refused.headers[.wwwAuthenticate] == #"Basic realm="Authentication Required""#)
        #expect(refused.headers[.contentType] == "application/problem+json")
        let wrong = try await send(method, path, as: basic("miguel", "wrong"))
        #expect(wrong.status == .unauthorized && code(wrong) == "invalid_credentials")
    }

    @Test func soIsItInABody() async throws {
        let body = #"{"username":"miguel","password":"python"}"#
        let refused = try await send(.post, "/api/tokens", body: body)
        #expect(refused.status == .unauthorized)
        #expect(code(refused) == "mfa_required")
    }

    @Test func whoHasNoFactorIsLetIn() async throws {
        #expect(try await send(.get, "/api/resource", as: basic("susan", "python")).status == .ok)
    }

    /// The answer to the first step.
    private func firstStep() async throws -> JSON {
        let refused = try await send(.post, "/api/tokens", as: basic("miguel", "python"))
        #expect(refused.status == .unauthorized)
        #expect(refused.headers[.cacheControl] == "no-store")
        return try #require(JSON(String(buffer: refused.body).utf8))
    }

    private func answer(_ ticket: String?, _ code: String?) async throws -> TestResponse {
        let members = [("ticket", ticket), ("code", code)].compactMap { name, value in
            value.map { JSON.Member(name: name, value: .string($0)) }
        }
        return try await send(.post, "/api/tokens", body: JSON.object(members).text)
    }

    @Test func theRefusalHasATicketAndTheFactors() async throws {
        let refused = try await firstStep()
        #expect(refused["expires_in"] == 600)
        guard case .array(let factors)? = refused["factors"] else {
            Issue.record("there are no factors")
            return
        }
        #expect(factors.map { $0["type"]?.string } == ["totp", "recovery_codes"])
        #expect(factors.map { $0["name"]?.string } == ["phone", ""])
        let ticket = refused["ticket"]?.string
        let wrong = try await answer(ticket, "000000")
        #expect(wrong.status == .unauthorized && code(wrong) == "invalid_code")
        let done = try await answer(ticket, codes[0])
        #expect(done.status == .ok)
        let tokens = try #require(JSON(String(buffer: done.body).utf8))
        let token = try #require(tokens["access_token"]?.string)
        let identity = try await auth.accessTokens.verify(Array(token.utf8))
        #expect(identity.authentication.methods.map(\.rawValue) == ["pwd", "otp", "mfa"])
        let again = try await answer(ticket, codes[1])
        #expect(again.status == .badRequest && code(again) == "ticket_expired")
    }

    @Test func aSecondStepWithoutItsPartsIsRefused() async throws {
        let ticket = try await firstStep()["ticket"]?.string
        let noCode = try await answer(ticket, nil)
        #expect(noCode.status == .badRequest && code(noCode) == "validation_failed")
        let noTicket = try await answer(nil, codes[0])
        #expect(noTicket.status == .badRequest && code(noTicket) == "validation_failed")
        for ticket in ["", "x", String(repeating: "A", count: 96)] {
            let refused = try await answer(ticket, codes[0])
            #expect(refused.status == .badRequest && code(refused) == "ticket_expired")
        }
    }

    @Test(arguments: [
        (HTTPRequest.Method.post, "/api/tokens"), (.get, "/api/token"), (.get, "/api/resource"), (.get, "/api/me"),
        (.get, "/api/verify"),
    ])
    func aCodeBesideThePasswordLetsIn(method: HTTPRequest.Method, path: String) async throws {
        let basic = basic("miguel", "python")
        #expect(try await send(method, path, as: basic, code: codes[0]).status == .ok)
        for wrong in [codes[0], "000000", ""] {
            let refused = try await send(method, path, as: basic, code: wrong)
            #expect(refused.status == .unauthorized && code(refused) == "invalid_code")
        }
    }

    /// Every error has an entry; only errors that no request causes are left to commands.
    @Test func onlyErrorsOfCommandsHaveNoAnswer() {
        let without = AuthError.Kind.allCases.filter { $0.answer == nil }
        #expect(Set(without) == [.secretPending, .misconfigured])
    }
}

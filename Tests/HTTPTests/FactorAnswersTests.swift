import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Testing

/// Answers to a client whose user has another factor besides the password. The factor is made for
/// these tests: a code that the user `miguel` has.
@Suite struct FactorAnswersTests {
    private let auth: Auth

    init() async throws {
        var configuration = AuthConfiguration()
        configuration.factors = [
            Factor(
                name: "code", method: .oneTimePassword, belongs: { $0 == 1 }, isRight: { code, _ in code == "123456" })
        ]
        auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
        for name in ["miguel", "susan"] { _ = try await auth.users.register(name, password: "python") }
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, as authorization: String? = nil, body: String? = nil
    ) async throws -> TestResponse {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        let login = auth.login
        router.group().add(middleware: ProblemResponses()).get("answer/:code") { request, context in
            let ticket = String(request.uri.queryParameters["ticket"] ?? "")
            let factor = String(request.uri.queryParameters["factor"] ?? "code")
            _ = try await login.answer(context.parameters.require("code"), to: factor, of: ticket).completed()
            return HTTPResponse.Status.noContent
        }
        var fields: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        if let authorization { fields[.authorization] = authorization.replacing("Authorization: ", with: "") }
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

    @Test func answersToAFactorAreRefusedByTheTable() async throws {
        guard case .continues(let ticket, _) = try await auth.login.attempt("miguel", password: "python") else {
            Issue.record("it did not go on")
            return
        }
        let good = "ticket=" + ticket.value
        for (path, status, code) in [
            ("/answer/000000?" + good, HTTPResponse.Status.badRequest, "invalid_code"),
            ("/answer/123456?factor=other&" + good, .notFound, "factor_not_found"),
            ("/answer/123456?ticket=x", .badRequest, "ticket_expired"),
        ] {
            let answer = try await send(.get, path)
            #expect(answer.status == status && self.code(answer) == code, "\(path)")
        }
        #expect(try await send(.get, "/answer/123456?" + good).status == .noContent)
    }

    /// Every error has an entry; only errors that no request causes are left to commands.
    @Test func onlyErrorsOfCommandsHaveNoAnswer() {
        let without = AuthError.Kind.allCases.filter { $0.answer == nil }
        #expect(
            Set(without) == [
                .invitationNotFound, .clientAlreadyExists, .clientNotFound, .keyPending, .secretPending, .keyNotFound,
                .auditTrailBroken, .misconfigured,
            ])
    }
}

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import RESTAuthServer
import RESTAuthTesting
import Testing

/// How recent a sign-in has to be for what changes something, with a clock that the test moves.
@Suite struct OperatorServerAccessTests {
    private let auth: Auth
    private let clock = TestClock()

    init() async throws {
        var configuration = AuthConfiguration()
        configuration.tokenDuration = 86400
        let clock = clock
        configuration.now = { clock.now }
        auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
        let user = try await auth.users.register("miguel", password: "python")
        try await auth.users.grant(Role.operator, to: user.id)
    }

    private func token(_ methods: [Authentication.Method] = [.password]) async throws -> String {
        let user = try await auth.users.find(named: "miguel")
        let identity = auth.login.vouch(for: user, provenBy: methods, at: clock.now)
        return "Bearer \(try await auth.sessions.start(for: identity).access.value)"
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, as authorization: String
    ) async throws -> (status: Int, code: String?, challenge: String?) {
        let router = Router(context: BasicRequestContext.self)
        for table in ServerRoutes(auth, configuration: .init()).tables { table.add(to: router) }
        let headers: HTTPFields = [.authorization: authorization]
        return try await Application(router: router).test(.live) { client in
            try await client.execute(uri: path, method: method, headers: headers) { response in
                let json = JSON(Array(response.body.readableBytesView))
                return (Int(response.status.code), json?["code"]?.string, response.headers[.wwwAuthenticate])
            }
        }
    }

    private func changes() -> [(HTTPRequest.Method, String)] {
        ServerRoutes(auth, configuration: .init()).all.filter {
            $0.path.hasPrefix("/api/operator/") && $0.method != .get
        }.map { ($0.method, $0.path.replacing(/\{\w+\}/, with: "x")) }
    }

    @Test func anOldSignInReadsAndChangesNothing() async throws {
        let token = try await token()
        #expect(changes().count >= 9)
        clock.advance(by: 901)
        for (method, path) in changes() + [(.get, "/api/operator/users/export?include_password_hashes=true")] {
            let answer = try await send(method, path, as: token)
            #expect(answer.status == 401 && answer.code == "insufficient_user_authentication", "\(method) \(path)")
            #expect(answer.challenge?.contains("max_age=\"900\"") == true, "\(method) \(path)")
        }
        for path in ["events", "keys", "clients", "invitations", "throttle", "audit/head", "settings", "users/export"] {
            #expect(try await send(.get, "/api/operator/\(path)", as: token).status == 200, "\(path)")
        }
    }

    @Test func whoHasASecondFactorGivesItForChanges() async throws {
        let user = try await auth.users.find(named: "miguel")
        let proven: [Authentication.Method] = [.password, .oneTimePassword, .multipleFactors]
        let identity = auth.login.vouch(for: user, provenBy: proven, at: clock.now)
        let app = try await auth.factors.add("phone", of: identity)
        let secret = try #require(Base32.decode(app.secret.utf8).flatMap(TOTPSecret.init))
        _ = try await auth.factors.confirm(
            app.id, code: secret.code(for: TOTP.step(at: clock.now)).value, of: identity)
        let (before, after) = try await (token(), token(proven))
        for (method, path) in changes() {
            let answer = try await send(method, path, as: before)
            #expect(answer.status == 401 && answer.code == "insufficient_user_authentication", "\(method) \(path)")
            #expect(try await send(method, path, as: after).status != 401, "\(method) \(path)")
        }
        #expect(try await send(.get, "/api/operator/keys", as: before).status == 200)
    }
}

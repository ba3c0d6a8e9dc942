import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Synchronization
import Testing

/// What an operator has to prove, over a clock that the test moves.
@Suite struct OperatorAccessTests {
    private let auth: Auth
    private let storage: SQLiteStorage
    private let clock = TestTime()

    private final class TestTime: Sendable {
        private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
        var now: Date { time.withLock { $0 } }
        func advance(by seconds: TimeInterval) { time.withLock { $0 += seconds } }
    }

    private let boss: User

    init() async throws {
        var configuration = AuthConfiguration()
        let clock = clock
        configuration.now = { clock.now }
        configuration.tokenDuration = 86400
        storage = try await SQLiteStorage()
        auth = try await Auth(storage: storage, configuration: configuration)
        boss = try await auth.users.add("boss", password: "python", roles: [Role.operator])
        _ = try await auth.users.add("other", password: "python", roles: [Role.operator])
        _ = try await auth.users.add("miguel", password: "python")
    }

    private func token(_ methods: [Authentication.Method] = [.password]) async throws -> String {
        let user = try await auth.users.find(boss.id)
        let identity = auth.login.vouch(for: user, provenBy: methods, at: clock.now)
        return try await auth.sessions.token(for: identity).value
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ token: String, leavingOut omitted: AuthRoutes = []
    ) async throws -> (status: HTTPResponse.Status, challenge: String?, code: String?) {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router, leavingOut: omitted)
        return try await Application(router: router).test(.router) { client in
            try await client.execute(uri: path, method: method, headers: [.authorization: "Bearer \(token)"]) {
                (
                    $0.status, $0.headers[.wwwAuthenticate],
                    JSON(Array($0.body.readableBytesView))?["code"]?.string
                )
            }
        }
    }

    @Test func aChangeTakesASignInOfTheLastQuarterOfAnHour() async throws {
        let token = try await token()
        #expect(try await send(.post, "/api/operator/users/3/disable", token).status == .noContent)
        clock.advance(by: 900)
        #expect(try await send(.post, "/api/operator/users/3/enable", token).status == .noContent)
        clock.advance(by: 1)
        let refused = try await send(.post, "/api/operator/users/3/disable", token)
        #expect(refused.status == .unauthorized && refused.code == "insufficient_user_authentication")
        #expect(refused.challenge?.contains("max_age=\"900\"") == true)
        #expect(try await send(.get, "/api/operator/users", token).status == .ok)
        #expect(try await send(.get, "/api/operator/users/3", token).status == .ok)
        #expect(try await auth.users.find(3).isDisabled == false)
    }

    @Test func whoHasASecondFactorGivesItForAChange() async throws {
        let old = try await token()
        let proven = auth.login.vouch(
            for: boss, provenBy: [.password, .oneTimePassword, .multipleFactors], at: clock.now)
        let new = try await auth.factors.add("phone", of: proven)
        let secret = try #require(Base32.decode(new.secret.utf8).flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: clock.now)).value
        _ = try await auth.factors.confirm(new.id, code: code, of: proven)
        let refused = try await send(.post, "/api/operator/users/3/disable", old)
        #expect(refused.status == .unauthorized && refused.code == "insufficient_user_authentication")
        let raised = try await token([.password, .oneTimePassword, .multipleFactors])
        #expect(try await send(.post, "/api/operator/users/3/disable", raised).status == .noContent)
        clock.advance(by: 901)
        #expect(try await send(.post, "/api/operator/users/3/enable", raised).status == .unauthorized)
    }

    /// Another node took the role away, and this one has not heard of it.
    @Test func aRoleThatWasTakenAwayAMomentAgoChangesNothing() async throws {
        let token = try await token()
        #expect(try await send(.post, "/api/operator/users/3/disable", token).status == .noContent)
        let event = AuthEvent(.roleRevoked, user: boss.id, ["role": Role.operator])
        _ = try await storage.revokeRole(
            Role.operator, user: boss.id, keepingOperator: false, at: clock.now, recording: event)
        let refused = try await send(.post, "/api/operator/users/3/enable", token)
        #expect([.forbidden, .unauthorized].contains(refused.status))
        #expect(try await auth.users.find(3).isDisabled)
    }

    @Test func anApplicationCanLeaveTheOperatorsRoutesOut() async throws {
        let token = try await token()
        #expect(try await send(.get, "/api/operator/users", token, leavingOut: .operator).status == .notFound)
        #expect(try await send(.put, "/api/tokens/reset", token, leavingOut: .operator).status == .notFound)
    }
}

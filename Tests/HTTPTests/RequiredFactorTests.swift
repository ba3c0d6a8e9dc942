import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import RESTAuthServer
import Support
import Synchronization
import Testing

/// Answers to users who must have a factor, and to changes without one, over a clock that the test
/// moves.
@Suite struct RequiredFactorTests {
    private let storage: SQLiteStorage
    private let clock = TestTime()

    private final class TestTime: Sendable {
        private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
        var now: Date { time.withLock { $0 } }
        func advance(by seconds: TimeInterval) { time.withLock { $0 += seconds } }
    }

    init() async throws { storage = try await SQLiteStorage() }

    private func newAuth(_ mode: FactorPolicy.Mode, grace: Int = 0) async throws -> Auth {
        var configuration = AuthConfiguration()
        let clock = clock
        configuration.now = { clock.now }
        configuration.secondFactor.mode = mode
        configuration.secondFactor.grace = grace
        configuration.throttle.isOn = false
        let auth = try await Auth(storage: storage, configuration: configuration)
        _ = try await auth.users.register("miguel", password: "python")
        return auth
    }

    private struct Answer {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let json: JSON?

        subscript(name: String) -> String? { json?[name]?.string }
    }

    private func send(
        _ auth: Auth, _ method: HTTPRequest.Method, _ path: String, as authorization: String? = nil,
        _ body: String? = nil, otp: String? = nil
    ) async throws -> Answer {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        var fields: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        if let authorization { fields[.authorization] = authorization.replacing("Authorization: ", with: "") }
        if let otp { fields[HTTPField.Name("X-OTP")!] = otp }
        let headers = fields
        return try await Application(router: router).test(.live) { client in
            try await client.execute(
                uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) }
            ) { Answer(status: $0.status, headers: $0.headers, json: JSON(Array($0.body.readableBytesView))) }
        }
    }

    private let miguel = basic("miguel", "python")

    private func code(_ secret: String?) throws -> String {
        let secret = try #require(secret.flatMap { Base32.decode($0.utf8) }.flatMap(TOTPSecret.init))
        return secret.code(for: TOTP.step(at: clock.now)).value
    }

    /// Adds an app by the password alone.
    private func enroll(_ auth: Auth) async throws -> (id: String, secret: String) {
        let added = try await send(auth, .post, "/api/me/factors", as: miguel, #"{"type":"totp","name":"phone"}"#)
        #expect(added.status == .created)
        let (id, secret) = try (#require(added["id"]), #require(added["secret"]))
        let body = #"{"code":"\#(try code(secret))"}"#
        #expect(try await send(auth, .put, "/api/me/factors/\(id)", as: miguel, body).status == .ok)
        return (id, secret)
    }

    private func token(_ auth: Auth, _ methods: [Authentication.Method]) async throws -> String {
        let identity = auth.login.vouch(for: try await auth.users.find(1), provenBy: methods, at: clock.now)
        return "Bearer " + (try await auth.sessions.token(for: identity).value)
    }

    // MARK: Required

    @Test func duringTheGraceAnswersTellItsEnd() async throws {
        let auth = try await newAuth(.required, grace: 3600)
        let first = try await send(auth, .post, "/api/tokens", as: miguel)
        #expect(first.status == .ok)
        #expect(first["second_factor_due_at"] == "2027-01-15T09:00:00Z")
        let refresh = #"{"refresh_token":"\#(try #require(first["refresh_token"]))"}"#
        clock.advance(by: 3599)
        let renewed = try await send(auth, .put, "/api/tokens", refresh)
        #expect(renewed["second_factor_due_at"] == "2027-01-15T09:00:00Z")
        clock.advance(by: 1)
        let late = #"{"refresh_token":"\#(try #require(renewed["refresh_token"]))"}"#
        let refused = try await send(auth, .put, "/api/tokens", late)
        #expect(refused.status == .forbidden && refused["code"] == "mfa_enrollment_required")
        // The same token is good once there is a factor.
        _ = try await enroll(auth)
        let again = try await send(auth, .put, "/api/tokens", late)
        #expect(again.status == .ok && again["second_factor_due_at"] == nil)
    }

    @Test(arguments: [FactorPolicy.Mode.off, .optional])
    func withoutTheRuleNothingIsDue(mode: FactorPolicy.Mode) async throws {
        let first = try await send(newAuth(mode), .post, "/api/tokens", as: miguel)
        #expect(first.status == .ok && first["second_factor_due_at"] == nil)
    }

    /// A route that is added, and gives way to such a user, fails here.
    @Test func everyRouteButThoseThatAddAFactorRefusesThePassword() async throws {
        let auth = try await newAuth(.required)
        let admitting = [
            "listFactors", "addFactor", "confirmFactor", "makePasskeyOptions", "listPasskeys", "addPasskey",
        ]
        let routes = ServerRoutes(auth, configuration: .init()).all.filter {
            // The settings are a route of the server alone.
            $0.audience == .user && $0.operationID != "showSettings"
        }
        #expect(Set(routes.map(\.operationID)).isSuperset(of: admitting))
        let methods: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete]
        for route in routes where !admitting.contains(route.operationID) && methods.contains(route.method) {
            let path = route.path.replacing(/\{\w+\}/, with: "1").replacing("**", with: "x")
            let answer = try await send(auth, route.method, path, as: miguel, route.method == .get ? nil : "{}")
            #expect(answer.status == .forbidden, "\(route.method) \(path)")
            #expect(answer["code"] == "mfa_enrollment_required", "\(route.method) \(path)")
            let wrong = try await send(auth, route.method, path, as: basic("nobody", "python"))
            #expect(wrong.status == .unauthorized, "\(route.method) \(path)")
        }
        for body in [nil, #"{"username":"miguel","password":"python"}"#] {
            let answer = try await send(auth, .post, "/api/tokens", as: body == nil ? miguel : nil, body)
            #expect(answer.status == .forbidden && answer["code"] == "mfa_enrollment_required")
            #expect(answer.headers[.wwwAuthenticate] == nil)
            #expect(answer["detail"]?.contains("POST /api/me/factors") == true)
        }
    }

    @Test func thePasswordAddsTheFirstFactorAndThenNoMore() async throws {
        let auth = try await newAuth(.required)
        for (method, path) in [(HTTPRequest.Method.get, "/api/me/factors"), (.post, "/api/me/factors")] {
            let wrong = try await send(auth, method, path, as: basic("miguel", "x"))
            #expect(wrong.status == .unauthorized && wrong["code"] == "invalid_credentials")
            #expect(try await send(auth, method, path).status == .unauthorized)
        }
        #expect(try await send(auth, .get, "/api/me/factors", as: miguel).status == .ok)
        let app = try await enroll(auth)
        for (method, path) in [
            (HTTPRequest.Method.get, "/api/me/factors"), (.post, "/api/me/factors"), (.get, "/api/resource"),
            (.put, "/api/me/factors/\(app.id)"), (.delete, "/api/me/factors/\(app.id)"),
        ] {
            let answer = try await send(auth, method, path, as: miguel, method == .get ? nil : "{}")
            #expect(answer.status == .unauthorized && answer["code"] == "mfa_required", "\(method) \(path)")
        }
        clock.advance(by: 30)
        let otp = try code(app.secret)
        #expect(try await send(auth, .get, "/api/resource", as: miguel, otp: otp).status == .ok)
    }

    @Test func theLastFactorIs409() async throws {
        let auth = try await newAuth(.required)
        let app = try await enroll(auth)
        let proven = try await token(auth, [.password, .oneTimePassword, .multipleFactors])
        let refused = try await send(auth, .delete, "/api/me/factors/\(app.id)", as: proven)
        #expect(refused.status == .conflict && refused["code"] == "last_way_in")
        #expect(try await auth.factors.list(of: 1).confirmed.count == 1)
    }

    // MARK: Off

    @Test func whereFactorsAreOffNoneIsAdded() async throws {
        let auth = try await newAuth(.off)
        let body = #"{"type":"totp","name":"phone"}"#
        let refused = try await send(auth, .post, "/api/me/factors", as: miguel, body)
        #expect(refused.status == .forbidden && refused["code"] == "forbidden")
        #expect(refused["detail"]?.contains("turned off") == true)
        #expect(try await auth.factors.list(of: 1).totp.isEmpty)
    }

    // MARK: A recent factor

    private static let changes: [(HTTPRequest.Method, String, String?)] = [
        (.post, "/api/me/factors", #"{"type":"totp","name":"tablet"}"#),
        (.put, "/api/me/factors/ID", #"{"code":"000000"}"#), (.delete, "/api/me/factors/ID", nil),
        (.post, "/api/me/recovery-codes", nil),
        (.put, "/api/me/password", #"{"current_password":"python","new_password":"monty"}"#),
        (.delete, "/api/me", #"{"password":"python"}"#),
    ]

    @Test(arguments: [[Authentication.Method.password], [.password, .risk]])
    func aSessionWithoutTheFactorChangesNothing(methods: [Authentication.Method]) async throws {
        let auth = try await newAuth(.optional)
        let app = try await enroll(auth)
        let token = try await token(auth, methods)
        for (method, path, body) in Self.changes {
            let path = path.replacing("ID", with: app.id)
            let answer = try await send(auth, method, path, as: token, body)
            #expect(answer.status == .unauthorized, "\(method) \(path)")
            #expect(answer["code"] == "insufficient_user_authentication", "\(method) \(path)")
            let challenge =
                #"Bearer realm="Authentication Required", error="insufficient_user_authentication", "#
                + #"acr_values="aal2", max_age="900""#
            #expect(answer.headers[.wwwAuthenticate] == challenge)
        }
        #expect(try await auth.factors.list(of: 1).confirmed.count == 1)
        for path in ["/api/me", "/api/me/factors", "/api/me/devices"] {
            #expect(try await send(auth, .get, path, as: token).status == .ok)
        }
        // Nothing is lost by forgetting a device.
        #expect(try await send(auth, .delete, "/api/me/devices", as: token).status == .noContent)
    }

    @Test func anOldSessionAddsNoFirstFactor() async throws {
        let auth = try await newAuth(.optional)
        let identity = auth.login.vouch(for: try await auth.users.find(1), at: clock.now - 301)
        let token = "Bearer " + (try await auth.sessions.token(for: identity).value)
        let body = #"{"type":"totp","name":"phone"}"#
        clock.advance(by: 599)
        #expect(try await send(auth, .post, "/api/me/factors", as: token, body).status == .created)
        clock.advance(by: 0.5)
        let refused = try await send(auth, .post, "/api/me/factors", as: token, body)
        #expect(refused.status == .unauthorized && refused["code"] == "insufficient_user_authentication")
        let challenge =
            #"Bearer realm="Authentication Required", error="insufficient_user_authentication", max_age="900""#
        #expect(refused.headers[.wwwAuthenticate] == challenge)
    }

    @Test func aCodeBesideThePasswordChangesEverything() async throws {
        let auth = try await newAuth(.optional)
        let app = try await enroll(auth)
        for (method, path, body) in Self.changes where method != .put || path == "/api/me/password" {
            let path = path.replacing("ID", with: "x")
            let name = path == "/api/me" ? basic("miguel", "monty") : miguel
            clock.advance(by: 30)
            let body = path == "/api/me" ? nil : body
            let answer = try await send(auth, method, path, as: name, body, otp: code(app.secret))
            #expect(answer.status.kind == .successful || answer["code"] == "factor_not_found", "\(method) \(path)")
        }
        await #expect(throws: AuthError.self) { try await auth.users.find(1) }
    }
}

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

/// Trusted devices, step-up and `X-OTP` over HTTP. The user `miguel` has an authenticator app.
@Suite struct SecondStepTests {
    private let auth: Auth
    /// Codes that have not been used.
    private let codes: [String]
    /// A token of a session that began before there was an app.
    private let token: String

    init() async throws {
        auth = try await Auth(storage: SQLiteStorage(), configuration: AuthConfiguration())
        for name in ["miguel", "susan"] { _ = try await auth.users.register(name, password: "python") }
        let miguel = try await auth.login.identify("miguel", password: "python")
        token = try await auth.sessions.start(for: miguel).access.value
        let app = try await auth.factors.add("phone", of: miguel)
        let secret = try #require(Base32.decode(app.secret.utf8).flatMap(TOTPSecret.init))
        let code = secret.code(for: TOTP.step(at: .now)).value
        codes = try #require(try await auth.factors.confirm(app.id, code: code, of: miguel))
    }

    private struct Answer {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let json: JSON?

        init(_ response: TestResponse) {
            status = response.status
            headers = response.headers
            json = JSON(Array(response.body.readableBytesView))
        }

        subscript(name: String) -> String? { json?[name]?.string }
        var cookies: [String] { headers[values: .setCookie] }
        var challenge: String? { headers[.wwwAuthenticate] }
    }

    private static let inCookies: AuthRoutesConfiguration = {
        var configuration = AuthRoutesConfiguration()
        (configuration.refreshTokenInCookie, configuration.refreshTokenInBody) = (true, false)
        return configuration
    }()

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, as authorization: String? = nil,
        with fields: [(String, String)] = [], _ configuration: AuthRoutesConfiguration = .init()
    ) async throws -> Answer {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router, configuration: configuration)
        var headers: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        if let authorization { headers[.authorization] = authorization.replacing("Authorization: ", with: "") }
        for (name, value) in fields {
            headers.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
        }
        let sent = headers
        return try await Application(router: router).test(.live) { client in
            try await client.execute(
                uri: path, method: method, headers: sent, body: body.map { ByteBuffer(string: $0) }
            ) { Answer($0) }
        }
    }

    private func signIn(
        _ members: [String: String], with fields: [(String, String)] = [],
        _ configuration: AuthRoutesConfiguration = .init()
    ) async throws -> Answer {
        let body = JSON.object(members.map { JSON.Member(name: $0.key, value: .string($0.value)) }).text
        return try await send(.post, "/api/tokens", body, with: fields, configuration)
    }

    private let password = ["username": "miguel", "password": "python"]

    /// Both steps, trusting the device.
    private func trusted(
        _ index: Int = 0, trust: String = "true", configuration: AuthRoutesConfiguration = .init()
    ) async throws -> Answer {
        let ticket = try #require(try await signIn(password, configuration)["ticket"])
        return try await send(
            .post, "/api/tokens", #"{"ticket":"\#(ticket)","code":"\#(codes[index])","trust_device":\#(trust)}"#,
            configuration)
    }

    private func methods(_ answer: Answer) async throws -> [String] {
        let token = try #require(answer["access_token"])
        return try await auth.accessTokens.verify(Array(token.utf8)).authentication.methods.map(\.rawValue)
    }

    // MARK: Trusted devices

    @Test func aDeviceIsTrustedOnRequestAlone() async throws {
        let answer = try await trusted()
        #expect(answer.status == .ok)
        #expect(answer["device_token"]?.utf8.count == 43)
        #expect(answer.json?["device_expires_in"]?.integer == 30 * 86400)
        #expect(answer.cookies.isEmpty)
        for (index, trust) in ["false", "null"].enumerated() {
            let other = try await trusted(index + 1, trust: trust)
            #expect(other.status == .ok && other["device_token"] == nil)
        }
        let wrong = try await trusted(3, trust: #""yes""#)
        #expect(wrong.status == .badRequest && wrong["code"] == "validation_failed")
        // Without a second step there is nothing to be trusted for.
        let first = try await send(
            .post, "/api/tokens", #"{"username":"susan","password":"python","trust_device":true}"#)
        #expect(first.status == .ok && first["device_token"] == nil && first.json?["device_expires_in"] == nil)
        #expect(try await auth.trustedDevices.list(of: 1).count == 1)
    }

    @Test func thePasswordIsEnoughOnATrustedDevice() async throws {
        let device = try #require(try await trusted()["device_token"])
        let answer = try await signIn(password.merging(["device_token": device]) { $1 })
        #expect(answer.status == .ok)
        #expect(try await methods(answer) == ["pwd", "rba"])
        for (member, value) in [("device_token", ""), ("device_token", device + "A"), ("x", device)] {
            #expect(try await signIn(password.merging([member: value]) { $1 })["code"] == "mfa_required")
        }
        let wrong = try await signIn(["username": "miguel", "password": "x", "device_token": device])
        #expect(wrong["code"] == "invalid_credentials")
        let other = try await signIn(["username": "susan", "password": "x", "device_token": device])
        #expect(other["code"] == "invalid_credentials")
        let number = try await send(
            .post, "/api/tokens", #"{"username":"miguel","password":"python","device_token":1}"#)
        #expect(number["code"] == "validation_failed")
        // HTTP Basic knows no device, and no cookie is read where none is given.
        let basic = try await send(
            .post, "/api/tokens", #"{"device_token":"\#(device)"}"#, as: basic("miguel", "python"))
        #expect(basic["code"] == "mfa_required")
        #expect(try await signIn(password, with: [("Cookie", "device_token=\(device)")])["code"] == "mfa_required")
    }

    @Test func inACookieItIsWhatTheRefreshTokenIs() async throws {
        let answer = try await trusted(configuration: Self.inCookies)
        #expect(answer["device_token"] == nil && answer.json?["device_expires_in"]?.integer == 30 * 86400)
        let cookie = try #require(answer.cookies.first { $0.hasPrefix("device_token=") })
        #expect(answer.cookies.count == 2)
        let parts = cookie.components(separatedBy: "; ")
        #expect(
            parts.dropFirst() == ["Path=/api/tokens", "Max-Age=2592000", "HttpOnly", "Secure", "SameSite=Strict"])
        let field = ("Cookie", parts[0])
        #expect(try await methods(signIn(password, with: [field], Self.inCookies)) == ["pwd", "rba"])
        // The body comes first, and of two cookies nobody knows who has set them.
        let inBody = password.merging(["device_token": "x"]) { $1 }
        #expect(try await signIn(inBody, with: [field], Self.inCookies)["code"] == "mfa_required")
        for other in ["device_token=x", parts[0]] {
            let both = try await signIn(password, with: [("Cookie", "\(parts[0]); \(other)")], Self.inCookies)
            #expect(both["code"] == "mfa_required")
        }
        for site in ["cross-site", "same-site"] {
            let page = try await signIn(password, with: [field, ("Sec-Fetch-Site", site)], Self.inCookies)
            #expect(page.status == .forbidden && page["code"] == "cross_site_request")
        }
        // Signing out leaves the device trusted.
        let out = try await send(.delete, "/api/tokens", with: [field, ("Cookie", "refresh_token=x")], Self.inCookies)
        #expect(out.status == .noContent && !out.cookies.contains { $0.hasPrefix("device_token=") })
        #expect(try await auth.trustedDevices.list(of: 1).count == 1)
    }

    // MARK: X-OTP

    @Test func aWrongCodeBesideThePasswordIs401() async throws {
        let answer = try await send(
            .get, "/api/resource", as: basic("miguel", "python"), with: [("X-OTP", "000000")])
        #expect(answer.status == .unauthorized && answer["code"] == "invalid_code")
        #expect(answer.challenge == #"Basic realm="Authentication Required""#)
    }

    @Test func twoCodesAreNone() async throws {
        let answer = try await send(
            .get, "/api/resource", as: basic("miguel", "python"), with: [("X-OTP", codes[0]), ("X-OTP", codes[1])])
        #expect(answer.status == .badRequest && answer["code"] == "invalid_request")
        #expect(try await auth.factors.list(of: 1).recoveryCodes == 10)
    }

    @Test func aCodeWithoutAPasswordIsNotRead() async throws {
        for authorization in [bearer(token), basic(token, "x")] {
            let answer = try await send(.get, "/api/resource", as: authorization, with: [("X-OTP", codes[0])])
            #expect(answer.status == .ok)
        }
        let nobody = try await send(.get, "/api/resource", with: [("X-OTP", codes[0])])
        #expect(nobody["code"] == "credentials_required")
        let noFactor = try await send(.get, "/api/resource", as: basic("susan", "python"), with: [("X-OTP", "x")])
        #expect(noFactor.status == .ok)
        #expect(try await auth.factors.list(of: 1).recoveryCodes == 10)
    }

    // MARK: Step-up

    private func raise(_ body: String, as authorization: String? = nil) async throws -> Answer {
        try await send(.post, "/api/tokens/step-up", body, as: authorization ?? bearer(token))
    }

    @Test func aSessionIsRaised() async throws {
        let answer = try await raise(#"{"code":"\#(codes[0])"}"#)
        #expect(answer.status == .ok && answer.headers[.cacheControl] == "no-store")
        #expect(answer["token_type"] == "Bearer" && answer["refresh_token"] == nil)
        #expect(try await methods(answer) == ["pwd", "otp", "mfa"])
        let sessions = try await send(.get, "/api/me/sessions", as: bearer(#require(answer["access_token"])))
        guard case .array(let list)? = sessions.json?["data"], let session = list.first else {
            Issue.record("there is no session")
            return
        }
        #expect(session["acr"]?.string == "aal2" && session["amr"] == .array(["pwd", "otp", "mfa"]))
        #expect(list.count == 1)
    }

    @Test func introspectionAndNewTokensSayTheSame() async throws {
        let answer = try await raise(#"{"code":"\#(codes[0])"}"#)
        let client = try await auth.clients.add("gateway")
        let form = "token=" + (try #require(answer["access_token"]))
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        let authorization = basic("gateway", client.value).replacing("Authorization: ", with: "")
        let told = try await Application(router: router).test(.live) { http in
            try await http.execute(
                uri: "/oauth/introspect", method: .post,
                headers: [
                    .authorization: authorization, .contentType: "application/x-www-form-urlencoded",
                ], body: ByteBuffer(string: form)
            ) { Answer($0) }
        }
        #expect(told.json?["active"] == .bool(true))
        #expect(told["acr"] == "aal2" && told.json?["amr"] == .array(["pwd", "otp", "mfa"]))
    }

    @Test(arguments: [
        ("{}", HTTPResponse.Status.badRequest, "validation_failed"),
        (#"{"code":1}"#, .badRequest, "validation_failed"), (#"{"password":1}"#, .badRequest, "validation_failed"),
        (#"{"credential":"x"}"#, .badRequest, "validation_failed"), ("[]", .badRequest, "invalid_json"),
        (#"{"code":"000000"}"#, .unauthorized, "invalid_code"), (#"{"code":""}"#, .unauthorized, "invalid_code"),
        (#"{"credential":{}}"#, .notFound, "passkeys_disabled"),
        (#"{"code":"000000","password":"python"}"#, .badRequest, "validation_failed"),
        (#"{"password":"python"}"#, .unauthorized, "insufficient_user_authentication"),
        (#"{"password":"x"}"#, .unauthorized, "insufficient_user_authentication"),
    ])
    func whatDoesNotRaise(body: String, status: HTTPResponse.Status, code: String) async throws {
        let answer = try await raise(body)
        #expect(answer.status == status && answer["code"] == code)
        guard status == .unauthorized else { return }
        // The token is as good as before, so the challenge does not call it invalid.
        #expect(answer.challenge?.contains(#"error="insufficient_user_authentication", acr_values="aal2""#) == true)
        #expect(try await auth.accessTokens.verify(Array(token.utf8)).authentication.methods == [.password])
    }

    @Test func aCodeNeedsItsTicket() async throws {
        let answer = try await send(.post, "/api/tokens", #"{"code":"\#(codes[0])"}"#)
        #expect(answer.status == .badRequest && answer["detail"] == "missing argument: ticket")
    }

    @Test func aRefusalSaysWhereTheFactorGoes() async throws {
        let alone = try await send(.get, "/api/resource", as: basic("miguel", "python"))
        #expect(alone["detail"]?.contains("X-OTP") == true && alone["ticket"] == nil)
        let first = try await send(.post, "/api/tokens", as: basic("miguel", "python"))
        #expect(first["detail"]?.contains("send the ticket") == true && first["ticket"] != nil)
        let change = try await send(.post, "/api/me/recovery-codes", as: bearer(token))
        #expect(change["detail"]?.contains("/api/tokens/step-up") == true)
    }

    @Test func onlyASessionIsRaised() async throws {
        let body = #"{"code":"\#(codes[0])"}"#
        let nobody = try await send(.post, "/api/tokens/step-up", body)
        #expect(nobody.status == .unauthorized && nobody["code"] == "credentials_required")
        #expect(try await raise(body, as: basic("miguel", "python"))["code"] == "mfa_required")
        let susan = try await raise(#"{"password":"python"}"#, as: basic("susan", "python"))
        #expect(susan["code"] == "credentials_required")
        let both = try await send(
            .post, "/api/tokens/step-up", body, as: basic("miguel", "python"), with: [("X-OTP", codes[1])])
        #expect(both["code"] == "credentials_required")
        #expect(try await send(.delete, "/api/tokens", as: bearer(token)).status == .noContent)
        #expect(try await raise(body)["code"] == "invalid_token")
        #expect(try await auth.factors.list(of: 1).recoveryCodes == 9)
    }

    @Test func whoHasOnlyThePasswordGivesThat() async throws {
        let susan = try await auth.login.identify("susan", password: "python")
        let token = try await auth.sessions.start(for: susan).access.value
        let wrong = try await raise(#"{"password":"x"}"#, as: bearer(token))
        #expect(wrong.status == .forbidden && wrong["code"] == "current_password_invalid")
        #expect(try await raise(#"{"code":"000000"}"#, as: bearer(token))["code"] == "invalid_code")
        let nothing = try await raise("{}", as: bearer(token))
        #expect(nothing["detail"] == "missing argument: code, credential or password")
        let raised = try await raise(#"{"password":"python"}"#, as: bearer(token))
        #expect(try await methods(raised) == ["pwd"])
    }

    // MARK: Requirements

    @Test func aRouteMayAskForASecondFactorLately() async throws {
        func get(_ token: String, within seconds: Int?) async throws -> Answer {
            let router = Router(context: BasicAuthRequestContext.self)
            router.add(
                middleware: auth.authenticator(
                    requiring: [seconds.map { .secondFactor(within: $0) } ?? .secondFactor],
                    context: BasicAuthRequestContext.self)
            ).get("/vault") { _, _ in "open" }
            let field = bearer(token).replacing("Authorization: ", with: "")
            return try await Application(router: router).test(.live) { client in
                try await client.execute(uri: "/vault", method: .get, headers: [.authorization: field]) { Answer($0) }
            }
        }
        let refused = try await get(token, within: 900)
        #expect(refused.status == .unauthorized && refused["code"] == "insufficient_user_authentication")
        let challenge =
            #"Bearer realm="Authentication Required", error="insufficient_user_authentication", acr_values="aal2""#
        #expect(refused.challenge == challenge + #", max_age="900""#)
        #expect(try await get(token, within: nil).challenge == challenge)
        let raised = try #require(try await raise(#"{"code":"\#(codes[0])"}"#)["access_token"])
        #expect(try await get(raised, within: 900).status == .ok)
        #expect(try await get(raised, within: -1).challenge == challenge + #", max_age="-1""#)
    }

    @Test func pagesOfAllowedOriginsMaySendACode() async throws {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: CrossOrigin(origins: ["https://app.example.com"]))
        auth.addRoutes(to: router)
        let allowed = try await Application(router: router).test(.live) { client in
            try await client.execute(
                uri: "/api/resource", method: .options,
                headers: [
                    .origin: "https://app.example.com", .accessControlRequestMethod: "GET",
                    .accessControlRequestHeaders: "authorization,x-otp",
                ]
            ) { $0.headers[.accessControlAllowHeaders] }
        }
        #expect(allowed == "Authorization, Content-Type, X-OTP")
    }

    @Test(arguments: [
        (["credential": "{}", "username": "miguel"], "username"),
        (["credential": "{}", "password": "python"], "password"), (["credential": "{}", "code": "123456"], "code"),
        (["ticket": "x", "code": "123456", "username": "miguel"], "username"),
        (["ticket": "x", "code": "123456", "password": "python"], "password"),
        (["ticket": "x", "code": "123456", "credential": "{}"], "code"),
    ])
    func fieldsOfTwoWaysToSignInAreRefused(members: [String: String], field: String) async throws {
        let body = Self.body(members)
        let answer = try await send(.post, "/api/tokens", body)
        #expect(answer.status == .badRequest && answer["code"] == "validation_failed", "\(body)")
        #expect(answer.json?["errors"]?.text.contains("/\(field)") == true)
    }

    @Test(arguments: [
        (["code": "123456", "credential": "{}"], "code"), (["code": "123456", "password": "python"], "password"),
        (["credential": "{}", "password": "python"], "password"),
    ])
    func fieldsOfTwoProofsAreRefused(members: [String: String], field: String) async throws {
        let body = Self.body(members)
        let answer = try await send(.post, "/api/tokens/step-up", body, as: "Bearer \(token)")
        #expect(answer.status == .badRequest && answer["code"] == "validation_failed", "\(body)")
        #expect(answer.json?["errors"]?.text.contains("/\(field)") == true)
        #expect(try await auth.factors.list(of: 1).recoveryCodes == 10)
    }

    /// The members as a JSON object; a credential is an object, any other value a text.
    private static func body(_ members: [String: String]) -> String {
        JSON.object(
            members.map { JSON.Member(name: $0.key, value: $0.key == "credential" ? [:] : .string($0.value)) }
        ).text
    }
}

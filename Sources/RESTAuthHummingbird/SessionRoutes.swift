import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

extension SessionsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [
            RouteGroup(.sessions, SessionRoutes(auth: auth, configuration: configuration).routes),
            RouteGroup(.operator, OperatorSessionRoutes(auth: auth).routes),
        ]
    }
}

/// `POST /api/tokens` starts a session, `PUT` renews it, `DELETE` signs out, and
/// `POST /api/tokens/step-up` raises it.
struct SessionRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    /// The routes admit anyone: password and tokens may be in the body, and the doors check them.
    var routes: [Route] {
        [
            Route(.post, "/api/tokens", .anyone, "startSession") { _, request in try await start(request) },
            Route(.put, "/api/tokens", .anyone, "renewSession") { _, request in try await renew(request) },
            Route(.delete, "/api/tokens", .anyone, "endSession") { _, request in try await end(request) },
            Route(.post, "/api/tokens/step-up", .user(auth), "raiseSession") { user, request in
                try await raise(user, request)
            },
        ]
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func start(_ request: RoutedRequest) async throws -> Response {
        try refuse(request.http)
        if let credentials = try AuthorizationHeader.credentials(in: request.http.headers) {
            return try await start(after: auth.login.attempt(credentials, by: request.caller), request)
        }
        let fields = try await body.fields(
            request.http,
            known: ["username", "password", "device_token", "ticket", "code", "credential", "trust_device"])
        return try await fields.named(in: request.http) {
            guard let ticket = try fields.optionalString("ticket") else {
                return try await start(after: signIn(fields, request), request)
            }
            try fields.refuse(["username", "password"], beside: "ticket")
            let (response, isTrusted) = try (fields.factorResponse(), fields.optionalBool("trust_device") ?? false)
            let signIn = try await auth.login.answer(response, of: ticket, by: request.caller)
            return try await start(after: signIn, trustingDevice: isTrusted, request)
        }
    }

    /// A passkey, or the first step: user name, password, and the token of a trusted device if
    /// there is one.
    private func signIn(_ fields: RequestFields, _ request: RoutedRequest) async throws -> SignIn {
        if let credential = try fields.optionalObject("credential") {
            try fields.refuse(["username", "password", "code"], beside: "credential")
            return try await auth.login.attempt(passkey: credential.text, by: request.caller)
        }
        if fields.hasValue("code"), !fields.hasValue("username") { throw fields.missing("ticket") }
        let (username, password) = try (fields.requiredString("username"), fields.requiredString("password"))
        let device = try fields.optionalString("device_token") ?? deviceToken(inCookieOf: request.http)
        return try await auth.login.attempt(username, password: password, device: device, by: request.caller)
    }

    /// - Parameter isTrusted: whether no second factor is to be asked for on this device from now
    ///   on.
    private func start(
        after signIn: SignIn, trustingDevice isTrusted: Bool = false, _ request: RoutedRequest
    ) async throws -> Response {
        switch signIn {
        case .complete(let user):
            let tokens = try await auth.sessions.start(for: user, by: request.caller)
            let device = isTrusted ? try await auth.trustedDevices.trust(user, by: request.caller) : nil
            return answer(
                tokens.access, tokens.refresh, device: device, dueAt: tokens.secondFactorDueAt, to: request.http,
                path: path(of: request.http))
        case .continues(let ticket, let factors): throw Problem.continued(ticket, with: factors, request.http)
        }
    }

    private func renew(_ request: RoutedRequest) async throws -> Response {
        try refuse(request.http)
        let fields = try await body.fieldsIfPresent(request.http, known: ["refresh_token"])
        return try await fields.named(in: request.http) { try await renew(request.http, fields, by: request.caller) }
    }

    private func renew(_ request: Request, _ fields: RequestFields, by caller: Caller) async throws -> Response {
        if let token = try fields.optionalString("refresh_token") {
            return answer(try await auth.sessions.refresh(token, by: caller), to: request)
        }
        let cookies = cookies(.refreshToken, of: request)
        guard let token = cookies.first else { throw fields.missing("refresh_token") }
        // Another page of the site may have set one beside this server's, to have it renewed
        // instead.
        guard cookies.count == 1 else {
            throw AuthError(.invalidRequest, "There is more than one cookie \(Cookie.refreshToken.name).")
        }
        do {
            return answer(try await auth.sessions.refresh(token, by: caller), to: request)
        } catch let error as AuthError where [.invalidGrant, .refreshTokenReused, .sessionExpired].contains(error.code)
        {
            var problem = Problem(error, request: request)
            problem.headers[.setCookie] = cookie(.refreshToken, "", lifetime: 0, to: request, path: path(of: request))
            throw problem
        }
    }

    private func end(_ request: RoutedRequest) async throws -> Response {
        try refuse(request.http)
        let tokens: [String]
        switch try AuthorizationHeader.credentials(in: request.http.headers) {
        case .token(let token)?:
            try await refuseProgram(token)
            tokens = [String(decoding: token, as: UTF8.self)]
        case .password?: throw AuthError.credentialsRequired
        case nil: tokens = []
        }
        let fields = try await body.fieldsIfPresent(request.http, known: ["refresh_token"])
        return try await fields.named(in: request.http) {
            try await end(request.http, tokens, fields, by: request.caller)
        }
    }

    /// Refuses a live token for programs, which has no session: a program that is done with its
    /// token has it deleted by its owner, or by a client. One that is not live is as any other
    /// unknown token, of which there is nothing to end (RFC 7009 section 2.2).
    /// - Throws: `insufficient_scope`.
    private func refuseProgram(_ token: [UInt8]) async throws {
        guard ProgramToken.hasOutline(token) else { return }
        do {
            _ = try await auth.accessTokens.verifyProgramToken(token)
        } catch let error as AuthError where error.code == .invalidToken {
            return
        }
        throw AuthError.insufficientScope(nil)
    }

    /// - Parameter presented: the token in the header, if there is one.
    private func end(
        _ request: Request, _ presented: [String], _ fields: RequestFields, by caller: Caller
    ) async throws -> Response {
        let tokens =
            try presented + [fields.optionalString("refresh_token")].compactMap(\.self)
            + cookies(.refreshToken, of: request)
        guard !tokens.isEmpty else {
            throw fields.ignored.isEmpty ? AuthError.credentialsRequired : fields.missing("refresh_token")
        }
        for token in tokens { try await auth.sessions.end(presenting: token, by: caller) }
        var response = Response.empty()
        if configuration.refreshTokenInCookie {
            response.headers[.setCookie] = cookie(.refreshToken, "", lifetime: 0, to: request, path: path(of: request))
        }
        return response
    }

    private func answer(_ tokens: SessionTokens, to request: Request) -> Response {
        answer(tokens.access, tokens.refresh, dueAt: tokens.secondFactorDueAt, to: request, path: path(of: request))
    }

    /// Answers with the tokens.
    /// - Parameters:
    ///   - device: the token by which the device is known from now on, if it is trusted.
    ///   - dueAt: the time by which the user has to add a second factor.
    ///   - path: the path of these routes as the client sees it, for the cookies.
    func answer(
        _ access: AccessToken, _ refresh: RefreshToken?, device: (token: TrustedDeviceToken, duration: Int)? = nil,
        dueAt: Date? = nil, to request: Request, path: String
    ) -> Response {
        var members: [(String, JSON)] = [
            ("access_token", .string(access.value)), ("token_type", "Bearer"),
            ("expires_in", .integer(access.duration)),
        ]
        if let refresh, configuration.refreshTokenInBody {
            members.append(("refresh_token", .string(refresh.value)))
        }
        if let device {
            if configuration.refreshTokenInBody { members.append(("device_token", .string(device.token.value))) }
            members.append(("device_expires_in", .integer(device.duration)))
        }
        if let dueAt { members.append(("second_factor_due_at", .string(dueAt.ISO8601Format()))) }
        var response = Response.json(.object(members.map(JSON.Member.init))).notStored()
        if let refresh, configuration.refreshTokenInCookie {
            response.headers[.setCookie] = cookie(
                .refreshToken, refresh.value, lifetime: auth.configuration.sessionInactivityTimeout, to: request,
                path: path)
        }
        if let device, configuration.refreshTokenInCookie {
            response.headers.append(
                HTTPField(
                    name: .setCookie,
                    value: cookie(
                        .deviceToken, device.token.value, lifetime: device.duration, to: request, path: path)))
        }
        return response
    }

    // MARK: Raising

    private func raise(_ user: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let fields = try await body.fields(request.http, known: ["code", "credential", "password"])
        return try await fields.named(in: request.http) {
            if fields.hasValue("code") { try fields.refuse(["password"], beside: "code") }
            if fields.hasValue("credential") { try fields.refuse(["password"], beside: "credential") }
            let token =
                if fields.hasValue("code") || fields.hasValue("credential") {
                    try await auth.login.raise(fields.factorResponse(), of: user, by: request.caller)
                } else if let password = try fields.optionalString("password") {
                    try await auth.login.raise(password: password, of: user, by: request.caller)
                } else {
                    throw fields.naming(
                        ignored: AuthError(
                            .validationFailed, "missing argument: code, credential or password", field: "code"))
                }
            return answer(token, nil, to: request.http, path: "")
        }
    }

    private func path(of request: Request) -> String { RequestOrigin.path(of: request, configuration: configuration) }

    // MARK: Cookies

    private enum Cookie {
        case refreshToken, deviceToken

        var name: String {
            switch self {
            case .refreshToken: "refresh_token"
            case .deviceToken: "device_token"
            }
        }

        var start: StaticString {
            switch self {
            case .refreshToken: "refresh_token="
            case .deviceToken: "device_token="
            }
        }
    }

    /// The token of a trusted device. Of several none is taken: another page of the site has set
    /// one of them, and without any a second factor is asked for.
    private func deviceToken(inCookieOf request: Request) -> String? {
        let cookies = cookies(.deviceToken, of: request)
        return cookies.count == 1 ? cookies.first : nil
    }

    /// The values of all cookies of that name, in the order in which they came.
    private func cookies(_ cookie: Cookie, of request: Request) -> [String] {
        guard configuration.refreshTokenInCookie else { return [] }
        return request.headers[values: .cookie].flatMap { WireText($0).parts(at: ";") }
            .compactMap { $0.after(cookie.start) }.filter { !$0.isEmpty }.map(\.string)
    }

    /// The value of `Set-Cookie`. The cookie is sent back to this path only, never shown to a
    /// script, never sent without TLS except to a loopback host, and never from another site.
    private func cookie(_ cookie: Cookie, _ value: String, lifetime: Int, to request: Request, path: String) -> String {
        let secure = isForTLS(request) ? "; Secure" : ""
        return "\(cookie.name)=\(value); Path=\(path); Max-Age=\(lifetime); HttpOnly\(secure); SameSite=Strict"
    }

    /// Whether the client may send the cookie with TLS only. A request that a proxy has passed on
    /// may have come from anywhere, however near the proxy is.
    private func isForTLS(_ request: Request) -> Bool {
        if configuration.refreshTokenCookieSecure { return true }
        let isPassedOn = (ForwardedFamily.names + [.via]).contains { request.headers.contains($0) }
        guard !isPassedOn else { return true }
        let origin = try? RequestOrigin(request, configuration: configuration)
        return origin?.isLoopbackInTheClear != true
    }

    private func refuse(_ request: Request) throws {
        try request.head.refuseTokenInQuery()
        try refuseOtherSites(request)
    }

    /// Refuses a page that may call but not use the cookie, which the browser sends whether or not
    /// the page asks for it. Only where cookies are in use: otherwise a request carries its own
    /// credentials.
    private func refuseOtherSites(_ request: Request) throws {
        guard !configuration.refreshTokenInCookie || RequestInitiator(request, configuration).mayUseCookie else {
            throw Problem.crossSite("Pages of other sites may not use the cookie.", request, configuration)
        }
    }
}

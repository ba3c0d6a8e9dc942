import HTTPTypes
import Hummingbird
import RESTAuth

extension SessionsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.sessions, SessionRoutes(auth: auth, configuration: configuration).routes)]
    }
}

/// `POST /api/tokens` starts a session, `PUT` renews it, `DELETE` signs out.
struct SessionRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    /// The routes admit anyone: password and tokens may be in the body, and the doors check them.
    var routes: [Route] {
        [
            Route(.post, "/api/tokens", .anyone, "startSession") { _, request in try await start(request) },
            Route(.put, "/api/tokens", .anyone, "renewSession") { _, request in try await renew(request) },
            Route(.delete, "/api/tokens", .anyone, "endSession") { _, request in try await end(request) },
        ]
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func start(_ request: RoutedRequest) async throws -> Response {
        try refuseOtherSites(request.http)
        if let credentials = try AuthorizationHeader.credentials(in: request.http.headers) {
            return try await start(with: credentials, request)
        }
        let fields = try await body.fields(request.http, known: ["username", "password"])
        return try await fields.named(in: request.http) {
            let credentials = try Credentials.password(
                username: fields.requiredString("username"), password: fields.requiredString("password"))
            return try await start(with: credentials, request)
        }
    }

    private func start(with credentials: Credentials, _ request: RoutedRequest) async throws -> Response {
        let user = try await auth.login.attempt(credentials, by: request.caller).completed()
        return answer(try await auth.sessions.start(for: user, by: request.caller), to: request.http)
    }

    private func renew(_ request: RoutedRequest) async throws -> Response {
        try refuseOtherSites(request.http)
        let fields = try await body.fieldsIfPresent(request.http, known: ["refresh_token"])
        return try await fields.named(in: request.http) { try await renew(request.http, fields, by: request.caller) }
    }

    private func renew(_ request: Request, _ fields: RequestFields, by caller: Caller) async throws -> Response {
        if let token = try fields.optionalString("refresh_token") {
            return answer(try await auth.sessions.refresh(token, by: caller), to: request)
        }
        let cookies = cookies(of: request)
        guard let token = cookies.first else { throw fields.missing("refresh_token") }
        // Another page of the site may have set one beside this server's, to have it renewed
        // instead.
        guard cookies.count == 1 else {
            throw AuthError(.invalidRequest, "There is more than one cookie \(Self.cookieName).")
        }
        do {
            return answer(try await auth.sessions.refresh(token, by: caller), to: request)
        } catch let error as AuthError where [.invalidGrant, .refreshTokenReused, .sessionExpired].contains(error.code)
        {
            var problem = Problem(error, request: request)
            problem.headers[.setCookie] = cookie("", lifetime: 0, to: request, path: path(of: request))
            throw problem
        }
    }

    private func end(_ request: RoutedRequest) async throws -> Response {
        try refuseOtherSites(request.http)
        let tokens: [String]
        switch try AuthorizationHeader.credentials(in: request.http.headers) {
        case .token(let token)?: tokens = [String(decoding: token, as: UTF8.self)]
        case .password?: throw AuthError.credentialsRequired
        case nil: tokens = []
        }
        let fields = try await body.fieldsIfPresent(request.http, known: ["refresh_token"])
        return try await fields.named(in: request.http) {
            try await end(request.http, tokens, fields, by: request.caller)
        }
    }

    /// - Parameter presented: the token in the header, if there is one.
    private func end(
        _ request: Request, _ presented: [String], _ fields: RequestFields, by caller: Caller
    ) async throws -> Response {
        let tokens = try presented + [fields.optionalString("refresh_token")].compactMap(\.self) + cookies(of: request)
        guard !tokens.isEmpty else {
            throw fields.ignored.isEmpty ? AuthError.credentialsRequired : fields.missing("refresh_token")
        }
        for token in tokens { try await auth.sessions.end(presenting: token, by: caller) }
        var response = Response.empty()
        if configuration.refreshTokenInCookie {
            response.headers[.setCookie] = cookie("", lifetime: 0, to: request, path: path(of: request))
        }
        return response
    }

    private func answer(_ tokens: SessionTokens, to request: Request) -> Response {
        answer(tokens.access, tokens.refresh, to: request, path: path(of: request))
    }

    /// Answers with the tokens.
    /// - Parameter path: the path of these routes as the client sees it, for the cookie.
    func answer(
        _ access: AccessToken, _ refresh: RefreshToken?, to request: Request, path: String
    ) -> Response {
        var members: [(String, JSON)] = [
            ("access_token", .string(access.value)), ("token_type", "Bearer"),
            ("expires_in", .integer(access.duration)),
        ]
        if let refresh, configuration.refreshTokenInBody {
            members.append(("refresh_token", .string(refresh.value)))
        }
        var response = Response.json(.object(members.map(JSON.Member.init))).notStored()
        if let refresh, configuration.refreshTokenInCookie {
            response.headers[.setCookie] = cookie(
                refresh.value, lifetime: auth.configuration.sessionInactivityTimeout, to: request, path: path)
        }
        return response
    }

    private func path(of request: Request) -> String { RequestOrigin.path(of: request, configuration: configuration) }

    // MARK: The cookie

    private static let cookieName = "refresh_token"
    private static let cookieStart: StaticString = "refresh_token="

    /// The values of all cookies of that name, in the order in which they came.
    private func cookies(of request: Request) -> [String] {
        guard configuration.refreshTokenInCookie else { return [] }
        return request.headers[values: .cookie].flatMap { WireText($0).parts(at: ";") }
            .compactMap { $0.after(Self.cookieStart) }.filter { !$0.isEmpty }.map(\.string)
    }

    /// The value of `Set-Cookie`. The cookie is sent back to this path only, never shown to a
    /// script, never sent without TLS except to a loopback host, and never from another site.
    private func cookie(_ value: String, lifetime: Int, to request: Request, path: String) -> String {
        let secure = isForTLS(request) ? "; Secure" : ""
        return "\(Self.cookieName)=\(value); Path=\(path); Max-Age=\(lifetime); HttpOnly\(secure); SameSite=Strict"
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

    /// Refuses a page that may call but not use the cookie, which the browser sends whether or not
    /// the page asks for it. Only where cookies are in use: otherwise a request carries its own
    /// credentials.
    private func refuseOtherSites(_ request: Request) throws {
        guard !configuration.refreshTokenInCookie || RequestInitiator(request, configuration).mayUseCookie else {
            throw Problem.crossSite("Pages of other sites may not use the cookie.", request, configuration)
        }
    }
}

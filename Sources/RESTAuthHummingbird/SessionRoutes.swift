import HTTPTypes
import Hummingbird
import RESTAuth

/// `POST /api/tokens` starts a session, `PUT` renews it, `DELETE` signs out.
struct SessionRoutes: Sendable {
    let login: Login
    let sessions: Sessions
    let configuration: AuthRoutesConfiguration
    let cookieLifetime: Int

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource(
            "tokens",
            [
                .post: { request, context in try await start(request, context) },
                .put: { request, _ in try await renew(request) },
                .delete: { request, _ in try await end(request) },
            ])
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func start(_ request: Request, _ context: some RequestContext) async throws -> Response {
        try refuseOtherSites(request)
        let identity: Identity
        if request.headers.contains(.authorization) {
            identity = try await login.identity(of: request, in: context)
        } else {
            let fields = try await body.object(request)
            identity = try await login.attempt(
                fields.requiredString("username"), password: fields.requiredString("password"),
                from: context.knownClientAddress)
        }
        return answer(try await sessions.start(for: identity, from: SessionOrigin(request, context)), to: request)
    }

    private func renew(_ request: Request) async throws -> Response {
        try refuseOtherSites(request)
        let fields = try await body.objectIfPresent(request)
        if let token = try fields.optionalString("refresh_token") {
            return answer(try await sessions.refresh(token), to: request)
        }
        let cookies = cookies(of: request)
        guard let token = cookies.first else {
            throw AuthError(.validationFailed, "missing argument: refresh_token", field: "refresh_token")
        }
        // Another page of the site may have put one beside ours, to be renewed as someone else.
        guard cookies.count == 1 else {
            throw AuthError(.invalidRequest, "There is more than one cookie \(Self.cookieName).")
        }
        do {
            return answer(try await sessions.refresh(token), to: request)
        } catch let error as AuthError where [.invalidGrant, .refreshTokenReused, .sessionExpired].contains(error.code)
        {
            var problem = Problem(error, request: request)
            problem.headers[.setCookie] = cookie("", lifetime: 0, for: request)
            throw problem
        }
    }

    private func end(_ request: Request) async throws -> Response {
        try refuseOtherSites(request)
        var tokens: [String] = []
        switch try AuthorizationHeader.credentials(in: request.headers) {
        case .token(let token)?: tokens.append(String(decoding: token, as: UTF8.self))
        case .password?: throw AuthError.credentialsRequired
        case nil: break
        }
        let fields = try await body.objectIfPresent(request)
        tokens += try [fields.optionalString("refresh_token")].compactMap(\.self) + cookies(of: request)
        guard !tokens.isEmpty else { throw AuthError.credentialsRequired }
        for token in tokens { try await sessions.end(presenting: token) }
        var response = Response.empty()
        if configuration.refreshTokenInCookie { response.headers[.setCookie] = cookie("", lifetime: 0, for: request) }
        return response
    }

    private func answer(_ tokens: SessionTokens, to request: Request) -> Response {
        var members: [(String, JSON)] = [
            ("access_token", .string(tokens.access.value)), ("token_type", "Bearer"),
            ("expires_in", .integer(tokens.access.duration)),
        ]
        if configuration.refreshTokenInBody { members.append(("refresh_token", .string(tokens.refresh.value))) }
        var response = Response.json(.object(members.map(JSON.Member.init))).notStored()
        if configuration.refreshTokenInCookie {
            response.headers[.setCookie] = cookie(tokens.refresh.value, lifetime: cookieLifetime, for: request)
        }
        return response
    }

    // MARK: The cookie

    private static let cookieName = "refresh_token"

    /// All that came under the name, in the order in which they came.
    private func cookies(of request: Request) -> [String] {
        guard configuration.refreshTokenInCookie else { return [] }
        return request.headers[values: .cookie].flatMap { $0.split(separator: ";") }.compactMap { pair in
            let pair = pair.drop { $0 == " " }
            let prefix = Self.cookieName + "="
            return pair.hasPrefix(prefix) && pair.count > prefix.count ? String(pair.dropFirst(prefix.count)) : nil
        }
    }

    /// Sent back to this path only, never to a script, never in the clear, never from another site.
    private func cookie(_ value: String, lifetime: Int, for request: Request) -> String {
        let path = RequestOrigin.path(of: request, configuration: configuration)
        return "\(Self.cookieName)=\(value); Path=\(path); Max-Age=\(lifetime); HttpOnly; Secure; SameSite=Strict"
    }

    /// A browser says where a request comes from; what does not say it is no browser and carries no
    /// cookie of anyone's. Only where cookies are in use: otherwise a request carries its own
    /// credentials, and another site has none.
    private func refuseOtherSites(_ request: Request) throws {
        guard configuration.refreshTokenInCookie else { return }
        let origin = request.headers[.origin]
        let isOurs = try origin.map {
            try configuration.trustedOrigins.contains($0)
                || RequestOrigin(request, configuration: configuration).isOrigin($0)
        }
        let isAllowed =
            switch request.headers[.secFetchSite]?.lowercased() {
            case nil, "same-origin", "none": isOurs ?? true
            case "same-site": isOurs ?? false
            default: false
            }
        guard isAllowed else {
            throw Problem(
                .forbidden, code: "cross_site_request", detail: "Pages of other sites may not use the cookie.")
        }
    }
}

extension SessionOrigin {
    init(_ request: Request, _ context: some RequestContext) {
        self.init(address: context.knownClientAddress, userAgent: request.headers[.userAgent])
    }
}

extension HTTPField.Name {
    static let secFetchSite = Self("Sec-Fetch-Site")!
}

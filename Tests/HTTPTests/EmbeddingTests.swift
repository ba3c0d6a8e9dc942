import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Testing

/// The routes and the middleware inside an adopter's application.
@Suite struct EmbeddingTests {
    let auth: Auth

    init() async throws {
        auth = try await Auth(storage: SQLiteStorage())
        _ = try await auth.users.register("miguel", password: "python")
    }

    private func token() async throws -> String {
        try await auth.sessions.token(for: auth.login.identify("miguel", password: "python")).value
    }

    private func field(_ header: String) -> HTTPFields {
        [.authorization: header.replacing("Authorization: ", with: "")]
    }

    /// The status and body of a GET of `/mine` behind the middleware.
    private func get(
        _ authenticator: Authenticator<BasicAuthRequestContext>, headers: HTTPFields = [:]
    ) async throws -> (response: TestResponse, body: String) {
        let router = Router(context: BasicAuthRequestContext.self)
        router.group("mine").add(middleware: authenticator).get { _, context in
            context.identity?.user.map {
                "\($0.username) by \($0.presented == .password ? "password" : "token")"
            } ?? "nobody"
        }
        return try await Application(router: router).test(.live) { client in
            try await client.execute(uri: "/mine", method: .get, headers: headers) { ($0, String(buffer: $0.body)) }
        }
    }

    /// One of two routes with the same method and path would never be called.
    @Test func twoRoutesWithOneMethodAndPathEndTheProgram() async {
        await #expect(processExitsWith: .failure) {
            let routes = ["one", "two"].map { name in
                Route(.get, "/notes", .anyone, name) { _, _ in Response(status: .ok) }
            }
            RouteTable(routes).add(to: Router(context: BasicRequestContext.self))
        }
    }

    @Test(arguments: ["", "v1", "a/b"])
    func theRoutesAreMountedUnderAnyPrefix(prefix: String) async throws {
        let router = Router(context: BasicRequestContext.self)
        if prefix.isEmpty { auth.addRoutes(to: router) } else { auth.addRoutes(to: router.group("\(prefix)")) }
        let base = prefix.isEmpty ? "" : "/" + prefix
        try await Application(router: router).test(.live) { client in
            try await client.execute(
                uri: "\(base)/api/users", method: .post, headers: [.contentType: "application/json"],
                body: ByteBuffer(string: #"{"username":"susan","password":"cat"}"#)
            ) {
                #expect($0.status == .created)
                #expect($0.headers[.location]?.hasSuffix("\(base)/api/users/2") == true)
            }
            try await client.execute(uri: "\(base)/api/users/99", method: .get) {
                #expect($0.status == .badRequest)
                #expect($0.headers[.contentType] == "application/problem+json")
            }
            let password = field(basic("miguel", "python"))
            try await client.execute(uri: "\(base)/api/resource", method: .get, headers: password) {
                #expect(String(buffer: $0.body) == #"{"data":"Hello, miguel!"}"#)
            }
            try await client.execute(uri: "\(base)/api/token", method: .delete) {
                #expect($0.status == .methodNotAllowed)
                #expect($0.headers[.allow] == "GET, HEAD, OPTIONS")
            }
        }
    }

    /// A middleware that announces a body of that many bytes.
    private struct Announcing: RouterMiddleware {
        let length: Int

        func handle(
            _ request: Request, context: BasicRequestContext,
            next: (Request, BasicRequestContext) async throws -> Response
        ) async throws -> Response {
            var head = request.head
            head.headerFields[.contentLength] = String(length)
            return try await next(Request(head: head, body: request.body), context)
        }
    }

    /// The end of the data is not always the end of the body.
    @Test(arguments: [(1, HTTPResponse.Status.badRequest), (100, .badRequest), (0, .created)])
    func aBodyThatIsShorterThanAnnouncedIsRefused(lack: Int, status: HTTPResponse.Status) async throws {
        let body = ByteBuffer(string: #"{"username":"susan","password":"cat"}"#)
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: Announcing(length: body.readableBytes + lack))
        auth.addRoutes(to: router)
        try await Application(router: router).test(.router) { client in
            try await client.execute(uri: "/api/users", method: .post, body: body) { #expect($0.status == status) }
        }
    }

    @Test func aProtectedRouteKnowsWhoCameAndHow() async throws {
        let password = field(basic("miguel", "python"))
        #expect(try await get(auth.authenticator(), headers: password).body == "miguel by password")
        #expect(try await get(auth.authenticator(), headers: field(basic(token(), "x"))).body == "miguel by token")
        #expect(try await get(auth.authenticator(), headers: field(bearer(token()))).body == "miguel by token")
    }

    @Test func aProtectedRouteRefusesEveryoneElse() async throws {
        let wrong: [HTTPFields] = [[:], field(basic("miguel", "wrong")), field(bearer("nonsense")), field("Digest x")]
        for headers in wrong {
            let (response, _) = try await get(auth.authenticator(), headers: headers)
            #expect(response.status == .unauthorized)
            let scheme = headers == field(bearer("nonsense")) ? "Bearer" : "Basic"
            let challenge = response.headers[.wwwAuthenticate]
            #expect(challenge?.hasPrefix("\(scheme) realm=\"Authentication Required\"") == true)
        }
    }

    @Test func aRouteMayTakePasswordsOnlyOrTokensOnly() async throws {
        let (password, token) = (field(basic("miguel", "python")), field(bearer(try await token())))
        let passwordsOnly = auth.authenticator(accepting: .password, context: BasicAuthRequestContext.self)
        #expect(try await get(passwordsOnly, headers: password).response.status == .ok)
        #expect(try await get(passwordsOnly, headers: token).response.status == .unauthorized)
        let tokensOnly = auth.authenticator(accepting: .token, context: BasicAuthRequestContext.self)
        #expect(try await get(tokensOnly, headers: token).response.status == .ok)
        #expect(try await get(tokensOnly, headers: password).response.status == .unauthorized)
    }

    @Test func whereItIsOptionalNobodyIsLetInButWrongCredentialsAreNot() async throws {
        let optional = auth.authenticator(requiring: [.optional], context: BasicAuthRequestContext.self)
        #expect(try await get(optional).body == "nobody")
        #expect(try await get(optional, headers: field(basic("miguel", "python"))).body == "miguel by password")
        #expect(try await get(optional, headers: field(basic("miguel", "wrong"))).response.status == .unauthorized)
    }

    @Test func aRouteMayAskForARoleAndSaysSoInTheChallenge() async throws {
        let editors = auth.authenticator(
            requiring: [.anyRole("editor", "admin")], context: BasicAuthRequestContext.self)
        for header in [basic("miguel", "python"), bearer(try await token())] {
            let refused = try await get(editors, headers: field(header)).response
            #expect(refused.status == .forbidden)
            let challenges = refused.headers[values: .wwwAuthenticate]
            #expect(challenges.contains { $0.contains(#"error="insufficient_scope""#) } == header.contains("Bearer"))
        }
        try await auth.users.grant("editor", to: 1)
        #expect(try await get(editors, headers: field(basic("miguel", "python"))).body == "miguel by password")
        #expect(try await get(editors, headers: field(bearer(token()))).body == "miguel by token")
        #expect(try await get(editors).response.status == .unauthorized)
        let both = auth.authenticator(
            requiring: [.signedIn, .allRoles("editor", "admin")], context: BasicAuthRequestContext.self)
        #expect(try await get(both, headers: field(bearer(token()))).response.status == .forbidden)
    }

    @Test func aRouteMayAskForARecentPassword() async throws {
        let header = field(bearer(try await token()))
        let recent = auth.authenticator(requiring: [.signedIn(within: 300)], context: BasicAuthRequestContext.self)
        #expect(try await get(recent, headers: header).response.status == .ok)
        let atOnce = auth.authenticator(requiring: [.signedIn(within: -1)], context: BasicAuthRequestContext.self)
        let refused = try await get(atOnce, headers: header).response
        #expect(refused.status == .unauthorized)
        #expect(
            refused.headers[values: .wwwAuthenticate].contains {
                $0.contains(#"error="insufficient_user_authentication", max_age="-1""#)
            })
    }

    @Test func theRoutesKnowTheAddressWhereTheContextDoes() async throws {
        struct Context: PeerAddressContext {
            var coreContext: CoreRequestContextStorage
            let peerAddress: SocketAddress?
            var clientAddress: String?
            init(source: Source) {
                coreContext = .init(source: source)
                peerAddress = source.channel.remoteAddress
            }
        }
        let router = Router(context: Context.self)
        router.add(middleware: TrustedProxies([try #require(Network("127.0.0.1"))]))
        auth.addRoutes(to: router)
        try await Application(router: router).test(.live) { client in
            var headers = field(basic("miguel", "python"))
            headers[.init("X-Forwarded-For")!] = "203.0.113.5, 192.0.2.7"
            try await client.execute(uri: "/api/tokens", method: .post, headers: headers) { #expect($0.status == .ok) }
        }
        #expect(try await auth.sessions.list(of: 1).first?.origin.address == "192.0.2.7")
    }

    @Test func anAdoptersOwnWordsCarryTheChallengeAllTheSame() async throws {
        let authenticator = auth.authenticator(context: BasicAuthRequestContext.self) { error, _, _ in
            let words = "Who goes there? \(error.code.rawValue)"
            return Response(status: .unauthorized, body: .init(byteBuffer: ByteBuffer(string: words)))
        }
        let (response, body) = try await get(authenticator)
        #expect(body == "Who goes there? credentials_required")
        #expect(response.headers[.wwwAuthenticate] == #"Basic realm="Authentication Required""#)
    }

    /// The status and the challenge of a refusal in the adopter's own words.
    private func refusal(
        _ headers: HTTPFields, requiring requirements: [Requirement] = [.signedIn],
        in words: @escaping Authenticator<BasicAuthRequestContext>.Refusal
    ) async throws -> (status: HTTPResponse.Status, challenges: [String]) {
        let authenticator = auth.authenticator(
            requiring: requirements, context: BasicAuthRequestContext.self, refusal: words)
        let response = try await get(authenticator, headers: headers).response
        return (response.status, response.headers[values: .wwwAuthenticate])
    }

    private static let basicChallenge = #"Basic realm="Authentication Required""#

    /// An error of an adopter, which supplies its own answer.
    private struct OwnError: HTTPResponseError {
        let status = HTTPResponse.Status.unauthorized

        func response(from request: Request, context: some RequestContext) -> Response {
            Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(string: "Please sign in.")))
        }
    }

    /// Holds for every refusal, however the words are given.
    @Test func every401InAnAdoptersOwnWordsHasAChallenge() async throws {
        let words: [Authenticator<BasicAuthRequestContext>.Refusal] = [
            { _, _, _ in Response(status: .unauthorized) },
            { _, _, _ in Response(status: .unauthorized, headers: [.wwwAuthenticate: ""]) },
            { _, _, _ in throw HTTPError(.unauthorized, message: "Please sign in.") },
            { _, _, _ in throw Problem(.unauthorized, code: "signed_out", detail: "Please sign in.") },
            { _, _, _ in throw AuthError(.credentialsRequired, "Please sign in.") },
            { _, _, _ in throw OwnError() },
        ]
        let miguel = field(basic("miguel", "python"))
        for words in words {
            for (headers, requirements) in [
                ([:], [Requirement.signedIn]), (field(basic("miguel", "wrong")), [.signedIn]),
                // A missing role alone is not a 401.
                (miguel, [.anyRole("editor")]), (miguel, [.signedIn(within: -1)]),
            ] {
                let answer = try await refusal(headers, requiring: requirements, in: words)
                #expect(answer.status == .unauthorized)
                #expect(answer.challenges == [Self.basicChallenge])
            }
            let token = try await refusal(
                field(bearer(token())), requiring: [.anyRole("editor")], in: words)
            #expect(token.challenges.count == 1)
            #expect(token.challenges.first?.hasPrefix("Bearer realm=") == true)
            var script = field(basic("miguel", "wrong"))
            script[.init("Sec-Fetch-Mode")!] = "cors"
            #expect(
                try await refusal(script, in: words).challenges == [#"Bearer realm="Authentication Required""#])
        }
    }

    @Test func anAdoptersOwnChallengeIsLeftAlone() async throws {
        let answer = try await refusal([:]) { _, _, _ in
            Response(status: .unauthorized, headers: [.wwwAuthenticate: "Notes realm=x"])
        }
        #expect(answer.challenges == ["Notes realm=x"])
    }

    @Test func aRefusalThatIsNo401HasNoBasicChallenge() async throws {
        let miguel = field(basic("miguel", "python"))
        let answer = try await refusal(miguel, requiring: [.anyRole("editor")]) { error, _, _ in
            Response(status: error.status)
        }
        #expect(answer.status == .forbidden)
        #expect(answer.challenges.isEmpty)
    }

    /// A refusal of the handler itself, thrown or returned.
    @Test func a401OfTheHandlerHasAChallenge() async throws {
        let router = Router(context: BasicAuthRequestContext.self)
        let mine = router.group("mine").add(middleware: auth.authenticator())
        mine.get("given") { _, _ in Response(status: .unauthorized) }
        mine.get("thrown") { _, _ -> String in throw HTTPError(.unauthorized) }
        mine.get("own") { _, _ -> String in throw OwnError() }
        router.group("problem").add(middleware: ProblemResponses())
            .get { _, _ -> String in throw HTTPError(.unauthorized) }
        try await Application(router: router).test(.live) { client in
            for path in ["/mine/given", "/mine/thrown", "/mine/own", "/problem"] {
                let headers = field(basic("miguel", "python"))
                try await client.execute(uri: path, method: .get, headers: headers) {
                    #expect($0.status == .unauthorized)
                    #expect($0.headers[values: .wwwAuthenticate] == [Self.basicChallenge], "\(path)")
                }
            }
        }
    }

    @Test func whatASpecialErrorSaysIsKeptInItsProblem() async throws {
        let router = Router(context: BasicAuthRequestContext.self)
        router.group("busy").add(middleware: ProblemResponses())
            .get { _, _ -> String in throw HTTPError(.serviceUnavailable, headers: [.retryAfter: "7"]) }
        try await Application(router: router).test(.live) { client in
            try await client.execute(uri: "/busy", method: .get) {
                #expect($0.status == .serviceUnavailable)
                #expect($0.headers[.retryAfter] == "7")
                #expect($0.headers[.contentType] == "application/problem+json")
            }
        }
    }

    private static let paths: [(name: AuthRoutes, requests: [(HTTPRequest.Method, String)])] = [
        (.registration, [(.post, "/api/users")]),
        (.users, [(.get, "/api/users"), (.get, "/api/users/1"), (.get, "/api/user/1")]),
        (.token, [(.get, "/api/token")]), (.sessions, [(.post, "/api/tokens"), (.put, "/api/tokens")]),
        (.account, [(.get, "/api/me"), (.put, "/api/me/password"), (.get, "/api/me/sessions")]),
        (.resource, [(.get, "/api/resource")]), (.verify, [(.get, "/api/verify")]),
        (.revocations, [(.get, "/api/revocations")]),
        (.oauth, [(.post, "/oauth/introspect"), (.post, "/oauth/revoke")]),
        (.wellKnown, [(.get, "/.well-known/jwks.json"), (.get, "/.well-known/oauth-authorization-server")]),
        (
            .operator,
            [(.get, "/api/operator/users"), (.get, "/api/operator/service-accounts"), (.put, "/api/tokens/reset")]
        ),
    ]

    @Test(arguments: paths.indices)
    func whatIsLeftOutIsNotThereAndAllElseIs(index: Int) async throws {
        let omitted = Self.paths[index].name
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router, leavingOut: omitted)
        try await Application(router: router).test(.live) { client in
            for (name, requests) in Self.paths {
                for (method, path) in requests {
                    try await client.execute(uri: path, method: method) {
                        #expect(($0.status == .notFound) == (name == omitted), "\(method) \(path)")
                    }
                }
            }
            guard omitted != .wellKnown else { return }
            try await client.execute(uri: "/.well-known/oauth-authorization-server", method: .get) {
                let names = String(buffer: $0.body)
                #expect(names.contains("introspection_endpoint") == (omitted != .oauth))
                #expect(names.contains("revocation_endpoint") == (omitted != .oauth))
            }
        }
    }

    /// Each on a path that it shares with a route that stays.
    @Test func whatIsLeftOutMayBeTakenByOthers() async throws {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router, leavingOut: [.users, .resource])
        for path: RouterPath in ["api/users", "api/users/:id", "api/resource"] {
            router.get(path) { _, _ in "mine" }
            router.head(path) { _, _ in "" }
        }
        let other = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: other, leavingOut: .registration)
        other.post("api/users") { _, _ in "mine" }
        for (router, method, path) in [
            (router, HTTPRequest.Method.get, "/api/users"), (router, .get, "/api/users/1"),
            (router, .get, "/api/resource"), (other, .post, "/api/users"),
        ] {
            try await Application(router: router).test(.live) { client in
                try await client.execute(uri: path, method: method) { #expect(String(buffer: $0.body) == "mine") }
            }
        }
    }

    @Test func requiringNothingMeansSignedIn() async throws {
        let verifiers: [any CredentialVerifier] = [auth.login]
        for authenticator in [auth.authenticator(requiring: [], context: BasicAuthRequestContext.self)]
            + verifiers.map({ $0.authenticator(requiring: [], context: BasicAuthRequestContext.self) })
        {
            #expect(try await get(authenticator).response.status == .unauthorized)
            let miguel = try await get(authenticator, headers: field(basic("miguel", "python")))
            #expect(miguel.body == "miguel by password")
        }
    }

    @Test func aSignedInContextIsNeverMadeForNobody() async throws {
        let router = Router(context: BasicAuthRequestContext.self)
        // The adopter has forgotten the authenticator.
        router.group("mine").add(middleware: ProblemResponses())
            .group(context: SignedInContext<BasicAuthRequestContext>.self)
            .get { _, context in context.identity.username }
        try await Application(router: router).test(.live) { client in
            try await client.execute(uri: "/mine", method: .get, headers: field(basic("miguel", "python"))) {
                #expect($0.status == .unauthorized)
            }
        }
    }

    @Test func aDisabledUserIsRefusedWithoutAnyServiceRunning() async throws {
        let header = field(bearer(try await token()))
        #expect(try await get(auth.authenticator(), headers: header).response.status == .ok)
        try await auth.users.disable(1)
        #expect(try await get(auth.authenticator(), headers: header).response.status == .unauthorized)
    }
}

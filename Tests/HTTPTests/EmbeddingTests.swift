import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Testing

/// The routes and the middleware inside an adopter's own application.
@Suite struct EmbeddingTests {
    let auth: Auth

    init() async throws {
        auth = try await Auth(storage: SQLiteStorage())
        _ = try await auth.users.register("miguel", password: "python")
    }

    private func token() async throws -> String {
        try await auth.sessions.token(for: auth.login.attempt("miguel", password: "python")).value
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
            context.identity.map { "\($0.username) by \($0.method)" } ?? "nobody"
        }
        return try await Application(router: router).test(.live) { client in
            try await client.execute(uri: "/mine", method: .get, headers: headers) { ($0, String(buffer: $0.body)) }
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

    /// Says that the body has that many bytes.
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

    /// The end of what there is to read is not always the end of the body.
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
            #expect(response.headers[.wwwAuthenticate]?.hasPrefix(#"Basic realm="Authentication Required""#) == true)
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

    @Test func aSignedInContextIsNeverMadeForNobody() async throws {
        let router = Router(context: BasicAuthRequestContext.self)
        // An adopter who forgot the authenticator.
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

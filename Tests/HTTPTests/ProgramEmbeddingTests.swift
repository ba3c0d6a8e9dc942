import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Testing

/// Tokens for programs at routes of an application.
@Suite struct ProgramEmbeddingTests {
    private let auth: Auth

    init() async throws {
        auth = try await Auth(storage: SQLiteStorage())
        let user = try await auth.users.register("miguel", password: "python")
        try await auth.users.grant("editor", to: user.id)
        try await auth.serviceAccounts.add("backup")
    }

    private func personal(_ scopes: [String]) async throws -> String {
        let user = try await auth.login.identify("miguel", password: "python")
        return try await auth.personalTokens.create("test", scopes: scopes, for: user).value
    }

    private func service(_ scopes: [String]) async throws -> String {
        try await auth.serviceAccounts.createToken("test", scopes: scopes, of: "backup").value
    }

    /// The status, the code of a refusal, and the name that the route was given.
    private func get(
        _ requirements: [Requirement], accepting accepted: AcceptedCredentials = .any, _ authorization: String?,
        isForUsers: Bool = false, query: String = ""
    ) async throws -> (status: Int, text: String) {
        let router = Router(context: BasicAuthRequestContext.self)
        router.add(middleware: ProblemResponses())
        let group = router.group("notes").add(
            middleware: auth.authenticator(accepting: accepted, requiring: requirements))
        if isForUsers {
            group.group(context: SignedInContext<BasicAuthRequestContext>.self)
                .get { _, context in context.identity.username }
        } else {
            group.get { _, context in
                context.identity?.user?.username ?? context.identity?.service?.subject ?? "nobody"
            }
        }
        var headers: HTTPFields = [:]
        if let authorization { headers[.authorization] = authorization.replacing("Authorization: ", with: "") }
        let fields = headers
        return try await Application(router: router).test(.router) { client in
            try await client.execute(uri: "/notes\(query)", method: .get, headers: fields) { response in
                let text = String(buffer: response.body)
                return (response.status.code, JSON(text.utf8)?["code"]?.string ?? text)
            }
        }
    }

    @Test(
        arguments: [
            [], [.signedIn], [.optional], [.anyRole("editor")], [.allRoles("editor")], [.signedIn(within: 900)],
        ] as [[Requirement]])
    func aRouteThatNamesNoScopeAdmitsNoProgram(requirements: [Requirement]) async throws {
        let (personal, service) = (try await personal(["notes:read"]), try await service(["notes:read"]))
        for header in [bearer(personal), basic(personal, "")] {
            #expect(try await get(requirements, header) == (403, "insufficient_scope"))
            #expect(try await get(requirements, header, isForUsers: true) == (403, "insufficient_scope"))
        }
        for header in [bearer(service), basic(service, "")] {
            #expect(try await get(requirements, header) == (403, "forbidden"))
        }
        #expect(try await get(requirements, basic("miguel", "python")) == (200, "miguel"))
    }

    /// RFC 6750 section 2: there is one way for a token.
    @Test func aTokenInTheQueryIsRefused() async throws {
        let personal = try await personal(["a"])
        for header in [bearer(personal), basic("miguel", "python"), nil] {
            for query in ["?access_token=\(personal)", "?x=y&access%5Ftoken"] {
                for requirements in [[.scope("a")], [.optional]] as [[Requirement]] {
                    #expect(try await get(requirements, header, query: query) == (400, "invalid_request"))
                }
            }
        }
        #expect(try await get([.scope("a")], bearer(personal), query: "?token=x") == (200, "miguel"))
        let request = Request(
            head: HTTPRequest(
                method: .get, scheme: nil, authority: nil, path: "/?access_token=\(personal)",
                headerFields: [.authorization: "Bearer \(personal)"]), body: RequestBody(buffer: ByteBuffer()))
        let error = await #expect(throws: AuthError.self) { try await auth.authenticate(request, scope: "a") }
        #expect(error?.code == .invalidRequest)
    }

    @Test func aScopeAdmitsWhoeverHasIt() async throws {
        let requirements = [Requirement.scope("notes:read")]
        for header in [basic("miguel", "python"), bearer(try await personal(["notes:read"]))] {
            #expect(try await get(requirements, header) == (200, "miguel"))
            #expect(try await get(requirements, header, isForUsers: true) == (200, "miguel"))
        }
        let service = bearer(try await service(["mail", "notes:read"]))
        #expect(try await get(requirements, service) == (200, "service:backup"))
        #expect(try await get(requirements, service, isForUsers: true) == (403, "forbidden"))
        #expect(try await get([.signedIn] + requirements, service) == (403, "forbidden"))
        for header in [bearer(try await personal(["notes"])), bearer(try await self.service(["notes:write"]))] {
            #expect(try await get(requirements, header) == (403, "insufficient_scope"))
        }
        #expect(try await get(requirements, nil) == (401, "credentials_required"))
    }

    @Test func aScopeIsNoRole() async throws {
        let requirements = [Requirement.scope("notes:read"), .anyRole("admin")]
        #expect(try await get(requirements, bearer(personal(["notes:read", "admin"]))) == (403, "forbidden"))
        let editors = [Requirement.scope("notes:read"), .anyRole("editor")]
        #expect(try await get(editors, bearer(personal(["notes:read"]))) == (200, "miguel"))
    }

    @Test func aRouteForPasswordsTakesNoToken() async throws {
        for token in [try await personal(["a"]), try await service(["a"])] {
            for header in [bearer(token), basic(token, "python")] {
                #expect(try await get([.scope("a")], accepting: .password, header) == (401, "credentials_required"))
                #expect(try await get([.scope("a")], accepting: .token, header).status == 200)
            }
        }
    }

    @Test func identifyingAdmitsProgramsByAScopeOnly() async throws {
        func request(_ token: String) -> Request {
            Request(
                head: HTTPRequest(
                    method: .get, scheme: nil, authority: nil, path: "/",
                    headerFields: [.authorization: "Bearer \(token)"]), body: RequestBody(buffer: ByteBuffer()))
        }
        let (personal, service) = (try await personal(["a"]), try await service(["a"]))
        #expect(try await auth.authenticate(request(personal), scope: "a")?.user?.username == "miguel")
        #expect(try await auth.authenticate(request(service), scope: "a")?.service?.id == "backup")
        for (token, scope, code) in [
            (personal, nil, AuthError.Code.insufficientScope), (personal, "b", .insufficientScope),
            (service, nil, .forbidden), (service, "b", .insufficientScope),
        ] as [(String, String?, AuthError.Code)] {
            let error = await #expect(throws: AuthError.self) {
                try await auth.authenticate(request(token), scope: scope)
            }
            #expect(error?.code == code)
        }
    }
}

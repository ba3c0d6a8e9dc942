import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthPostgres
import RESTAuthSQLite
import Support
import Testing

/// The code of the documentation pages, word for word: `DocumentationTests` looks for each of their
/// blocks here and in the example.
@Suite struct EmbeddingPageTests {
    let auth: Auth
    let router = Router(context: BasicAuthRequestContext.self)

    init() async throws {
        auth = try await Auth(storage: SQLiteStorage())
        _ = try await auth.users.register("miguel", password: "python")
    }

    private func get(
        _ path: String, as username: String? = nil, headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        var fields = headers
        fields[.authorization] = username.map { basic($0, "python").replacing("Authorization: ", with: "") }
        return try await Application(router: router).test(.live) { [fields] client in
            try await client.execute(uri: path, method: .get, headers: fields) { $0 }
        }
    }

    // MARK: Routes

    @Test func aPrefix() async throws {
        auth.addRoutes(to: router.group("accounts"))  // /accounts/api/users ...
        #expect(try await get("/accounts/api/users/1").status == .ok)
    }

    @Test func withoutSomeOfThem() async throws {
        auth.addRoutes(to: router, leavingOut: [.registration, .resource])
        router.get("api/resource") { _, _ in "mine" }
        router.post("api/users") { _, _ in "mine" }
        #expect(String(buffer: try await get("/api/resource").body) == "mine")
        #expect(try await get("/api/users", as: "miguel").status == .ok)
        #expect(try await get("/api/challenge").status == .notFound)
    }

    @Test func aProblemOfYourOwn() async throws {
        router.add(middleware: ProblemResponses())
        router.get("notes/:id") { _, _ -> String in
            throw Problem(.notFound, code: "note_not_found", detail: "There is no such note.")
        }
        let response = try await get("/notes/1")
        #expect(response.status == .notFound)
        #expect(String(buffer: response.body).contains(#""code":"note_not_found""#))
    }

    // MARK: Registration

    @Test func byInvitation() async throws {
        var configuration = AuthConfiguration()
        configuration.registration = .invitation  // or .closed
        let auth = try await Auth(storage: SQLiteStorage(), configuration: configuration)
        let (_, code) = try await auth.registration.invite(note: "Susan of accounting")
        await #expect(throws: AuthError.self) { try await auth.registration.register("susan", password: "cat") }
        let proof = RegistrationProof(invitation: code.value)
        #expect(try await auth.registration.register("susan", password: "cat", proof: proof).username == "susan")
    }

    // MARK: Requirements of a route

    @Test func whatARouteAsksFor() async throws {
        typealias Guard = Authenticator<BasicAuthRequestContext>
        let signedIn: Guard = auth.authenticator()  // by a password or a token
        let tokenOnly: Guard = auth.authenticator(accepting: .token)
        let passwordOnly: Guard = auth.authenticator(accepting: .password)  // for what matters most
        let optional: Guard = auth.authenticator(requiring: [.optional])  // nobody has no identity
        let auditors: Guard = auth.authenticator(requiring: [.anyRole("admin", "auditor")])
        let recently: Guard = auth.authenticator(requiring: [.signedIn(within: 300)])  // seconds ago

        let all = [
            ("signed-in", signedIn, 401, 200), ("token", tokenOnly, 401, 401), ("password", passwordOnly, 401, 200),
            ("optional", optional, 200, 200), ("auditors", auditors, 401, 403), ("recently", recently, 401, 200),
        ]
        for (path, middleware, _, _) in all { router.group("\(path)").add(middleware: middleware).get { _, _ in "" } }
        for (path, _, nobody, miguel) in all {
            #expect(try await get("/\(path)").status.code == nobody)
            #expect(try await get("/\(path)", as: "miguel").status.code == miguel)
        }
    }

    struct AppContext: AuthRequestContext {
        var coreContext: CoreRequestContextStorage
        var identity: Identity?

        init(source: Source) {
            coreContext = .init(source: source)
        }
    }

    @Test func whoItIs() async throws {
        let router = Router(context: AppContext.self)
        router.group("notes").add(middleware: auth.authenticator())
            .group(context: SignedInContext<AppContext>.self)
            .get { _, context in "Hello, \(context.identity.username)!" }
        try await Application(router: router).test(.live) { client in
            let miguel: HTTPFields = [
                .authorization: basic("miguel", "python").replacing("Authorization: ", with: "")
            ]
            try await client.execute(uri: "/notes", method: .get, headers: miguel) {
                #expect(String(buffer: $0.body) == "Hello, miguel!")
            }
        }
    }

    @Test func refusalsInOnesOwnWords() async throws {
        router.group("notes").add(
            middleware: auth.authenticator(requiring: [.anyRole("editor")]) { error, _, _ in
                let words = error.status == .forbidden ? "This is for editors." : "Please sign in."
                return Response(status: error.status, body: .init(byteBuffer: ByteBuffer(string: words)))
            }
        ).get { _, _ in "" }
        let nobody = try await get("/notes")
        #expect(nobody.status == .unauthorized)
        #expect(String(buffer: nobody.body) == "Please sign in.")
        #expect(nobody.headers[values: .wwwAuthenticate].count == 1)
        let miguel = try await get("/notes", as: "miguel")
        #expect(miguel.status == .forbidden)
        #expect(String(buffer: miguel.body) == "This is for editors.")
        #expect(miguel.headers[.wwwAuthenticate] == nil)
    }

    // MARK: Doors

    @Test func signingInFromARouteOfYourOwn() async throws {
        let (username, password, address, userAgent) = ("miguel", "python", "203.0.113.7", "curl/8.5.0")
        let caller = Caller(address: address, userAgent: userAgent)
        let identity = try await auth.login.identify(username, password: password, by: caller)
        let tokens = try await auth.sessions.start(for: identity, by: caller)
        #expect(try await auth.sessions.list(of: identity.userID).first?.origin == caller.origin)
        #expect("\(tokens.access) \(tokens.refresh)" == "redacted redacted")
    }

    @Test func theDoorsOneAfterTheOther() async throws {
        let auth = try await Auth(storage: SQLiteStorage())
        let user = try await auth.users.register("miguel", password: "python")
        let identity = try await auth.login.identify("miguel", password: "python")
        let tokens = try await auth.sessions.start(for: identity)

        // again.userID == user.id
        let again = try await auth.accessTokens.verify(Array(tokens.access.value.utf8))
        // The next access token, the next refresh token.
        let next = try await auth.sessions.refresh(tokens.refresh.value)
        // From here on all of them are refused.
        try await auth.sessions.end(presenting: next.refresh.value)
        #expect(again.userID == user.id)
        await #expect(throws: AuthError.self) {
            try await auth.accessTokens.verify(Array(next.access.value.utf8))
        }
    }

    @Test func aSessionFromItsBeginningToItsEnd() async throws {
        let identity = try await auth.login.identify("miguel", password: "python")
        let first = try await auth.sessions.start(for: identity)
        let second = try await auth.sessions.refresh(first.refresh.value)
        try await auth.sessions.end(presenting: second.refresh.value)  // signed out
        #expect(try await auth.sessions.list(of: identity.userID).isEmpty)
    }

    @Test func settings() async throws {
        let storage = try await SQLiteStorage()
        var configuration = AuthConfiguration()
        configuration.passwordPolicy = .nist
        configuration.tokenRenewal = .until(12 * 3600)
        configuration.sessionInactivityTimeout = 24 * 3600
        let auth = try await Auth(storage: storage, configuration: configuration)
        await #expect(throws: AuthError.self) { try await auth.users.register("miguel", password: "python") }
    }

    // MARK: Pages in a browser

    @Test func pagesOfAnotherOrigin() async throws {
        let origins = ["https://app.example.com", "https://*.preview.example.com", "http://localhost:*"]
        var configuration = AuthRoutesConfiguration()
        configuration.refreshTokenInCookie = true
        configuration.trustedOrigins = Set(origins)

        router.add(middleware: CrossOrigin(origins: origins, allowsCookies: true))
        auth.addRoutes(to: router, configuration: configuration)
        router.group("notes")
            .add(middleware: CrossSiteRefusal(configuration: configuration))
            .add(middleware: auth.authenticator())
            .get { _, _ in "" }

        for (origin, status) in [
            ("https://app.example.com", 200), ("https://1.preview.example.com", 200), ("http://localhost:5173", 200),
            ("https://evil.example", 403),
        ] {
            let response = try await get("/notes", as: "miguel", headers: [.origin: origin])
            #expect(response.status.code == status)
            #expect(response.headers[.accessControlAllowOrigin] == (status == 200 ? origin : nil))
        }
    }

    @Test func whatIsNoOriginSaysWhatToWrite() throws {
        let error = #expect(throws: AuthError.self) { try OriginPattern("app.example.com") }
        #expect(error?.code == .misconfigured)
        #expect(error?.detail.contains("https://app.example.com") == true)
    }

    // MARK: PostgreSQL

    /// Compiled only, because the host does not exist.
    private func onPostgres() async throws -> Auth {
        var configuration = AuthConfiguration()
        // The same for every process.
        configuration.secrets = try InstanceSecrets(file: "/etc/notes.secret")
        let storage = try await PostgresStorage(PostgresConfiguration(url: "postgres://notes@db.example.com/notes"))
        let auth = try await Auth(storage: storage, configuration: configuration)
        return auth
    }

    // MARK: The operator

    /// Runs every command that the page gives for an embedded database, on one that is in use.
    @Test func theOperatorsCommandsWorkOnAnEmbeddedDatabase() async throws {
        let directory = try TemporaryDirectory()
        let auth = try await Auth(storage: SQLiteStorage(path: directory.path + "/notes.sqlite"))
        _ = try await auth.users.register("miguel", password: "python")
        _ = try await auth.sessions.start(for: auth.login.identify("miguel", password: "python"))
        let file = ExternalProcess.repository.appendingPathComponent("Sources/RESTAuth/RESTAuth.docc/Embedding.md")
        let page = try String(contentsOf: file, encoding: .utf8)
        let commands = page.matches(of: /\n    .*rest-auth (?<words>[a-z].* --database .*)/)
            .map { $0.output.words.split(separator: " ").map(String.init) }
        #expect(commands.count >= 6)
        for words in commands {
            let outcome = try await runCommand(words, directory: directory, input: "correct horse\n")
            #expect(outcome.status == 0, "\(words) \(outcome.error)")
        }
        #expect(try await auth.login.identify("susan", password: "correct horse").roles == ["admin"])
        #expect(try await auth.sessions.list(of: 1).isEmpty)
        #expect(directory.contents.contains("notes-backup.sqlite"))
    }
}

import Support
import Testing

/// The routes that proxies call, in all the ways in which they call them.
@Suite(.server()) struct VerifyRoutesTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
    private static let paths = [
        "/api/verify", "/api/verify/", "/api/verify?", "/api/verify/?x=y", "/api/verify/any/path",
        "/api/verify/any/path?x=y&z", "/api/verify/any/verify?x=y",
        "/api/verify/a%20b/../c", "/api/verify//", "/api/verify/api/users",
    ]

    // MARK: Methods and paths

    @Test(arguments: methods) func whoeverIsSignedInIsVerifiedByAnyMethodOnAnyPathBelow(method: String) async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for path in Self.paths {
            for authorization in [miguel.basic, bearer(token), bearer(token), basic(token, "")] {
                let answer = try await server.send(method, path, headers: [authorization])
                #expect(answer.status == 200, "\(method) \(path)")
                #expect(answer["Remote-User"] == miguel.name)
                #expect(answer["Remote-User-Id"] == "\(miguel.id)")
                #expect(answer["Cache-Control"] == "no-store")
                #expect(answer.body.isEmpty)
            }
        }
    }

    /// Some proxies take any 2xx answer as permission.
    @Test(arguments: methods) func nobodyElseIsByWhateverMethod(method: String) async throws {
        let miguel = try await server.newAccount()
        for path in Self.paths {
            for headers in [[], [bearer("x")], [basic(miguel.name, "wrong")], ["Remote-User: \(miguel.name)"]] {
                let answer = try await server.send(method, path, headers: headers)
                #expect(answer.status == 401, "\(method) \(path)")
                let scheme = headers == [bearer("x")] ? "Bearer " : "Basic "
                #expect(answer["WWW-Authenticate"]?.hasPrefix("\(scheme)realm=") == true)
                #expect(answer["Remote-User"] == nil)
            }
        }
        for path in ["/api/verifyx", "/api/verify.json", "/api/verify%2Fx", "/api/Verify", "/verify"] {
            #expect(try await server.send(method, path, headers: [miguel.basic]).status == 404, "\(path)")
        }
    }

    /// The body belongs to the request that the proxy asks about.
    @Test func whatStandsInABodyIsNotRead() async throws {
        let miguel = try await server.newAccount()
        let refresh = try await server.signIn(miguel).refresh
        let member = json(["username": miguel.name, "password": miguel.password])
        for (type, body) in [
            ("application/json", member), ("application/json", json(["refresh_token": refresh])),
            ("application/json", "{"), ("text/plain", member), ("multipart/form-data", "x"),
            ("application/x-www-form-urlencoded", "username=\(miguel.name)&password=\(miguel.password)"),
            ("application/x-www-form-urlencoded", "access_token=\(refresh)&role=admin&role="),
        ] {
            for path in ["/api/verify", "/api/verify/notes"] {
                let fields = ["Content-Type: \(type)"]
                let connection = try await server.connect()
                let refused = try await connection.send("POST", path, headers: fields, body: body)
                #expect(refused.status == 401, "\(type) \(body)")
                let answer = try await connection.send("POST", path, headers: fields + [miguel.basic], body: body)
                #expect(answer.status == 200, "\(type) \(body)")
            }
        }
    }

    @Test func pagesOfOtherSitesAreRefusedByWhateverMethod() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for field in ["Sec-Fetch-Site: cross-site", "Origin: https://elsewhere.example"] {
            for (method, path) in [
                ("POST", "/api/verify"), ("DELETE", "/api/verify/x"), ("OPTIONS", "/api/verify"),
                ("GET", "/api/verify/x"),
            ] {
                for authorization in [miguel.basic, bearer(token), bearer(token)] {
                    let answer = try await server.send(method, path, headers: [field, authorization])
                    #expect(answer.status == 403, "\(method) \(field)")
                    #expect(answer.code == "cross_site_request")
                }
            }
        }
    }

    // MARK: Roles

    @Test(arguments: [
        ("role=editor", true), ("role=author", false), ("role=author,editor", true), ("role=editor,author", true),
        ("role=author,reader", false), ("role=editor&role=staff", true), ("role=editor&role=author", false),
        ("role=author&role=editor", false), ("role=author,editor&role=reader,staff", true), ("role=Editor", false),
        ("role=edit", false), ("role=editors", false), ("role=editor%2Cauthor", true), ("r%6Fle=author", false),
        ("&role=author&", false), ("role=editor&", true), ("&", true), ("", true),
    ])
    func aGuardedPageAsksForRoles(query: String, isAllowed: Bool) async throws {
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "editor", "staff")
        let token = try await server.token(miguel)
        for path in ["/api/verify", "/api/verify/", "/api/verify/notes/1"] {
            // From the second time on, a token is answered from memory.
            for authorization in [miguel.basic, bearer(token), bearer(token)] {
                for method in ["GET", "POST", "HEAD"] {
                    let answer = try await server.send(method, "\(path)?\(query)", headers: [authorization])
                    #expect(answer.status == (isAllowed ? 200 : 403), "\(method) \(path) \(query)")
                    #expect(answer["Remote-User"] == (isAllowed ? miguel.name : nil))
                    #expect(answer["Remote-Groups"] == (isAllowed ? "editor,staff" : nil))
                    if !isAllowed, method != "HEAD" { #expect(answer.code == "forbidden") }
                }
            }
            #expect(try await server.send("GET", "\(path)?\(query)").status == 401)
        }
    }

    /// Roles that no user can have, and misspelt queries.
    @Test(arguments: [
        "role", "role=", "role=,", "role=editor,", "role=,editor", "role=editor%20", "role=%ff", "role=%zz", "role=%00",
        "role=editor&role=", "role=e%C3%A9", "role=editor/any/path", "roles=editor", "Role=editor",
        "ROLES=editor", "allowed_roles=editor", "allowed_groups=editor", "role=editor&roles=admin", "x=y",
        "role=editor&x=role", "role[]=editor", "?role=editor", "x=1;role=editor", ";role=editor", "&amp;role=editor",
        "role%3Deditor", "role:editor", "role%20=editor", "%20role=editor", "+role=editor", "groups=editor",
        "required_role=editor", "\"role=editor\"", "%zz=editor", "editor", "=editor", "#", "role=editor#x",
        "x#&role=editor", "role=editor;role=admin", "role%00=editor",
    ])
    func whatCannotBeARoleLetsNobodyThrough(query: String) async throws {
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "editor")
        let token = try await server.token(miguel)
        for authorization in [miguel.basic, bearer(token), bearer(token)] {
            let answer = try await server.send("GET", "/api/verify?\(query)", headers: [authorization])
            #expect(answer.status == 400, "\(query)")
            #expect(answer.code == "validation_failed")
            #expect(answer["Remote-User"] == nil)
        }
    }

    /// A query of the client that a proxy keeps belongs to the application.
    @Test func theApplicationsOwnQueryIsNoneOfOurs() async throws {
        let miguel = try await server.newAccount()
        for query in ["groups=5", "roles=x", "%zz", "a=%ff&b", "group"] {
            for path in ["/api/verify/", "/api/verify/list", "/api/verify/verify"] {
                let answer = try await server.send("GET", "\(path)?\(query)", headers: [miguel.basic])
                #expect(answer.status == 200, "\(path) \(query)")
            }
        }
        for query in ["x=y&role=editor", "role=editor&x", "role="] {
            let answer = try await server.send("GET", "/api/verify/list?\(query)", headers: [miguel.basic])
            #expect(answer.status == (query == "role=" ? 400 : 403), "\(query)")
        }
    }

    /// No request has a fragment, and a query after it would not be read.
    @Test func aFragmentLetsNobodyThrough() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for path in ["/api/verify#", "/api/verify#?role=editor", "/api/verify/x#?role=editor", "/api/verify/x?y#"] {
            for authorization in [miguel.basic, bearer(token), bearer(token)] {
                let answer = try await server.send("GET", path, headers: [authorization])
                #expect(answer.status >= 400, "\(path)")
                #expect(answer["Remote-User"] == nil)
            }
        }
    }

    @Test func aRoleThatWasTakenAwayIsMissingAtOnce() async throws {
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "editor")
        let token = try await server.token(miguel)
        func ask() async throws -> Int {
            try await server.send("GET", "/api/verify?role=editor", headers: [bearer(token)]).status
        }
        for _ in 0..<3 { #expect(try await ask() == 200) }
        try await server.command("users", "revoke", miguel.name, "editor")
        try await server.waitForRefusal(of: token)
        #expect(try await ask() == 401)
        #expect(try await server.send("GET", "/api/verify?role=editor", headers: [miguel.basic]).status == 403)
    }
}

/// A proxy that keeps the method asks about preflights as well, and some take any 2xx answer as
/// permission.
@Suite(.server("--cors-origins", "https://app.example.com")) struct VerifyOfPreflights {
    @Test func aPreflightIsNobodysRequest() async throws {
        let server = try SharedServer.current()
        for origin in ["https://app.example.com", "https://elsewhere.example"] {
            for path in [
                "/api/verify", "/api/verify/notes", "/api/verify?role=editor", "//api/verify", "/api//verify",
                "///api/verify/x",
            ] {
                let fields = ["Origin: \(origin)", "Access-Control-Request-Method: GET"]
                #expect(try await server.send("OPTIONS", path, headers: fields).status == 401, "\(path)")
            }
        }
    }
}

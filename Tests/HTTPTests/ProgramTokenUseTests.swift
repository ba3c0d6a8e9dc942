import Foundation
import Support
import Testing

/// Tokens for programs as credentials: in both schemes, in introspection and revocation, and what
/// is refused. Tested on the real binary.
@Suite(.server()) struct ProgramTokenUseTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    // MARK: As credentials

    @Test func aPersonalTokenStandsForItsOwnerInBothSchemes() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.personalToken(of: miguel)
        // From the second time on, it is answered from memory.
        for header in [bearer(token.token), bearer(token.token), basic(token.token, ""), basic(token.token, "x")] {
            let answer = try await server.send("GET", "/api/resource", headers: [header])
            #expect(answer.status == 200)
            #expect(answer.json["data"] as? String == "Hello, \(miguel.name)!")
            #expect(try await server.send("GET", "/api/me", headers: [header]).json["id"] as? Int == miguel.id)
            #expect(try await server.send("GET", "/api/verify", headers: [header]).code == "insufficient_scope")
            let verified = try await server.send("GET", "/api/verify?scope=profile", headers: [header])
            #expect(verified["Remote-User"] == miguel.name)
            #expect(verified["Remote-User-Id"] == "\(miguel.id)")
        }
    }

    @Test func aServiceIsGreetedByItsIDAndNeverPassesForAUser() async throws {
        let scope = "notes:read"
        let (service, token) = try await server.serviceToken(scopes: [scope])
        for header in [bearer(token.token), bearer(token.token), basic(token.token, "")] {
            let answer = try await server.send("GET", "/api/resource", headers: [header])
            #expect(answer.json["data"] as? String == "Hello, \(service)!")
            #expect(try await server.send("GET", "/api/verify", headers: [header]).code == "forbidden")
            let verified = try await server.send("GET", "/api/verify?scope=\(scope)", headers: [header])
            #expect(verified["Remote-User"] == "service:\(service)")
            #expect(verified["Remote-User-Id"] == "service:\(service)")
            #expect(verified["Remote-Groups"] == "")
            for path in [
                "/api/me", "/api/me/sessions", "/api/me/events", "/api/users", "/api/token", "/api/me/factors",
            ] {
                let answer = try await server.send("GET", path, headers: [header])
                #expect(answer.status == 403, "\(path)")
                #expect(answer.code == "forbidden")
            }
            let guarded = try await server.send("GET", "/api/verify?role=admin&scope=\(scope)", headers: [header])
            #expect(guarded.code == "forbidden")
        }
    }

    @Test func whatHasTheFormAndIsNoneIsRefused() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.personalToken(of: miguel).token
        let other = try await RunningServer()
        let foreign = try await other.personalToken(of: other.newAccount()).token
        let (first, last) = (token.dropFirst(7).first == "a" ? "b" : "a", token.last == "0" ? "1" : "0")
        for wrong in [
            foreign, "\(token.dropLast())\(last)", "ra_pat_\(first)\(token.dropFirst(8))", "\(token.dropLast())",
            "\(token)x", token.replacing("ra_pat_", with: "ra_svc_"), token.uppercased(), "ra_pat_", " \(token) x",
        ] as [String] {
            for path in ["/api/resource", "/api/me", "/api/verify"] {
                let answer = try await server.send("GET", path, headers: [bearer(wrong)])
                #expect(answer.status == 401, "\(wrong)")
                #expect(answer.code == "invalid_token", "\(wrong)")
                #expect(answer["WWW-Authenticate"]?.contains(#"error="invalid_token""#) == true)
            }
            #expect(try await server.send("GET", "/api/resource", headers: [basic(wrong, "python")]).status == 401)
        }
    }

    @Test func whatItsScopeDoesNotAllowIsNamedInTheChallenge() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.personalToken(of: miguel, scopes: ["notes:read"]).token
        for header in [bearer(token), basic(token, "")] {
            let answer = try await server.send("GET", "/api/me", headers: [header])
            #expect(answer.status == 403)
            #expect(answer.code == "insufficient_scope")
            let challenge = #"Bearer realm="Authentication Required", error="insufficient_scope""#
            #expect(answer.all("WWW-Authenticate") == [challenge + #", scope="profile""#])
            let never = try await server.send("GET", "/api/token", headers: [header])
            #expect(never.code == "insufficient_scope")
            #expect(never.all("WWW-Authenticate") == [challenge])
        }
    }

    /// It has no session that could end. One that is not live is as any other unknown token.
    @Test func signingOutWithItEndsNothing() async throws {
        let miguel = try await server.newAccount()
        let (token, gone) = (try await server.personalToken(of: miguel), try await server.personalToken(of: miguel))
        let service = try await server.serviceToken().credential
        try await server.delete(gone, of: miguel)
        for live in [token.bearer, basic(token.token, ""), service.bearer] {
            let answer = try await server.send("DELETE", "/api/tokens", headers: [live])
            #expect(answer.status == 403 && answer.code == "insufficient_scope")
        }
        let last = token.token.last == "0" ? "1" : "0"
        let session = try await server.signIn(miguel)
        let type = "Content-Type: application/json"
        for unknown in [gone.token, "\(token.token.dropLast())\(last)"] {
            #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(unknown)]).status == 204)
            #expect(try await server.send("DELETE", "/api/tokens", headers: [basic(unknown, "")]).status == 204)
        }
        #expect(try await server.send("GET", "/api/me", headers: [token.bearer]).status == 200)
        #expect(try await server.send("GET", "/api/resource", headers: [service.bearer]).status == 200)
        // The refresh token beside it ends its own session.
        let answer = try await server.send(
            "DELETE", "/api/tokens", headers: [gone.bearer, type], body: json(["refresh_token": session.refresh]))
        #expect(answer.status == 204)
        #expect(try await server.refresh(session.refresh).status == 400)
    }

    /// None of them makes a session of a token for a program, or another way in.
    @Test func noTokenMakesAnother() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.personalToken(
            of: miguel, scopes: ["profile", "sessions", "tokens", "notes:read"]
        ).token
        let type = "Content-Type: application/json"
        for header in [bearer(token), basic(token, miguel.password)] {
            for (method, path, body) in [
                ("GET", "/api/token", nil), ("POST", "/api/tokens", "{}"), ("DELETE", "/api/tokens", nil),
                ("POST", "/api/me/tokens", json(["name": "x", "scopes": ["profile"]])),
                ("PUT", "/api/me/password", json(["current_password": miguel.password, "new_password": "cobra"])),
                ("DELETE", "/api/me", json(["password": miguel.password])),
                ("POST", "/api/me/factors", json(["type": "totp", "name": "x"])),
                ("POST", "/api/tokens/step-up", json(["password": miguel.password])),
            ] as [(String, String, String?)] {
                let answer = try await server.send(method, path, headers: [header, type], body: body)
                #expect(answer.status == 403, "\(method) \(path)")
                #expect(answer.code == "insufficient_scope", "\(method) \(path)")
            }
        }
        #expect(try await server.send("GET", "/api/resource", headers: [miguel.basic]).status == 200)
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
    }

    // MARK: Scopes before a proxy

    @Test(arguments: [
        ("scope=notes:read", true), ("scope=notes:write", false), ("scope=notes:read+notes:write", false),
        ("scope=notes:read%20mail", true), ("scope=notes:read&scope=mail", true),
        ("scope=notes:read&scope=admin", false), ("scope=notes:rea", false), ("scope=NOTES:READ", false),
        ("scope=profile", false), ("s%63ope=admin", false),
    ])
    func aGuardedPlaceAsksForScopes(query: String, isAllowed: Bool) async throws {
        let miguel = try await server.newAccount()
        let scopes = ["notes:read", "mail"]
        let personal = try await server.personalToken(of: miguel, scopes: scopes).token
        let service = try await server.serviceToken(scopes: scopes).credential.token
        for path in ["/api/verify", "/api/verify/", "/api/verify/notes/1"] {
            for token in [personal, personal, service, service] {
                let answer = try await server.send("GET", "\(path)?\(query)", headers: [bearer(token)])
                // Below, the query is not the operator's: nobody is admitted by it.
                let isAdmitted = isAllowed && path == "/api/verify"
                #expect(answer.status == (isAdmitted ? 200 : 403), "\(path)?\(query)")
                if path == "/api/verify", !isAllowed { #expect(answer.code == "insufficient_scope") }
            }
            // Whoever signs in has no scope, and may do everything.
            #expect(try await server.send("GET", "\(path)?\(query)", headers: [miguel.basic]).status == 200)
            #expect(try await server.send("GET", "\(path)?\(query)").status == 401)
        }
    }

    @Test(arguments: [
        "scope", "scope=", "scope=%22", "scope=a%22b", "scope=a\\b", "scope=a%5Cb", "scope=a%20%20b", "scope=+",
        "scope=a++b", "scope=a+a", "scope=%ff", "scope=%zz",
        "scope=%C3%A9", "scope=a%00", "scope=a%0Ab", "scopes=a", "Scope=a", "scope=a&x=y", "scope=a#b",
    ])
    func whatCannotBeAScopeLetsNobodyThrough(query: String) async throws {
        let miguel = try await server.newAccount()
        let token = try await server.personalToken(of: miguel, scopes: ["a", "b"]).token
        for header in [bearer(token), bearer(token), miguel.basic] {
            let answer = try await server.send("GET", "/api/verify?\(query)", headers: [header])
            #expect(answer.status == 400, "\(query)")
            #expect(answer["Remote-User"] == nil)
        }
    }

    // MARK: Its end

    @Test func itIsRefusedAsSoonAsItIsDeleted() async throws {
        let miguel = try await server.newAccount()
        let (token, other) = (try await server.personalToken(of: miguel), try await server.personalToken(of: miguel))
        for _ in 0..<2 { #expect(try await server.send("GET", "/api/me", headers: [token.bearer]).status == 200) }
        try await server.delete(token, of: miguel)
        for path in ["/api/me", "/api/resource", "/api/verify?scope=profile"] {
            #expect(try await server.send("GET", path, headers: [token.bearer]).status == 401)
            #expect(try await server.send("GET", path, headers: [basic(token.token, "")]).status == 401)
            #expect(try await server.send("GET", path, headers: [other.bearer]).status == 200)
        }
    }

    /// By another process.
    @Test func itIsRefusedWhenItsOwnerIsDisabled() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.personalToken(of: miguel).token
        for _ in 0..<2 {
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        }
        try await server.command("users", "disable", miguel.name)
        try await server.waitForRefusal(of: token)
        try await server.command("users", "enable", miguel.name)
        try await wait(for: "the token again") {
            try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200
        }
        try await server.command("users", "delete", miguel.name)
        try await server.waitForRefusal(of: token)
    }

    @Test func itsRolesAreThoseOfItsOwnerNow() async throws {
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "editor", "staff")
        let token = try await server.personalToken(of: miguel).token
        func groups() async throws -> String? {
            let answer = try await server.send("GET", "/api/verify?scope=profile", headers: [bearer(token)])
            #expect(answer.status == 200)
            return answer["Remote-Groups"]
        }
        for _ in 0..<2 { #expect(try await groups() == "editor,staff") }
        try await server.command("users", "revoke", miguel.name, "editor")
        try await wait(for: "the role to be gone") { try await groups() == "staff" }
    }

    @Test func aServiceEndsWithItsTokens() async throws {
        let (service, token) = try await server.serviceToken()
        for _ in 0..<2 {
            #expect(try await server.send("GET", "/api/resource", headers: [token.bearer]).status == 200)
        }
        try await server.command("services", "delete", service)
        try await server.waitForRefusal(of: token.token)
    }

    // MARK: Introspection (RFC 7662)

    private func client() async throws -> (String) async throws -> [String: Any] {
        let id = RunningServer.newName("gateway")
        let authorization = basic(id, try await server.addClient(id))
        return { [server] token in
            let answer = try await server.send(
                "POST", "/oauth/introspect",
                headers: [authorization, "Content-Type: application/x-www-form-urlencoded"], body: "token=\(token)")
            #expect(answer.status == 200)
            return answer.json
        }
    }

    @Test func aLiveTokenIsDescribed() async throws {
        let (miguel, introspect) = (try await server.newAccount(), try await client())
        try await server.command("users", "grant", miguel.name, "editor")
        let token = try await server.personalToken(of: miguel, scopes: ["profile", "notes:read"], expiresIn: 3600)
        for _ in 0..<2 {
            let description = try await introspect(token.token)
            #expect(description["active"] as? Bool == true)
            #expect(description["token_type"] as? String == "Bearer")
            #expect(description["token_use"] as? String == "personal_token")
            #expect(description["sub"] as? String == "\(miguel.id)")
            #expect(description["username"] as? String == miguel.name)
            #expect(description["roles"] as? [String] == ["editor"])
            #expect(description["scope"] as? String == "notes:read profile")
            #expect(description["jti"] as? String == token.id)
            #expect(description["iss"] as? String == "rest-auth")
            let exp = try #require(description["exp"] as? Int)
            #expect(abs(Double(exp) - Date().timeIntervalSince1970 - 3600) < 300)
        }
        let (service, credential) = try await server.serviceToken(scopes: ["notes:read"])
        let description = try await introspect(credential.token)
        #expect(description["token_use"] as? String == "service_token")
        #expect(description["sub"] as? String == "service:\(service)")
        #expect(description["username"] as? String == "service:\(service)")
        #expect(description["roles"] as? [String] == [])
        #expect(description["scope"] as? String == "notes:read")
    }

    @Test func twentyScopesOfTheGreatestLengthAreDescribed() async throws {
        let (miguel, introspect) = (try await server.newAccount(), try await client())
        let scopes = (0..<20).map { String(repeating: "x", count: 62) + "\($0 + 10)" }
        let personal = try await server.personalToken(of: miguel, scopes: scopes).token
        let service = try await server.serviceToken(scopes: scopes).credential.token
        for token in [personal, personal, service, service] {
            #expect(try await introspect(token)["scope"] as? String == scopes.joined(separator: " "))
            let path = "/api/verify?scope=\(scopes.joined(separator: "+"))"
            #expect(try await server.send("GET", path, headers: [bearer(token)]).status == 200)
        }
    }

    @Test func ofNoOtherTokenAnythingIsSaid() async throws {
        let (miguel, introspect) = (try await server.newAccount(), try await client())
        let (token, other) = (try await server.personalToken(of: miguel), try await server.personalToken(of: miguel))
        _ = try await introspect(token.token)
        try await server.delete(token, of: miguel)
        let last = other.token.last == "0" ? "1" : "0"
        for wrong in [token.token, "\(other.token.dropLast())\(last)", "\(other.token.dropLast())"] as [String] {
            #expect(try await introspect(wrong) as? [String: Bool] == ["active": false], "\(wrong)")
        }
        try await server.command("users", "disable", miguel.name)
        try await wait(for: "the end of the other") {
            try await introspect(other.token) as? [String: Bool] == ["active": false]
        }
    }

    // MARK: Revocation (RFC 7009)

    @Test func aClientDeletesTheTokenThatItShows() async throws {
        let miguel = try await server.newAccount()
        let id = RunningServer.newName("gateway")
        let authorization = basic(id, try await server.addClient(id))
        let type = "Content-Type: application/x-www-form-urlencoded"
        let (token, other) = (try await server.personalToken(of: miguel), try await server.personalToken(of: miguel))
        let service = try await server.serviceToken().credential
        for refused in [[], [miguel.basic], [token.bearer], [basic(id, "wrong")]] {
            let answer = try await server.send(
                "POST", "/oauth/revoke", headers: refused + [type], body: "token=\(token.token)")
            #expect(answer.status == 401)
        }
        #expect(try await server.send("GET", "/api/me", headers: [token.bearer]).status == 200)
        for token in [token, service] {
            // The second time it is unknown, which is no error.
            for _ in 0..<2 {
                let answer = try await server.send(
                    "POST", "/oauth/revoke", headers: [authorization, type],
                    body: "token=\(token.token)&token_type_hint=refresh_token")
                #expect(answer.status == 200)
            }
            #expect(try await server.send("GET", "/api/resource", headers: [token.bearer]).status == 401)
        }
        #expect(try await server.send("GET", "/api/me", headers: [other.bearer]).status == 200)
        let tokens = try await server.send("GET", "/api/me/tokens", headers: [miguel.basic])
        #expect(!tokens.body.contains(token.id))
        #expect(tokens.body.contains(other.id))
    }

    /// A token that leaked is taken away also while nobody can use it.
    @Test func theTokenOfADisabledUserIsDeletedAllTheSame() async throws {
        let miguel = try await server.newAccount()
        let id = RunningServer.newName("gateway")
        let headers = [
            basic(id, try await server.addClient(id)), "Content-Type: application/x-www-form-urlencoded",
        ]
        let (token, other) = (try await server.personalToken(of: miguel), try await server.personalToken(of: miguel))
        try await server.command("users", "disable", miguel.name)
        let answer = try await server.send("POST", "/oauth/revoke", headers: headers, body: "token=\(token.token)")
        #expect(answer.status == 200)
        try await server.command("users", "enable", miguel.name)
        try await wait(for: "the other token again") {
            try await server.send("GET", "/api/resource", headers: [other.bearer]).status == 200
        }
        #expect(try await server.send("GET", "/api/resource", headers: [token.bearer]).status == 401)
        #expect(try await !server.send("GET", "/api/me/tokens", headers: [miguel.basic]).body.contains(token.id))
    }
}

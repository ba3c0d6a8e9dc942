import Foundation
import Support
import Testing

/// The routes for other services: introspection, revocation, keys, verification, the list of
/// revocations. Tested on the real binary.
@Suite(.server()) struct OtherServicesTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    /// A client with its secret.
    private struct Client {
        let server: RunningServer
        let id: String
        let secret: String
        let authorization: String

        init(of server: RunningServer) async throws {
            self.server = server
            id = RunningServer.newName("gateway")
            secret = try await server.addClient(id)
            authorization = basic(id, secret)
        }

        func post(_ path: String, _ form: String) async throws -> HTTPAnswer {
            try await server.post(path, form, [authorization])
        }

        func introspect(_ token: String, hint: String? = nil) async throws -> [String: Any] {
            let form = "token=\(token)" + (hint.map { "&token_type_hint=\($0)" } ?? "")
            let answer = try await post("/oauth/introspect", form)
            #expect(answer.status == 200)
            #expect(answer["Cache-Control"] == "no-store")
            return answer.json
        }

        func isInactive(_ token: String) async throws -> Bool {
            try await introspect(token) as? [String: Bool] == ["active": false]
        }
    }

    // MARK: Introspection (RFC 7662)

    @Test(arguments: [nil, "access_token", "refresh_token", "nonsense"])
    func aLiveTokenIsDescribedWhateverTheHint(hint: String?) async throws {
        let (client, miguel) = (try await Client(of: server), try await server.newAccount())
        let tokens = try await server.signIn(miguel)
        let access = try await client.introspect(tokens.access, hint: hint)
        #expect(access["active"] as? Bool == true)
        #expect(access["token_type"] as? String == "Bearer")
        #expect(access["token_use"] as? String == "access_token")
        #expect(access["sub"] as? String == "\(miguel.id)")
        #expect(access["username"] as? String == miguel.name)
        #expect(access["iss"] as? String == "rest-auth")
        let (issued, expires) = (try #require(access["iat"] as? Int), try #require(access["exp"] as? Int))
        #expect(expires - issued == 600)
        let refresh = try await client.introspect(tokens.refresh, hint: hint)
        #expect(refresh["active"] as? Bool == true)
        #expect(refresh["sid"] as? String == access["sid"] as? String)
        #expect(refresh["token_type"] == nil)
        #expect(refresh["token_use"] as? String == "refresh_token")
        // Introspection does not count as use of the token.
        #expect(try await server.refresh(tokens.refresh).status == 200)
    }

    @Test func whateverIsNoGoodIsInactiveAndNothingMore() async throws {
        let (client, miguel) = (try await Client(of: server), try await server.newAccount())
        let tokens = try await server.signIn(miguel)
        let tampered = tokens.access.dropLast(2) + (tokens.access.hasSuffix("AA") ? "BB" : "AA")
        for token in ["x", "x.y.z", "%20", String(tampered), String(tokens.refresh.dropLast()), miguel.name, "a%00b"] {
            #expect(try await client.isInactive(token))
        }
        // The token has been replaced twice: the first is inactive, and asking about it ends
        // nothing.
        let second = try #require(try await server.refresh(tokens.refresh).json["refresh_token"] as? String)
        #expect(try await !client.isInactive(tokens.refresh))
        let third = try #require(try await server.refresh(second).json["refresh_token"] as? String)
        #expect(try await client.isInactive(tokens.refresh))
        #expect(try await !client.isInactive(third))
        try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        for token in [tokens.access, tokens.refresh, second, third] {
            #expect(try await client.isInactive(token))
        }
    }

    @Test func theTokensOfADisabledUserAreInactive() async throws {
        let (client, miguel) = (try await Client(of: server), try await server.newAccount())
        let tokens = try await server.signIn(miguel)
        try await server.command("users", "disable", miguel.name)
        try await server.waitForRefusal(of: tokens.access)
        #expect(try await client.isInactive(tokens.access))
        #expect(try await client.isInactive(tokens.refresh))
    }

    @Test(arguments: ["/oauth/introspect", "/oauth/revoke"])
    func onlyAClientMayAsk(path: String) async throws {
        let (client, miguel) = (try await Client(of: server), try await server.newAccount())
        let token = try await server.signIn(miguel).access
        for headers in [
            [], [basic(client.id, "wrong")], [basic("other", "x")], [miguel.basic], [bearer(token)],
            [basic(token, "x")], [basic("", "")], ["Authorization: Basic !"], ["Authorization: Basic"],
        ] {
            let answer = try await server.post(path, "token=\(token)", headers)
            #expect(answer.status == 401)
            #expect(answer.code == "invalid_client")
            #expect(answer.json["error"] as? String == "invalid_client")
            #expect(answer["WWW-Authenticate"]?.hasPrefix("Basic realm=") == true)
        }
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        try await server.command("clients", "delete", client.id)
        #expect(try await client.post(path, "token=\(token)").status == 401)
    }

    /// A secret that was sent as the id looks like an id.
    @Test func whatIsNoClientsIdIsNotInTheLog() async throws {
        let (client, other) = (try await Client(of: server), try await Client(of: server))
        let long = String(repeating: "\(other.id)-", count: 10_000 / other.id.utf8.count)
        for path in ["/oauth/introspect", "/oauth/revoke"] {
            for id in [client.secret, client.id + "x", long, client.id + "\u{301}", "x\0\(client.secret)"] {
                let form = "token=x&client_id=\(formEncoded(id))&client_secret=\(client.id)"
                #expect(try await server.post(path, form, []).status == 401)
                // Longer than a header field may be.
                if id == long { continue }
                let header = basic(formEncoded(id), "x")
                #expect(try await server.post(path, "token=x", [header]).status == 401)
            }
        }
        let last = try await server.post("/oauth/introspect", "token=x&client_id=\(client.id)&client_secret=x", [])
        #expect(last.status == 401)
        try await wait(for: "the line") { server.log.contains("client_refused client_id=\(client.id) ") }
        for text in [client.secret, client.id + "x", other.id] { #expect(!server.log.contains(text)) }
    }

    private func formEncoded(_ text: String) -> String {
        text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(arguments: ["/oauth/introspect", "/oauth/revoke"])
    func aRequestThatIsNotOneTokenIsABadRequest(path: String) async throws {
        let client = try await Client(of: server)
        for form in ["", "token=", "token", "tokens=x", "token=x&token=y", "token=%", "token=%zz", "token=%ff"] {
            let answer = try await client.post(path, form)
            #expect(answer.status == 400)
            #expect(answer.json["error"] as? String == "invalid_request")
        }
        for type in ["application/json", "text/plain", "multipart/form-data"] {
            #expect(try await server.post(path, "token=x", [client.authorization], type: type).status == 415)
        }
        for method in ["GET", "PUT", "DELETE"] {
            #expect(try await server.send(method, path, headers: [client.authorization]).status == 405)
        }
        #expect(try await client.post(path, "token=" + String(repeating: "x", count: 100_000)).status == 413)
    }

    @Test func aClientMaySignInByTheFormAndNotTwice() async throws {
        let client = try await Client(of: server)
        let id = RunningServer.newName("other.client")
        let secret = try await server.addClient(id)
        let form = "token=x&client_id=\(id)&client_secret=\(secret)"
        #expect(try await server.post("/oauth/introspect", form, []).status == 200)
        let twice = try await client.post("/oauth/introspect", form)
        #expect(twice.json["error"] as? String == "invalid_request")
        #expect(try await server.post("/oauth/introspect", form.replacing(secret, with: "x"), []).status == 401)
        // Form-encoded before it is encoded as Basic (RFC 6749 section 2.3.1).
        let encoded = basic(
            id.replacing(".", with: "%2E").replacing("-", with: "%2D"), secret.replacing("-", with: "%2D"))
        #expect(try await server.post("/oauth/introspect", "token=x&client_id=\(id)", [encoded]).status == 200)
    }

    // MARK: Revocation (RFC 7009)

    @Test func eitherTokenEndsItsSessionAndUnknownOnesAreNoError() async throws {
        let (client, miguel) = (try await Client(of: server), try await server.newAccount())
        for useRefreshToken in [true, false] {
            let tokens = try await server.signIn(miguel)
            let hint = useRefreshToken ? "access_token" : "refresh_token"  // the wrong one each time
            let form = "token=\(useRefreshToken ? tokens.refresh : tokens.access)&token_type_hint=\(hint)"
            for _ in 0..<2 {
                let answer = try await client.post("/oauth/revoke", form)
                #expect(answer.status == 200)
                #expect(answer.body.isEmpty)
            }
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401)
            #expect(try await server.refresh(tokens.refresh).code == "invalid_grant")
        }
        for token in ["x", "x.y.z", miguel.name] {
            #expect(try await client.post("/oauth/revoke", "token=\(token)").status == 200)
        }
    }

    // MARK: The list of revocations

    /// Uses a server of its own, because it reads the whole list.
    @Test func theListSaysWhatIsRefusedAndNothingOfWhose() async throws {
        let server = try await RunningServer()
        let (client, miguel) = (try await Client(of: server), try await server.newAccount())
        let tokens = try await server.signIn(miguel)
        #expect(try await server.send("GET", "/api/revocations").json["revocations"] as? [String] == [])
        let sid = try #require(try await client.introspect(tokens.access)["sid"] as? String)
        try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        let first = try await server.send("GET", "/api/revocations")
        #expect(first.status == 200)
        let line = try #require((first.json["revocations"] as? [[String: Any]])?.first)
        #expect(Set(line.keys) == ["number", "sid", "refused", "at", "exp"])
        // Five minutes after the token, to the second.
        let end = try #require(try await client.introspect(server.signIn(miguel).access)["exp"] as? Int)
        let exp = try #require(line["exp"] as? Int)
        #expect(exp > (line["at"] as? Int ?? .max) && exp <= end + 301)
        #expect(line["sid"] as? String == sid)
        #expect(line["refused"] as? Bool == true)
        let last = try #require(first.json["last"] as? Int)
        let nothing = try await server.send("GET", "/api/revocations?since=\(last)")
        #expect(nothing.json["revocations"] as? [String] == [])

        try await server.command("users", "revoke", miguel.name, "admin")
        try await server.command("users", "disable", miguel.name)
        try await server.command("users", "enable", miguel.name)
        let second = try await server.send("GET", "/api/revocations?since=\(last)")
        let rest = second.json["revocations"] as? [[String: Any]]
        #expect(rest?.map { $0["sub"] as? String } == Array(repeating: "\(miguel.id)", count: 3))
        // The name of a role is hidden from everyone without a token that has it.
        #expect(!second.body.contains("admin"))
        #expect(rest?.map { ($0["role"] as? String)?.utf8.count } == [43, nil, nil])
        #expect(rest?.map { $0["refused"] as? Bool } == [true, true, false])
    }

    /// Uses a server of its own, because it counts revocations.
    @Test func anUnchangedListHasNoBody() async throws {
        let server = try await RunningServer()
        let miguel = try await server.newAccount()
        let tokens = [try await server.signIn(miguel), try await server.signIn(miguel)]
        try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens[0].access)])
        let first = try await server.send("GET", "/api/revocations?since=0")
        let tag = try #require(first["ETag"])
        let second = try await server.send("GET", "/api/revocations?since=0", headers: ["If-None-Match: \(tag)"])
        #expect(second.status == 304)
        #expect(second.body.isEmpty)
        #expect(second["ETag"] == tag)
        try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens[1].access)])
        let third = try await server.send("GET", "/api/revocations?since=0", headers: ["If-None-Match: \(tag)"])
        #expect(third.status == 200)
        #expect((third.json["revocations"] as? [Any])?.count == 2)
    }

    /// Uses a server of its own, because it counts revocations.
    @Test func aNumberThatWasNeverGivenIsAnsweredWithTheLastThatWas() async throws {
        let server = try await RunningServer()
        let tokens = try await server.signIn(server.newAccount())
        #expect(try await server.send("GET", "/api/revocations?since=99").json["last"] as? Int == 0)
        try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        #expect(try await server.send("GET", "/api/revocations?since=99").json["last"] as? Int == 1)
        #expect(try await server.send("GET", "/api/revocations?since=1").json["last"] as? Int == 1)
    }

    @Test(arguments: ["-1", "%2B1", "x", "", "1.5", "99999999999999999999", "%00"])
    func anImpossibleNumberIsABadRequest(since: String) async throws {
        #expect(try await server.send("GET", "/api/revocations?since=\(since)").code == "validation_failed")
    }

    // MARK: Keys and metadata

    /// Uses a server with settings of its own.
    @Test func theMetadataNamesWhatExists() async throws {
        let url = "https://auth.example.com/base"
        let server = try await RunningServer(["--public-url", url])
        let metadata = try await server.send("GET", "/.well-known/oauth-authorization-server").json
        #expect(metadata["issuer"] as? String == url)
        #expect(metadata["jwks_uri"] as? String == url + "/.well-known/jwks.json")
        #expect(metadata["introspection_endpoint"] as? String == url + "/oauth/introspect")
        #expect(metadata["revocation_endpoint"] as? String == url + "/oauth/revoke")
        #expect(metadata["token_endpoint"] == nil)
        for name in ["jwks_uri", "introspection_endpoint", "revocation_endpoint"] {
            let path = try #require(metadata[name] as? String).replacing(url, with: "")
            #expect(try await server.send("OPTIONS", path).status == 204)
        }
        let keys = try await server.send("GET", "/.well-known/jwks.json")
        #expect(keys["Cache-Control"] == "public, max-age=300")
        let key = try #require((keys.json["keys"] as? [[String: String]])?.first)
        #expect(Set(key.keys) == ["kty", "crv", "x", "y", "alg", "use", "kid"])
    }

    @Test func metadataThatNameTheRequestsHostAreForNoCache() async throws {
        let answer = try await server.send(
            "GET", "/.well-known/oauth-authorization-server", headers: ["Host: evil.example"])
        #expect(answer["Cache-Control"] == "no-store")
    }

    // MARK: Verification for a proxy

    @Test func whoIsSignedInIsInTheHeader() async throws {
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "editor", "admin")
        let tokens = try await server.signIn(miguel)
        for authorization in [
            basic(miguel.name.uppercased(), miguel.password), bearer(tokens.access), basic(tokens.access, ""),
            bearer(tokens.access),
        ] {
            let answer = try await server.send("GET", "/api/verify", headers: [authorization])
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
            #expect(answer["Remote-User"] == miguel.name)
            #expect(answer["Remote-User-Id"] == "\(miguel.id)")
            #expect(answer["Remote-Groups"] == "admin,editor")
            #expect(answer["Cache-Control"] == "no-store")
        }
        let japanese = try await server.newAccount("日本語")
        let other = try await server.send("GET", "/api/verify", headers: [japanese.basic])
        #expect(other["Remote-User"] == japanese.name)
        #expect(other["Remote-Groups"] == "")
    }

    @Test func whoIsNotGetsTheChallengeAndNoName() async throws {
        let miguel = try await server.newAccount()
        for headers in [
            [], [basic(miguel.name, "wrong")], [bearer("x")], ["Remote-User: \(miguel.name)"],
            ["X-Forwarded-User: \(miguel.name)"],
        ] {
            let answer = try await server.send("GET", "/api/verify", headers: headers)
            #expect(answer.status == 401)
            let scheme = headers == [bearer("x")] ? "Bearer" : "Basic"
            #expect(answer["WWW-Authenticate"]?.hasPrefix("\(scheme) realm=") == true)
            #expect(answer["Remote-User"] == nil)
        }
    }
}

extension RunningServer {
    fileprivate func post(
        _ path: String, _ form: String, _ headers: [String], type: String = "application/x-www-form-urlencoded"
    ) async throws -> HTTPAnswer {
        try await send("POST", path, headers: headers + ["Content-Type: \(type)"], body: form)
    }
}

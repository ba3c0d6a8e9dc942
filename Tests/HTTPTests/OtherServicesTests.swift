import Foundation
import Support
import Testing

/// What other services ask: introspection, revocation, keys, verification, the list of revocations.
/// Through the real binary.
@Suite struct OtherServicesTests {
    let server: RunningServer
    let client: String

    init() async throws {
        server = try await RunningServer()
        _ = try server.register("miguel", "python")
        client = basic("gateway", try await server.addClient("gateway"))
    }

    private func post(
        _ path: String, _ form: String, _ headers: [String], type: String = "application/x-www-form-urlencoded"
    ) throws
        -> HTTPAnswer
    {
        try server.send("POST", path, headers: headers + ["Content-Type: \(type)"], body: form)
    }

    private func introspect(_ token: String, hint: String? = nil) throws -> [String: Any] {
        let answer = try post(
            "/oauth/introspect", "token=\(token)" + (hint.map { "&token_type_hint=\($0)" } ?? ""), [client])
        #expect(answer.status == 200)
        #expect(answer["Cache-Control"] == "no-store")
        return answer.json
    }

    private func isInactive(_ token: String) throws -> Bool {
        try introspect(token) as? [String: Bool] == ["active": false]
    }

    // MARK: Introspection (RFC 7662)

    @Test(arguments: [nil, "access_token", "refresh_token", "nonsense"])
    func aLiveTokenIsDescribedWhateverTheHint(hint: String?) throws {
        let tokens = try server.signIn()
        let access = try introspect(tokens.access, hint: hint)
        #expect(access["active"] as? Bool == true)
        #expect(access["token_type"] as? String == "Bearer")
        #expect(access["token_use"] as? String == "access_token")
        #expect(access["sub"] as? String == "1")
        #expect(access["username"] as? String == "miguel")
        #expect(access["iss"] as? String == "rest-auth")
        let (issued, expires) = (try #require(access["iat"] as? Int), try #require(access["exp"] as? Int))
        #expect(expires - issued == 600)
        let refresh = try introspect(tokens.refresh, hint: hint)
        #expect(refresh["active"] as? Bool == true)
        #expect(refresh["sid"] as? String == access["sid"] as? String)
        #expect(refresh["token_type"] == nil)
        #expect(refresh["token_use"] as? String == "refresh_token")
        // Asking is not using.
        #expect(try server.refresh(tokens.refresh).status == 200)
    }

    @Test func whateverIsNoGoodIsInactiveAndNothingMore() async throws {
        let tokens = try server.signIn()
        let tampered = tokens.access.dropLast(2) + (tokens.access.hasSuffix("AA") ? "BB" : "AA")
        for token in ["x", "x.y.z", "%20", String(tampered), String(tokens.refresh.dropLast()), "miguel", "a%00b"] {
            #expect(try isInactive(token))
        }
        // Used twice over: the first is inactive, and asking about it ends nothing.
        let second = try #require(server.refresh(tokens.refresh).json["refresh_token"] as? String)
        #expect(try !isInactive(tokens.refresh))
        let third = try #require(server.refresh(second).json["refresh_token"] as? String)
        #expect(try isInactive(tokens.refresh))
        #expect(try !isInactive(third))
        _ = try server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        for token in [tokens.access, tokens.refresh, second, third] { #expect(try isInactive(token)) }
    }

    @Test func theTokensOfADisabledUserAreInactive() async throws {
        let tokens = try server.signIn()
        _ = try await server.command("users", "disable", "miguel")
        try await wait(seconds: 2, for: "the refusal") { try isInactive(tokens.access) }
        #expect(try isInactive(tokens.refresh))
    }

    @Test(arguments: ["/oauth/introspect", "/oauth/revoke"])
    func onlyAClientMayAsk(path: String) async throws {
        let token = try server.signIn().access
        for headers in [
            [], [basic("gateway", "wrong")], [basic("other", "x")], [basic("miguel", "python")], [bearer(token)],
            [basic(token, "x")],
            [basic("", "")], ["Authorization: Basic !"], ["Authorization: Basic"],
        ] {
            let answer = try post(path, "token=\(token)", headers)
            #expect(answer.status == 401)
            #expect(answer.code == "invalid_client")
            #expect(answer.json["error"] as? String == "invalid_client")
            #expect(answer["WWW-Authenticate"]?.hasPrefix("Basic realm=") == true)
        }
        #expect(try server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        _ = try await server.command("clients", "remove", "gateway")
        #expect(try post(path, "token=\(token)", [client]).status == 401)
    }

    @Test func whatIsNoClientsIdIsNotInTheLog() async throws {
        let id = String(repeating: "x", count: 10_000)
        _ = try post("/oauth/introspect", "token=x&client_id=\(id)&client_secret=x", [])
        _ = try post("/oauth/introspect", "token=x&client_id=other&client_secret=x", [])
        try await wait(seconds: 5, for: "the line") { server.log.contains("client_refused client_id=other") }
        #expect(!server.log.contains("xxxxx"))
    }

    @Test(arguments: ["/oauth/introspect", "/oauth/revoke"])
    func aRequestThatIsNotOneTokenIsABadRequest(path: String) throws {
        for form in ["", "token=", "token", "tokens=x", "token=x&token=y", "token=%", "token=%zz", "token=%ff"] {
            let answer = try post(path, form, [client])
            #expect(answer.status == 400)
            #expect(answer.json["error"] as? String == "invalid_request")
        }
        for type in ["application/json", "text/plain", "multipart/form-data"] {
            #expect(try post(path, "token=x", [client], type: type).status == 415)
        }
        for method in ["GET", "PUT", "DELETE"] {
            #expect(try server.send(method, path, headers: [client]).status == 405)
        }
        #expect(try post(path, "token=" + String(repeating: "x", count: 100_000), [client]).status == 413)
    }

    @Test func aClientMaySignInByTheFormAndNotTwice() async throws {
        let secret = try await server.addClient("other.client-2")
        let form = "token=x&client_id=other.client-2&client_secret=\(secret)"
        #expect(try post("/oauth/introspect", form, []).status == 200)
        #expect(try post("/oauth/introspect", form, [client]).json["error"] as? String == "invalid_request")
        #expect(try post("/oauth/introspect", form.replacing(secret, with: "x"), []).status == 401)
        // Encoded as a form before it is encoded as Basic (RFC 6749 section 2.3.1).
        let encoded = basic("other%2Eclient%2D2", secret.replacing("-", with: "%2D"))
        #expect(try post("/oauth/introspect", "token=x&client_id=other.client-2", [encoded]).status == 200)
    }

    // MARK: Revocation (RFC 7009)

    @Test func eitherTokenEndsItsSessionAndUnknownOnesAreNoError() throws {
        for useRefreshToken in [true, false] {
            let tokens = try server.signIn()
            let hint = useRefreshToken ? "access_token" : "refresh_token"  // the wrong one each time
            let form = "token=\(useRefreshToken ? tokens.refresh : tokens.access)&token_type_hint=\(hint)"
            for _ in 0..<2 {
                let answer = try post("/oauth/revoke", form, [client])
                #expect(answer.status == 200)
                #expect(answer.body.isEmpty)
            }
            #expect(try server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 401)
            #expect(try server.refresh(tokens.refresh).code == "invalid_grant")
        }
        for token in ["x", "x.y.z", "miguel"] {
            #expect(try post("/oauth/revoke", "token=\(token)", [client]).status == 200)
        }
    }

    // MARK: The list of revocations

    @Test func theListSaysWhatIsRefusedAndNothingOfWhose() async throws {
        let tokens = try server.signIn()
        #expect(try server.send("GET", "/api/revocations").json["revocations"] as? [String] == [])
        let sid = try #require(introspect(tokens.access)["sid"] as? String)
        _ = try server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        let first = try server.send("GET", "/api/revocations")
        #expect(first.status == 200)
        let line = try #require((first.json["revocations"] as? [[String: Any]])?.first)
        #expect(Set(line.keys) == ["number", "sid", "refused", "at"])
        #expect(line["sid"] as? String == sid)
        #expect(line["refused"] as? Bool == true)
        let last = try #require(first.json["last"] as? Int)
        #expect(try server.send("GET", "/api/revocations?since=\(last)").json["revocations"] as? [String] == [])

        _ = try await server.command("users", "revoke", "miguel", "admin")
        _ = try await server.command("users", "disable", "miguel")
        _ = try await server.command("users", "enable", "miguel")
        let rest = try server.send("GET", "/api/revocations?since=\(last)").json["revocations"] as? [[String: Any]]
        #expect(rest?.map { $0["sub"] as? String } == ["1", "1", "1"])
        #expect(rest?.map { $0["role"] as? String } == ["admin", nil, nil])
        #expect(rest?.map { $0["refused"] as? Bool } == [true, true, false])
    }

    @Test func anUnchangedListHasNoBody() throws {
        let tokens = [try server.signIn(), try server.signIn()]
        _ = try server.send("DELETE", "/api/tokens", headers: [bearer(tokens[0].access)])
        let first = try server.send("GET", "/api/revocations?since=0")
        let tag = try #require(first["ETag"])
        let second = try server.send("GET", "/api/revocations?since=0", headers: ["If-None-Match: \(tag)"])
        #expect(second.status == 304)
        #expect(second.body.isEmpty)
        #expect(second["ETag"] == tag)
        _ = try server.send("DELETE", "/api/tokens", headers: [bearer(tokens[1].access)])
        let third = try server.send("GET", "/api/revocations?since=0", headers: ["If-None-Match: \(tag)"])
        #expect(third.status == 200)
        #expect((third.json["revocations"] as? [Any])?.count == 2)
    }

    @Test func aNumberThatWasNeverGivenIsAnsweredWithTheLastThatWas() async throws {
        let tokens = try server.signIn()
        #expect(try server.send("GET", "/api/revocations?since=99").json["last"] as? Int == 0)
        _ = try server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        #expect(try server.send("GET", "/api/revocations?since=99").json["last"] as? Int == 1)
        #expect(try server.send("GET", "/api/revocations?since=1").json["last"] as? Int == 1)
    }

    @Test(arguments: ["-1", "%2B1", "x", "", "1.5", "99999999999999999999", "%00"])
    func anImpossibleNumberIsABadRequest(since: String) throws {
        #expect(try server.send("GET", "/api/revocations?since=\(since)").code == "validation_failed")
    }

    // MARK: Keys and metadata

    @Test func theMetadataNamesWhatExists() async throws {
        let url = "https://auth.example.com/base"
        let server = try await RunningServer(["--public-url", url])
        let metadata = try server.send("GET", "/.well-known/oauth-authorization-server").json
        #expect(metadata["issuer"] as? String == url)
        #expect(metadata["jwks_uri"] as? String == url + "/.well-known/jwks.json")
        #expect(metadata["introspection_endpoint"] as? String == url + "/oauth/introspect")
        #expect(metadata["revocation_endpoint"] as? String == url + "/oauth/revoke")
        #expect(metadata["token_endpoint"] == nil)
        for name in ["jwks_uri", "introspection_endpoint", "revocation_endpoint"] {
            let path = try #require(metadata[name] as? String).replacing(url, with: "")
            #expect(try server.send("OPTIONS", path).status == 204)
        }
        let keys = try server.send("GET", "/.well-known/jwks.json")
        #expect(keys["Cache-Control"] == "public, max-age=300")
        let key = try #require((keys.json["keys"] as? [[String: String]])?.first)
        #expect(Set(key.keys) == ["kty", "crv", "x", "y", "alg", "use", "kid"])
    }

    @Test func metadataThatNameTheRequestsHostAreForNoCache() throws {
        let answer = try server.send("GET", "/.well-known/oauth-authorization-server", headers: ["Host: evil.example"])
        #expect(answer["Cache-Control"] == "no-store")
    }

    // MARK: Verification for a proxy

    @Test func whoIsSignedInIsInTheHeader() async throws {
        _ = try await server.command("users", "grant", "miguel", "editor", "admin")
        _ = try server.register("日本語", "python")
        let tokens = try server.signIn()
        for authorization in [
            basic("MIGUEL", "python"), bearer(tokens.access), basic(tokens.access, ""), bearer(tokens.access),
        ] {
            let answer = try server.send("GET", "/api/verify", headers: [authorization])
            #expect(answer.status == 200)
            #expect(answer.body.isEmpty)
            #expect(answer["Remote-User"] == "miguel")
            #expect(answer["Remote-User-Id"] == "1")
            #expect(answer["Remote-Groups"] == "admin,editor")
            #expect(answer["Cache-Control"] == "no-store")
        }
        let other = try server.send("GET", "/api/verify", headers: [basic("日本語", "python")])
        #expect(other["Remote-User"] == "日本語")
        #expect(other["Remote-Groups"] == "")
    }

    @Test func whoIsNotGetsTheChallengeAndNoName() throws {
        for headers in [
            [], [basic("miguel", "wrong")], [bearer("x")], ["Remote-User: miguel"], ["X-Forwarded-User: miguel"],
        ] {
            let answer = try server.send("GET", "/api/verify", headers: headers)
            #expect(answer.status == 401)
            #expect(answer["WWW-Authenticate"]?.hasPrefix("Basic realm=") == true)
            #expect(answer["Remote-User"] == nil)
        }
    }
}

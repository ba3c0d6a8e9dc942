import Foundation
import RESTAuthVerifier
import Support
import Testing

/// The audience of tokens and the type in their header, tested on the real binary.
@Suite struct TokenAudienceTests {
    private static let api = "https://api.example.com"

    @Test(
        arguments: [
            ([], "rest-auth", ["rest-auth"], "at+jwt"),
            (
                ["--public-url", "https://auth.example.com/"], "https://auth.example.com", ["https://auth.example.com"],
                "at+jwt"
            ),
            (["--token-audience", api], "rest-auth", [api], "at+jwt"),
            (["--token-audience", "\(api), notes", "--token-type", "jwt"], "rest-auth", [api, "notes"], "JWT"),
        ] as [([String], String, [String], String)])
    func everyTokenHasTheClaimsOfRFC9068(
        arguments: [String], issuer: String, audience: [String], type: String
    ) async throws {
        let server = try await RunningServer(arguments)
        let (miguel, client) = (try await server.newAccount(), try await server.addClient("gateway"))
        let tokens = try await server.signIn(miguel)
        let renewed = try await server.refresh(tokens.refresh).json["access_token"] as? String
        let changed = try await server.send(
            "PUT", "/api/me/password", headers: [bearer(tokens.access), "Content-Type: application/json"],
            body: json(["current_password": "python", "new_password": "monty"]))
        let plain = try await server.token(miguel.name, "monty")
        let last = try #require(changed.json["access_token"] as? String)
        for token in [tokens.access, try #require(renewed), plain, last] {
            let (header, claims) = (members(of: token, 0), members(of: token, 1))
            #expect(header["typ"] as? String == type)
            for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
                #expect(claims[name] != nil, "\(name)")
            }
            #expect(claims["iss"] as? String == issuer)
            #expect(claims["client_id"] as? String == issuer)
            #expect(audiences(claims["aud"]) == audience)
            #expect((claims["aud"] is String) == (audience.count == 1))
        }
        for token in [plain, last] {
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
            let answer = try await server.send(
                "POST", "/oauth/introspect",
                headers: [basic("gateway", client), "Content-Type: application/x-www-form-urlencoded"],
                body: "token=\(token)")
            #expect(answer.json["active"] as? Bool == true)
            #expect(answer.json["client_id"] as? String == issuer)
            #expect(audiences(answer.json["aud"]) == audience)
        }
    }

    /// One server after the other on the same data.
    @Test func aChangeOfEitherSettingRefusesNoLiveToken() async throws {
        let changes = [
            [], ["--token-type", "JWT"], ["--token-audience", Self.api], ["--token-audience", "notes,\(Self.api)"], [],
        ]
        let directory = try TemporaryDirectory()
        var tokens: [(access: String, refresh: String)] = []
        var miguel: Account?
        for arguments in changes {
            let server = try await RunningServer(arguments, directory: directory)
            let account = if let miguel { miguel } else { try await server.newAccount() }
            miguel = account
            for token in tokens {
                #expect(try await server.send("GET", "/api/resource", headers: [bearer(token.access)]).status == 200)
                #expect(try await server.refresh(token.refresh).status == 200)
            }
            let new = try await server.signIn(account)
            tokens.append((new.access, new.refresh))
            #expect(try await server.stop() == 0)
        }
        #expect(Set(tokens.map { members(of: $0.access, 0)["typ"] as? String }) == ["at+jwt", "JWT"])
        #expect(Set(tokens.map { audiences(members(of: $0.access, 1)["aud"]) }).count == 3)
    }

    /// Uses a server with settings of its own.
    @Test func aVerifierTakesWhatIsMadeOutToItAndNothingElse() async throws {
        let server = try await RunningServer(["--token-audience", "\(Self.api),notes", "--token-type", "JWT"])
        let token = Array(try await server.signIn(server.newAccount()).access.utf8)
        func verifier(_ audiences: [String]?) throws -> Verifier {
            var configuration = VerifierConfiguration()
            (configuration.issuer, configuration.audiences) = ("rest-auth", audiences)
            configuration.bound = .seconds(3600)
            return try Verifier(at: "http://127.0.0.1:\(server.port)", configuration: configuration)
        }
        for (audiences, isTaken) in [
            (["notes"], true), ([Self.api], true), (["other", "notes"], true), (nil, false), (["other"], false),
            (["NOTES"], false), ([], false),
        ] as [([String]?, Bool)] {
            let verifier = try verifier(audiences)
            // The server may have taken longer to answer than a verifier waits.
            try await wait(for: "the update") { (try? await verifier.update()) != nil }
            let identity = try? await verifier.verify(token)
            #expect((identity != nil) == isTaken, "\(audiences ?? [])")
        }
    }

    // MARK: Refusals

    @Test(arguments: [
        ("--token-audience", "two words", "blank"), ("--token-audience", "a,a", "twice"),
        ("--token-audience", ":nothing", "no URI"), ("--token-audience", "a\tb", "\\t"),
        ("--token-audience", String(repeating: "a", count: 513), "512 bytes"),
        ("--token-type", "at+JWT2", "at+jwt, JWT"), ("--token-type", "application/at+jwt", "at+jwt, JWT"),
    ])
    func whatNoTokenCouldCarryIsRefusedAtTheStart(flag: String, value: String, words: String) async throws {
        let outcome = try await runCommand(["config", "check", flag, value], directory: TemporaryDirectory())
        #expect(outcome.status == 1)
        #expect(outcome.error.contains(flag) && outcome.error.contains(words), "\(outcome.error)")
    }

    /// The longest audience and the most roles that settings and operators may give fit into a
    /// token.
    @Test func theLongestAudienceLeavesRoomForTheRoles() async throws {
        let audience = (0..<8).map { "\($0)" + String(repeating: "a", count: 63) }.joined(separator: ",")
        let server = try await RunningServer([
            "--token-audience", audience, "--signing-algorithm", "RS256", "--public-url",
            "https://authentication.service.example.com/auth",
        ])
        let susan = try await server.newAccount("日本語日本語日本語日本語日本語日本語日本語日本語日本語")
        let roles = (0..<8).map { "\($0)" + String(repeating: "r", count: 63) }
        for role in roles { try await server.command("users", "grant", susan.name, role) }
        let token = try await server.signIn(susan).access
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
    }
}

/// The audience as a list; the claim is a string, or a list of several (RFC 7519 section 4.1.3).
private func audiences(_ claim: Any?) -> [String] { claim as? [String] ?? [claim as? String ?? "-"] }

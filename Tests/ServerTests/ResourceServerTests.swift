import Foundation
import Support
import Testing

/// Other resource servers that accept this server's tokens: unchanged Python libraries, and the
/// documented rules of validators that cannot be run here.
@Suite struct ResourceServerTests {
    private static let (issuer, api) = ("https://auth.example.com/base", "https://api.example.com")

    enum Library: String, CaseIterable {
        case authlib, joserfc, pyjwt
    }

    // MARK: Libraries

    /// Each algorithm with an audience of another form.
    @Test(
        arguments: Library.allCases,
        [("ES256", [issuer]), ("EdDSA", [api]), ("RS256", [api, "notes"])] as [(String, [String])])
    func aLibraryThatIsToldIssuerAndAudienceTakesTheToken(
        library: Library, setting: (algorithm: String, audience: [String])
    ) async throws {
        var arguments = ["--public-url", Self.issuer, "--signing-algorithm", setting.algorithm]
        if setting.audience != [Self.issuer] {
            arguments += ["--token-audience", setting.audience.joined(separator: ",")]
        }
        let server = try await RunningServer(arguments)
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "editor")
        let token = try await server.token(miguel)
        for audience in setting.audience {
            let claims = try await verify(token, by: library, issuer: Self.issuer, audience: audience, at: server)
            // Authlib's validator does not accept EdDSA, whatever the keys say.
            guard library != .authlib || setting.algorithm != "EdDSA" else {
                #expect(claims["error"] is String)
                continue
            }
            #expect(claims["sub"] as? String == "\(miguel.id)", "\(claims)")
            #expect(claims["client_id"] as? String == Self.issuer)
            #expect(claims["roles"] as? [String] == ["editor"])
        }
        for (issuer, audience) in [
            (Self.issuer, "https://other.example.com"), (Self.issuer + "/", setting.audience[0]),
            ("rest-auth", setting.audience[0]),
        ] {
            let claims = try await verify(token, by: library, issuer: issuer, audience: audience, at: server)
            #expect(claims["error"] is String && claims["sub"] == nil, "\(issuer) \(audience)")
        }
    }

    private func verify(
        _ token: String, by library: Library, issuer: String, audience: String, at server: RunningServer
    ) async throws -> [String: Any] {
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/resource_server.py").path
        let process = try ExternalProcess(
            ExternalProcess.testPython(),
            [script, library.rawValue, "http://127.0.0.1:\(server.port)", issuer, audience],
            directory: server.directory, input: .text(token + "\n"))
        #expect(try await process.exitStatus() == 0, "\(process.errorText)")
        return try #require(JSONSerialization.jsonObject(with: Data(process.outputText.utf8)) as? [String: Any])
    }

    // MARK: Documented rules

    /// The requirements of a validator, from its documentation.
    private struct Rules {
        /// The places where it looks for metadata; it uses the first that exists. `{path}` stands
        /// for the path of the issuer.
        let metadata: [String]
        let types: [String?]
        let algorithms: Set<String>
        let requiredClaims: Set<String>
        /// The tolerated difference of clocks, in seconds.
        let clockSkew: Int
    }

    private static let withoutEdDSA: Set = [
        "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
    ]

    /// `NimbusJwtDecoder.withIssuerLocation` looks in three places, uses the algorithms of the
    /// keys, and refuses each `typ` but `JWT` unless told otherwise; `JwtTimestampValidator` allows
    /// a minute.
    private static let spring = Rules(
        metadata: [
            "{path}/.well-known/openid-configuration", "/.well-known/openid-configuration{path}",
            "/.well-known/oauth-authorization-server{path}",
        ], types: ["JWT", nil], algorithms: withoutEdDSA, requiredClaims: [], clockSkew: 60)

    /// `JwtValidators.createAtJwtValidator` (Spring Security 6.5), with `validateType(false)`
    /// before it.
    private static let springRFC9068 = Rules(
        metadata: spring.metadata, types: ["at+jwt", "application/at+jwt"], algorithms: withoutEdDSA,
        requiredClaims: ["iss", "aud", "exp", "sub", "client_id", "iat", "jti"], clockSkew: 60)

    /// `AddJwtBearer` with `Authority`: one place; `ValidTypes` is not set by default.
    private static let dotNET = Rules(
        metadata: ["{path}/.well-known/openid-configuration"], types: ["at+jwt", "JWT", nil], algorithms: withoutEdDSA,
        requiredClaims: ["exp"], clockSkew: 300)

    @Test(
        arguments: [
            (spring, ["--token-type", "JWT"]), (spring, ["--token-type", "JWT", "--signing-algorithm", "RS256"]),
            (springRFC9068, []), (dotNET, []), (dotNET, ["--token-type", "JWT", "--token-audience", "\(api),notes"]),
        ] as [(Rules, [String])])
    private func aTokenMeetsTheRules(rules: Rules, arguments: [String]) async throws {
        let server = try await RunningServer(["--public-url", Self.issuer] + arguments)
        let violations = try await violations(of: rules, by: server, expecting: audience(of: arguments))
        #expect(violations.isEmpty, "\(violations)")
    }

    /// Shows that the rules above can be violated.
    @Test(
        arguments: [
            (spring, [], "typ"), (spring, ["--token-type", "JWT", "--signing-algorithm", "EdDSA"], "alg"),
            (springRFC9068, ["--token-type", "JWT"], "typ"), (dotNET, ["--signing-algorithm", "EdDSA"], "alg"),
        ] as [(Rules, [String], String)])
    private func whatTheRulesForbidIsSeen(rules: Rules, arguments: [String], violation: String) async throws {
        let server = try await RunningServer(["--public-url", Self.issuer] + arguments)
        #expect(try await violations(of: rules, by: server, expecting: audience(of: arguments)) == [violation])
    }

    private func audience(of arguments: [String]) -> String {
        arguments.firstIndex(of: "--token-audience") == nil ? Self.issuer : Self.api
    }

    private func violations(
        of rules: Rules, by server: RunningServer, expecting audience: String
    ) async throws -> [String] {
        let token = try await server.signIn(server.newAccount()).access
        let (header, claims) = (members(of: token, 0), members(of: token, 1))
        var violations: [String] = []
        func check(_ isMet: Bool, _ name: String) { if !isMet { violations.append(name) } }

        // The proxy in front has removed the issuer's path where it comes first.
        let places = rules.metadata.map { place in
            place.hasPrefix("{path}") ? place.replacing("{path}", with: "") : place.replacing("{path}", with: "/base")
        }
        for place in places {
            let metadata = try await server.send("GET", place)
            check(metadata.status == 200, place)
            // Equal as text, including a slash at the end.
            check(metadata.json["issuer"] as? String == Self.issuer, "issuer")
            check(metadata.json["jwks_uri"] as? String == Self.issuer + "/.well-known/jwks.json", "jwks_uri")
        }
        let set = try await server.send("GET", "/.well-known/jwks.json").json["keys"] as? [[String: String]] ?? []
        let key = set.first { $0["kid"] == header["kid"] as? String }
        check(key != nil && key?["alg"] == header["alg"] as? String && key?["use"] == "sig", "kid")
        check(rules.algorithms.contains(key?["alg"] ?? ""), "alg")
        check(rules.types.contains(header["typ"] as? String), "typ")
        check(rules.requiredClaims.isSubset(of: claims.keys), "required")
        check(claims["iss"] as? String == Self.issuer, "iss")
        let audiences = claims["aud"] as? [String] ?? [claims["aud"] as? String ?? ""]
        check(audiences.contains(audience), "aud")
        let now = Int(Date().timeIntervalSince1970)
        check((claims["exp"] as? Int ?? 0) > now - rules.clockSkew, "exp")
        check((claims["iat"] as? Int ?? .max) <= now + rules.clockSkew, "iat")
        check(claims["nbf"] == nil, "nbf")
        return violations
    }
}

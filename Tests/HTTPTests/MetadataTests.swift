import Foundation
import Support
import Testing

/// The documents that libraries read to configure themselves, tested on the real binary.
@Suite struct MetadataTests {
    private static let names = ["oauth-authorization-server", "openid-configuration"]

    /// The places where clients look for each form of the issuer (RFC 8414 section 3.1, OpenID
    /// Connect Discovery section 4). A proxy in front may remove the path of the issuer before
    /// `/.well-known`.
    @Test(arguments: [
        ("https://auth.example.com", [""]), ("https://auth.example.com/", [""]),
        ("https://auth.example.com:8443/base", ["", "/base"]), ("https://auth.example.com/a/b%20c/", ["", "/a/b%20c"]),
    ])
    func theMetadataAreWhereLibrariesLook(url: String, places: [String]) async throws {
        let server = try await RunningServer(["--public-url", url])
        let issuer = url.hasSuffix("/") ? String(url.dropLast()) : url
        for name in Self.names {
            for place in places {
                let answer = try await server.send("GET", "/.well-known/\(name)\(place)")
                #expect(answer.status == 200, "\(name)\(place)")
                #expect(answer["Content-Type"] == "application/json")
                #expect(answer["Cache-Control"] == "public, max-age=300")
                #expect(answer.json["issuer"] as? String == issuer)
                #expect(answer.json["jwks_uri"] as? String == issuer + "/.well-known/jwks.json")
                #expect(answer.json["introspection_endpoint"] as? String == issuer + "/oauth/introspect")
                #expect(answer.json["id_token_signing_alg_values_supported"] as? [String] == ["ES256"])
                #expect(answer.json["subject_types_supported"] as? [String] == ["public"])
                #expect(answer.json["response_types_supported"] as? [String] == [])
                // Endpoints that do not exist are not listed.
                for endpoint in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint"] {
                    #expect(answer.json[endpoint] == nil)
                }
                #expect(try await server.send("HEAD", "/.well-known/\(name)\(place)").status == 200)
                #expect(try await server.send("POST", "/.well-known/\(name)\(place)").status == 405)
            }
            // Other issuers, which do not exist here.
            for place in ["/other", "/base/other", "/bas", "/a", "/a/b%20c/d", "/BASE", "//base", "/base%2F"]
            where !places.contains(place) {
                let answer = try await server.send("GET", "/.well-known/\(name)\(place)")
                #expect(answer.status == 404, "\(name)\(place)")
                #expect(answer.code == "not_found")
            }
        }
    }

    @Test func withoutAPublicURLTheHostIsTheRequestsAndNoCacheKeepsIt() async throws {
        let server = try await RunningServer()
        for name in Self.names {
            let answer = try await server.send(
                "GET", "/.well-known/\(name)", headers: ["Host: auth.example.com:8080"])
            #expect(answer.json["issuer"] as? String == "rest-auth")
            #expect(answer.json["jwks_uri"] as? String == "http://auth.example.com:8080/.well-known/jwks.json")
            #expect(answer["Cache-Control"] == "no-store")
            #expect(try await server.send("GET", "/.well-known/\(name)/x").status == 404)
        }
    }

    /// Libraries take the algorithms from here, so those of every published key have to be listed,
    /// before it signs and after.
    @Test func theAlgorithmsAreThoseOfThePublishedKeys() async throws {
        let directory = try TemporaryDirectory()
        for (algorithm, expected) in [("EdDSA", ["EdDSA"]), ("RS256", ["EdDSA", "RS256"])] {
            let server = try await RunningServer(["--signing-algorithm", algorithm], directory: directory)
            var keys: [String] = []
            try await wait(for: "the key") {
                let set = try await server.send("GET", "/.well-known/jwks.json").json["keys"] as? [[String: String]]
                keys = (set ?? []).compactMap { $0["alg"] }
                return keys.count == expected.count
            }
            let answer = try await server.send("GET", "/.well-known/openid-configuration")
            #expect(answer.json["id_token_signing_alg_values_supported"] as? [String] == expected)
            #expect(Set(keys) == Set(expected))
            #expect(try await server.stop() == 0)
        }
    }
}

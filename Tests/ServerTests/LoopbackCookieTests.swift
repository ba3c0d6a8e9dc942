import Foundation
import Support
import Testing

/// The cookie in development, on `http://localhost`, where Safari and most test libraries do not
/// store a `Secure` cookie.
@Suite(.server("--refresh-token-in-cookie", "yes", "--refresh-token-cookie-secure", "no"))
struct LoopbackCookieTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func attributes(_ headers: [String], at path: String = "/api/tokens") async throws -> [String] {
        let miguel = try await server.newAccount()
        let answer = try await server.send("POST", path, headers: [miguel.basic] + headers)
        #expect(answer.status == 200)
        return try #require(answer["Set-Cookie"]).components(separatedBy: "; ")
    }

    @Test(arguments: [
        "localhost", "localhost:5000", "LOCALHOST:5000", "app.localhost:5000", "127.0.0.1", "127.0.0.1:5000",
        "127.8.8.8", "[::1]:5000", "[0:0:0:0:0:0:0:1]",
    ])
    func byANameOfTheOwnMachineItIsNotSecure(host: String) async throws {
        let attributes = try await attributes(["Host: \(host)"])
        #expect(attributes.dropFirst() == ["Path=/api/tokens", "Max-Age=604800", "HttpOnly", "SameSite=Strict"])
    }

    @Test(arguments: [
        ["Host: auth.example.com"], ["Host: localhost.example.com"], ["Host: notlocalhost"], ["Host: 127.0.0.1.nip.io"],
        ["Host: 127.evil.example"], ["Host: 128.0.0.1"], ["Host: 0.0.0.0"], ["Host: 192.168.1.5:5000"],
        ["Host: [::2]"], ["Host: 127.1"],
        // A proxy on the same machine that is not configured.
        ["Host: 127.0.0.1:5000", "X-Forwarded-Proto: https"], ["Host: localhost", "X-Forwarded-For: 203.0.113.7"],
        ["Host: localhost", "Forwarded: for=203.0.113.7"], ["Host: localhost", "Via: 1.1 proxy"],
        ["Host: localhost", "X-Forwarded-Host: auth.example.com"],
    ])
    func whoComesInAnotherWayGetsASecureOne(headers: [String]) async throws {
        #expect(try await attributes(headers).contains("Secure"))
    }

    /// The cookie has the same attributes when it is renewed, removed, and after a change of the
    /// password.
    @Test func itIsTheSameThroughoutASession() async throws {
        let miguel = try await server.newAccount()
        let first = try await server.send("POST", "/api/tokens", headers: [miguel.basic])
        let cookie = "Cookie: " + (try #require(first["Set-Cookie"]).components(separatedBy: "; ").first ?? "")
        let second = try await server.send("PUT", "/api/tokens", headers: [cookie])
        let access = try #require(second.json["access_token"] as? String)
        let changed = try await server.send(
            "PUT", "/api/me/password", headers: [bearer(access), "Content-Type: application/json"],
            body: json(["current_password": "python", "new_password": "monty"]))
        let refused = try await server.send("PUT", "/api/tokens", headers: [cookie])
        let out = try await server.send("DELETE", "/api/tokens", headers: [cookie])
        for answer in [second, changed, refused, out] {
            let field = try #require(answer["Set-Cookie"])
            #expect(!field.contains("Secure"))
            #expect(field.contains("HttpOnly; SameSite=Strict"))
        }
        #expect(refused.code == "invalid_grant")
    }

    /// Python's library sends a `Secure` cookie over TLS only, also on the same machine.
    @Test func clientsKeepItAndSendItBack() async throws {
        let miguel = try await server.newAccount()
        let script = """
            import http.cookiejar, sys, urllib.request
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
            def ask(method, **headers):
                return opener.open(urllib.request.Request(sys.argv[1], method=method, headers=headers)).status
            print(ask("POST", Authorization=sys.argv[2]), ask("PUT"), ask("DELETE"))
            """
        let output = try await SecureServer.run(
            "python3",
            [
                "-c", script, "http://localhost:\(server.port)/api/tokens",
                miguel.basic.replacing("Authorization: ", with: ""),
            ], in: server.directory)
        #expect(output == "200 200 204\n")
    }

    @Test(arguments: [
        (["--hostname", "0.0.0.0"], "0.0.0.0:5000 can be reached"), (["--hostname", "::"], "[::]:5000 can be reached"),
        (["--trusted-proxies", "127.0.0.1"], "trusted_proxies"),
        (["--public-url", "https://localhost"], "public_url is https://localhost"),
        (["--public-url", "http://auth.example.com"], "public_url is http://auth.example.com"),
        (["--public-url", "http://127.evil.example"], "public_url is http://127.evil.example"),
    ])
    func elsewhereItIsRefusedAtStart(arguments: [String], reason: String) async throws {
        for more in [[], ["--refresh-token-in-cookie", "yes"]] {
            let outcome = try await runCommand(
                ["config", "check", "--refresh-token-cookie-secure", "no"] + arguments + more,
                directory: TemporaryDirectory())
            #expect(outcome.status != 0)
            #expect(outcome.error.contains("--refresh-token-cookie-secure is no"))
            #expect(outcome.error.contains(reason), "\(outcome.error)")
            #expect(outcome.error.contains("take it out"))
        }
    }

    @Test func withTLSItIsRefusedAtStart() async throws {
        let server = try await SecureServer.shared.value
        let files = ["certificate", "key"].map { "\(server.directory.path)/process-\($0).pem" }
        let outcome = try await runCommand(
            [
                "config", "check", "--refresh-token-cookie-secure", "no", "--tls-certificate", files[0], "--tls-key",
                files[1],
            ], directory: TemporaryDirectory())
        #expect(outcome.status != 0)
        #expect(outcome.error.contains("tls_certificate"))
    }

    /// Servers of their own, whose logs are read.
    @Test func theLogSaysSo() async throws {
        for (arguments, isSaid) in [([], false), (["--refresh-token-cookie-secure", "no"], true)] {
            let server = try await RunningServer(["--refresh-token-in-cookie", "yes"] + arguments)
            #expect(try await server.stop() == 0)
            #expect(server.log.contains("refresh_token_cookie_secure") == isSaid)
        }
    }
}

import Foundation
import Support
import Testing

/// Pages of other origins, with requests as browsers send them (the CORS protocol of the Fetch
/// standard).
@Suite struct CrossOriginTests {
    private static let page = "https://app.example.com"

    private static func preflight(
        _ path: String, at server: RunningServer, from origin: String = page, asking names: String...
    ) async throws -> HTTPAnswer {
        try await server.send(
            "OPTIONS", path,
            headers: ["Origin: \(origin)", "Access-Control-Request-Method: POST"]
                + names.map { "Access-Control-Request-Headers: \($0)" })
    }

    private static func words(_ answer: HTTPAnswer, _ name: String) -> Set<String> {
        Set(
            answer.all(name).flatMap { $0.components(separatedBy: ",") }
                .map { $0.trimmingCharacters(in: .whitespaces).lowercased() })
    }

    @Suite(.server("--cors-origins", "https://app.example.com")) struct Listed {
        let server: RunningServer

        init() throws { server = try SharedServer.current() }

        /// The fields that tracing libraries send: OpenTelemetry, Sentry, Datadog.
        @Test(arguments: [
            "authorization,baggage,content-type,sentry-trace,traceparent", "traceparent, tracestate, b3",
            "x-datadog-trace-id,x-requested-with", "X-Custom", "if-none-match", "authorization,x-otp",
        ])
        func itMaySendWhatFieldsItAsksFor(names: String) async throws {
            let answer = try await preflight("/api/tokens", at: server, asking: names)
            #expect(answer.status == 204)
            #expect(answer["Access-Control-Allow-Origin"] == page)
            let asked = names.lowercased().components(separatedBy: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(words(answer, "Access-Control-Allow-Headers").isSuperset(of: asked))
            #expect(answer["Access-Control-Max-Age"].flatMap(Int.init) ?? 0 > 0)
            #expect(words(answer, "Vary").isSuperset(of: ["origin", "access-control-request-headers"]))
        }

        @Test func namesInSeveralFieldsAreAllowedTogether() async throws {
            let answer = try await preflight("/api/tokens", at: server, asking: "traceparent", "baggage")
            #expect(words(answer, "Access-Control-Allow-Headers").isSuperset(of: ["traceparent", "baggage"]))
        }

        @Test(arguments: [
            "a b", "a:b", "x\u{301}", "\u{e9}", "*", "(comment)", "\"quoted\"", "a\tb", "<script>", "a;b",
        ])
        func whatIsNoNameOfAFieldIsNotRepeated(name: String) async throws {
            let answer = try await preflight("/api/tokens", at: server, asking: "traceparent, \(name)")
            let allowed = words(answer, "Access-Control-Allow-Headers")
            // A star is also the name of a field, and would stand for all of them.
            #expect(allowed == ["authorization", "content-type", "x-otp", "traceparent"])
        }

        @Test func moreNamesThanAnybodySendsAreNotRepeated() async throws {
            let many = (0..<200).map { "x-\($0)" }.joined(separator: ",")
            let answer = try await preflight("/api/tokens", at: server, asking: many)
            #expect(words(answer, "Access-Control-Allow-Headers") == ["authorization", "content-type", "x-otp"])
        }

        @Test func aStrangerIsAllowedNothing() async throws {
            for origin in [
                "https://evil.example", "null", "http://app.example.com", "https://app.example.com:8443",
                "https://app.example.com.evil.example", "https://app.example.com\u{301}", "https://app.example.com/",
                "https://evilapp.example.com", "https://user@app.example.com", "https://app.example.com https://b",
                "app.example.com", "", "://", "https://", "https://[::1",
                "https://app.example.com:99999999999999999999",
            ] {
                let answer = try await preflight("/api/tokens", at: server, from: origin, asking: "traceparent")
                #expect(!answer.headers.contains { $0.name.hasPrefix("access-control") }, "\(origin)")
                let other = try await server.send("GET", "/api/resource", headers: ["Origin: \(origin)"])
                #expect(!other.headers.contains { $0.name.hasPrefix("access-control") }, "\(origin)")
            }
        }

        /// Otherwise a cached answer to a request without an origin would be used for one with an
        /// origin.
        @Test func everyAnswerSaysThatItDependsOnTheOrigin() async throws {
            for headers in [[], ["Origin: \(page)"], ["Origin: https://evil.example"]] {
                for path in [
                    "/api/resource", "/.well-known/jwks.json", "/openapi.yaml", "/api/revocations", "/nothing",
                ] {
                    let answer = try await server.send("GET", path, headers: headers)
                    #expect(words(answer, "Vary").contains("origin"), "\(path) \(headers)")
                }
            }
        }

        @Test func aPageMayReadWhatItNeeds() async throws {
            let answer = try await server.send("GET", "/api/resource", headers: ["Origin: \(page)"])
            #expect(
                words(answer, "Access-Control-Expose-Headers").isSuperset(of: [
                    "location", "retry-after", "www-authenticate", "etag", "ratelimit", "ratelimit-policy",
                    "ignored-fields",
                ]))
        }
    }

    @Suite(.server("--cors-origins", "*", "--refresh-token-in-cookie", "yes")) struct Star {
        @Test func whomOnlyTheStarAllowsMaySendFieldsButNoCookie() async throws {
            let answer = try await preflight("/api/tokens", at: SharedServer.current(), asking: "traceparent")
            #expect(answer["Access-Control-Allow-Origin"] == "*")
            #expect(words(answer, "Access-Control-Allow-Headers").contains("traceparent"))
            #expect(answer["Access-Control-Allow-Credentials"] == nil)
        }
    }

    /// Paths with public answers.
    static let everybodys = [
        "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/openapi.yaml", "/health/live",
        "/health/ready",
    ]

    @Suite(.server()) struct PublicWithoutOrigins {
        @Test(arguments: everybodys) func anyPageMayReadIt(path: String) async throws {
            let server = try SharedServer.current()
            for origin in ["https://evil.example", "null"] {
                let answer = try await server.send("GET", path, headers: ["Origin: \(origin)"])
                #expect(answer.status == 200)
                #expect(answer["Access-Control-Allow-Origin"] == "*")
                #expect(answer["Access-Control-Allow-Credentials"] == nil)
                let asked = try await preflight(path, at: server, from: origin, asking: "traceparent, authorization")
                #expect(asked.status == 204)
                #expect(asked["Access-Control-Allow-Origin"] == "*")
                #expect(asked["Access-Control-Allow-Methods"] == "GET, HEAD")
                #expect(words(asked, "Access-Control-Allow-Headers") == ["traceparent"])
            }
        }

        @Test(arguments: ["/api/resource", "/api/users/1", "/api/revocations", "/api/tokens", "/nothing"])
        func nothingIsSaidOfOriginsAnywhereElse(path: String) async throws {
            let server = try SharedServer.current()
            let answers = [
                try await server.send("GET", path, headers: ["Origin: https://evil.example"]),
                try await preflight(path, at: server, from: "https://evil.example", asking: "traceparent"),
            ]
            for answer in answers { #expect(!answer.headers.contains { $0.name.hasPrefix("access-control") }) }
        }
    }

    @Suite(.server("--cors-origins", "https://app.example.com", "--refresh-token-in-cookie", "yes"))
    struct PublicWithOrigins {
        @Test(arguments: everybodys) func aListedPageMayReadItWithItsCookie(path: String) async throws {
            let server = try SharedServer.current()
            let answer = try await server.send("GET", path, headers: ["Origin: \(page)"])
            #expect(answer.all("Access-Control-Allow-Origin") == [page])
            #expect(answer["Access-Control-Allow-Credentials"] == "true")
            let other = try await server.send("GET", path, headers: ["Origin: https://evil.example"])
            #expect(other.all("Access-Control-Allow-Origin") == ["*"])
            #expect(other["Access-Control-Allow-Credentials"] == nil)
        }
    }

    /// Each test starts its own server, with another spelling of origins.
    @Suite struct Written {
        @Test(arguments: [
            ("capacitor://localhost", ["capacitor://localhost"], ["capacitor://localhost.evil", "http://localhost"]),
            ("ionic://localhost,tauri://localhost", ["ionic://localhost", "tauri://localhost"], ["tauri://other"]),
            ("app://-", ["app://-"], ["app://x"]),
            (
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
                ["chrome-extension://abcdefghijklmnopabcdefghijklmnop"],
                ["chrome-extension://bbcdefghijklmnopabcdefghijklmnop"]
            ),
            (
                "https://*.example.com",
                ["https://app.example.com", "https://a.b.example.com", "https://xn--bcher-kva.example.com"],
                [
                    "https://example.com", "http://app.example.com", "https://app.example.com:8443",
                    "https://example.com.evil.example", "https://evilexample.com", "https://app.example.com.evil.com",
                    "https://.example.com", "https://*.example.com", "https://evil.com/.example.com",
                    "https://evil.com#.example.com", "https://evil.com\\.example.com", "https://a@b.example.com",
                    "https://evil.com\u{0}.example.com", "https://a..example.com",
                ]
            ),
            ("https://*.example.com:8443", ["https://app.example.com:8443"], ["https://app.example.com"]),
            ("HTTPS://App.Example.COM", ["https://app.example.com"], ["http://app.example.com"]),
            ("https://app.example.com/", ["https://app.example.com"], []),
            ("https://app.example.com:443", ["https://app.example.com"], ["https://app.example.com:80"]),
            ("http://app.example.com:80/", ["http://app.example.com"], ["http://app.example.com:443"]),
            ("https://app.example.com:80", ["https://app.example.com:80"], ["https://app.example.com"]),
            (
                "http://localhost:*", ["http://localhost", "http://localhost:3000", "http://localhost:65535"],
                [
                    "https://localhost:3000", "http://localhost.evil.example", "http://localhost:3000.evil.example",
                    "http://localhost:", "http://localhost:x",
                ]
            ),
            ("http://127.0.0.1:*,http://[::1]:5173", ["http://127.0.0.1:9", "http://[::1]:5173"], ["http://[::1]"]),
            ("http://[0:0:0:0:0:0:0:1]:5173", ["http://[::1]:5173"], ["http://[::2]:5173"]),
        ])
        func itMeansTheseAndNoOthers(written: String, meant: [String], others: [String]) async throws {
            let server = try await RunningServer(["--cors-origins", written, "--throttle", "no"])
            let miguel = try await server.newAccount()
            for origin in meant {
                let answer = try await preflight("/api/tokens", at: server, from: origin, asking: "traceparent")
                #expect(answer["Access-Control-Allow-Origin"] == origin, "\(origin)")
                let fields = ["Origin: \(origin)", "Sec-Fetch-Site: cross-site", miguel.basic]
                let signedIn = try await server.send("POST", "/api/tokens", headers: fields)
                #expect(signedIn.status == 200, "\(origin)")
                #expect(signedIn["Access-Control-Allow-Origin"] == origin, "\(origin)")
            }
            for origin in others where !origin.utf8.contains(0) {
                let answer = try await preflight("/api/tokens", at: server, from: origin, asking: "traceparent")
                #expect(answer["Access-Control-Allow-Origin"] == nil, "\(origin)")
                let fields = ["Origin: \(origin)", miguel.basic]
                #expect(try await server.send("POST", "/api/tokens", headers: fields).status == 403, "\(origin)")
            }
        }

        @Test(arguments: [
            ("app.example.com", "https://app.example.com"), ("localhost:3000", "http://localhost:3000"),
            ("127.0.0.1:5173/", "http://127.0.0.1:5173"), ("*.example.com", "https://*.example.com"),
            ("//app.example.com", "https://app.example.com"), ("https:/app.example.com", "https://app.example.com"),
            ("https://app.example.com/login", "https://app.example.com"),
            ("https://App.example.com/*", "https://app.example.com"),
            ("https://app.example.com//", "https://app.example.com"),
            ("https://app.example.com?x", "https://app.example.com"),
            ("https://app.example.com#x", "https://app.example.com"),
            ("https://miguel:python@app.example.com", "https://app.example.com"),
            ("https://miguel:python@*.example.com", "https://*.example.com"), ("null", "write * "),
            ("file://", "write * "), ("file:///android_asset/www", "write * "),
            ("https://*", "write * "), ("*://app.example.com", "https://app.example.com"),
            ("http*://app.example.com", "https://app.example.com"), ("https://*.com", "https://*.example.com"),
            ("https://app-*.example.com", "https://*.example.com"), ("https://app.*.com", "https://*.example.com"),
            ("https://*.*.example.com", "https://*.example.com"), ("https://.example.com", "https://*.example.com"),
            ("https://bücher.example", "xn--"), ("wss://app.example.com", "https://app.example.com"),
            ("https://app.example.com:99999", "65535"), ("https://app.example.com:x", "65535"),
            ("https://127.1", "127.0.0.1"), ("https://[::1", "[::1]"), ("https://", "https://app.example.com"),
            ("https://a.example https://b.example", "commas"), ("https://a.example;https://b.example", "commas"),
            (#"["https://a.example"]"#, "commas"), ("'https://a.example'", "commas"),
            ("https://a_%.example", "https://app.example.com"), ("1://a", "https://a"),
            ("all", "write * "), ("**", "write * "), ("self", "leave it out"), ("none", "leave it out"),
            ("about:blank", "write * "), ("data:text/html", "write * "),
            ("capacitor:localhost", "write capacitor://localhost"), ("tauri:app.example", "write tauri://app.example"),
            ("https//app.example.com", "write https://app.example.com"),
            ("http//localhost:3000", "write http://localhost:3000"),
            ("https:app.example.com", "write https://app.example.com"),
            ("blob:https://app.example.com", "write https://app.example.com"), ("::1", "write http://[::1]"),
            ("app.example.com:8443", "write https://app.example.com:8443"), ("localhost:*", "write http://localhost:*"),
            ("miguel:python@app.example.com", "write https://app.example.com"),
            (#"^https://.*\.example\.com$"#, "as in https://*.example.com"),
            (#"/https:\/\/(.*)\.example\.com/"#, "as in https://*.example.com"),
            ("https://(a|b).example.com", "as in https://*.example.com"), ("${ORIGIN}", "taken as it stands"),
        ])
        func whatNeverCouldIsRefusedAtStartWithWhatToWrite(written: String, advice: String) async throws {
            let directory = try TemporaryDirectory()
            let origins = "https://good.example,\(written)"
            let outcome = try await runCommand(["config", "check", "--cors-origins", origins], directory: directory)
            #expect(outcome.status != 0, "\(written)")
            #expect(outcome.error.contains("--cors-origins"), "\(outcome.error)")
            #expect(outcome.error.contains(advice), "\(outcome.error)")
            #expect(!outcome.error.contains("python"))
        }

        @Test func inAFileNothingAtAllIsNoOrigin() async throws {
            let directory = try TemporaryDirectory()
            let file = URL(fileURLWithPath: directory.path + "/process-settings.json")
            try Data(#"{"cors_origins": null}"#.utf8).write(to: file)
            let outcome = try await runCommand(
                ["config", "check", "--config", "process-settings.json"], directory: directory)
            #expect(outcome.status != 0)
            #expect(outcome.error.contains("write * "))
        }
    }
}

import Support
import Testing

/// The page at `/`, for people and for load balancers that can ask for nothing else.
@Suite(.server()) struct RootTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test(arguments: ["GET", "OPTIONS"]) func theRootSaysWhereToLook(method: String) async throws {
        let answer = try await server.send(method, "/")
        #expect(answer.status == 200)
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Allow"] == "GET, HEAD, OPTIONS")
        #expect(answer["Cache-Control"] == "no-store")
        let links = answer.json.compactMapValues { $0 as? String }
        #expect(links["service"] == "rest-auth")
        for path in links.values where path.hasPrefix("/") {
            try await wait(for: path) { try await server.send("GET", path).status == 200 }
        }
        #expect(links.values.count { $0.hasPrefix("/") } == 3)
    }

    @Test func behindAProxyThatTakesAPrefixOffTheLinksHaveIt() async throws {
        let server = try await RunningServer(["--public-url", "https://auth.example.com/auth/"])
        let links = try await server.send("GET", "/").json.compactMapValues { $0 as? String }
        #expect(links["description"] == "/auth/openapi.yaml")
        #expect(links["metadata"] == "/auth/.well-known/oauth-authorization-server")
    }

    /// Requests as load balancers send them, without a host or with an address, and requests with
    /// fields that only browsers send.
    @Test func aBalancerIsAnsweredHoweverItAsks() async throws {
        for request in [
            "OPTIONS / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "HEAD / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: 10.0.0.1:5000\r\nUser-Agent: ELB-HealthChecker/2.0\r\nConnection: close\r\n\r\n",
            "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?x=y HTTP/1.1\r\nHost: a\r\nOrigin: https://b.example\r\n\r\n",
            "OPTIONS / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: cross-site\r\n\r\n",
        ] {
            let connection = try await server.connect()
            try await connection.write(request)
            #expect(try await connection.readAnswer(isHead: request.hasPrefix("HEAD")).status == 200, "\(request)")
        }
    }

    @Test func nothingElseIsThere() async throws {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
            let answer = try await server.send(method, "/")
            #expect(answer.code == "method_not_allowed")
            #expect(answer["Allow"] == "GET, HEAD, OPTIONS")
        }
        for path in ["/index.html", "/favicon.ico", "/.", "/x", "/%2F"] {
            #expect(try await server.send("GET", path).status == 404, "\(path)")
        }
    }
}

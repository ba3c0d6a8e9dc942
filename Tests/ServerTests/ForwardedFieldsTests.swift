import Support
import Testing

/// The client that a proxy reports, in all the forms that proxies use.
@Suite struct ForwardedFieldsTests {
    /// The address that the server took from a request with these fields, as shown in the session
    /// that the request started.
    fileprivate static func address(_ fields: [String], at server: RunningServer) async throws -> String? {
        let miguel = try await server.newAccount()
        let tokens = try await server.signIn(miguel.name, miguel.password, headers: fields)
        return try await server.sessions(bearer(tokens.access)).first?["address"] as? String
    }

    /// The origin that the server took from these fields, as shown in the URL of a registered user.
    fileprivate static func origin(_ fields: [String], at server: RunningServer) async throws -> String? {
        let body = json(["username": RunningServer.newName(), "password": "python"])
        let answer = try await server.send("POST", "/api/users", headers: fields, body: body)
        return answer["Location"]?.firstMatch(of: /(.+)\/api\/users\/[0-9]+/).map { String($0.1) } ?? answer.code
    }

    // MARK: X-Forwarded-For and its like

    @Suite(.server("--trusted-proxies", "127.0.0.1,10.0.0.0/8,fd00::/8")) struct XForwarded {
        let server: RunningServer

        init() throws { server = try SharedServer.current() }

        @Test(arguments: [
            ("203.0.113.7:51008", "203.0.113.7"), ("203.0.113.7", "203.0.113.7"), ("\t203.0.113.7:1 ", "203.0.113.7"),
            ("[2001:db8::7]:51008", "2001:db8::7"), ("[2001:db8::7]", "2001:db8::7"), ("2001:db8::7", "2001:db8::7"),
            ("2001:DB8:0::7", "2001:db8::7"), ("2001:db8:0:0:0:0:0:7:51008", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"), ("[fe80::1%25eth0]:80", "fe80::1"), ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:443", "203.0.113.7"), ("6.6.6.6, 203.0.113.7:1", "203.0.113.7"),
            ("6.6.6.6, 203.0.113.7:1, 10.1.1.1:443, [fd00::1]:8080", "203.0.113.7"),
            ("[2001:db8::7]:1,10.1.1.1", "2001:db8::7"), ("unknown, 203.0.113.7", "203.0.113.7"),
            ("6.6.6.6, , 10.1.1.1", "10.1.1.1"),
        ])
        func anAddressIsReadWithWhatStandsAroundIt(value: String, address: String) async throws {
            #expect(try await ForwardedFieldsTests.address(["X-Forwarded-For: \(value)"], at: server) == address)
        }

        @Test(arguments: [
            "203.0.113.7:", ":80", "203.0.113.7:99999", "203.0.113.7:8o", "203.0.113.7:1:2", "[2001:db8::7",
            "2001:db8::7]",
            "[203.0.113.7]:80", "[2001:db8::7]x", "[2001:db8::7]:", "[2001:db8::7]:x", "[]", "[]:80", "unknown",
            "_hidden",
            "192.0.2.1%eth0", "203.0.113.7/8", "for=203.0.113.7", "203.0.113", "0x7f.1", "203.0.113.7 203.0.113.8",
            "203.0.113.7;203.0.113.8", "::ffff:", "203.0.113.7, unknown", "203.0.113.7, 1.2.3.4:99999",
            // An empty part that a proxy has left.
            "", ",", "203.0.113.7,", "203.0.113.7, unix:",
        ])
        func whatIsNoAddressIsTheProxys(value: String) async throws {
            #expect(try await ForwardedFieldsTests.address(["X-Forwarded-For: \(value)"], at: server) == "127.0.0.1")
        }

        @Test func severalFieldsAreOneList() async throws {
            let fields = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.7:1", "x-forwarded-for: 10.1.1.1"]
            #expect(try await ForwardedFieldsTests.address(fields, at: server) == "203.0.113.7")
        }

        @Test(arguments: [
            (["X-Real-IP: 203.0.113.7"], "203.0.113.7"), (["X-Real-IP: [2001:db8::7]:1"], "2001:db8::7"),
            (["X-Real-IP: 6.6.6.6", "X-Real-IP: 203.0.113.7"], "203.0.113.7"),
            (["X-Real-IP: 6.6.6.6", "X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
            (["X-Real-IP: 6.6.6.6", "X-Forwarded-For: unknown"], "127.0.0.1"), (["X-Real-IP: x"], "127.0.0.1"),
            (["X-Real-IP: 6.6.6.6", "X-Forwarded-For:"], "127.0.0.1"),
            (["X-Real-IP: 6.6.6.6", "X-Forwarded-For: ,"], "127.0.0.1"),
            (["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For:"], "127.0.0.1"),
            (["X-Forwarded-For:", "X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
            (["Forwarded: for=6.6.6.6"], "127.0.0.1"),
            (["Forwarded: for=6.6.6.6", "X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
        ])
        func oneFieldIsReadAndNoOther(fields: [String], address: String) async throws {
            #expect(try await ForwardedFieldsTests.address(fields, at: server) == address)
        }

        /// The client is 203.0.113.7; values that it wrote itself are evil.
        @Test(arguments: [
            (["Host: a.example, b.example"], "http://b.example"),
            (["Host: evil.example", "Host: b.example"], "http://b.example"),
            (["For: 203.0.113.7", "Host: evil.example, a.example", "Proto: https, http"], "http://a.example"),
            (["For: 203.0.113.7, 10.1.1.1", "Host: a.example, b.example", "Proto: https, http"], "https://a.example"),
            (
                ["For: 6.6.6.6, 203.0.113.7, 10.1.1.1", "Host: evil, a.example,b", "Proto: ftp,https,http"],
                "https://a.example"
            ),
            (["For: 203.0.113.7, 10.1.1.1", "Host: a.example", "Proto: https"], "https://a.example"),
            (
                ["For: 203.0.113.7, 10.2.2.2, 10.1.1.1", "Host: a.example, b, c", "Proto: HTTPS, http"],
                "https://a.example"
            ),
            (["For: 10.1.1.1", "Host: evil.example, a.example"], "http://a.example"),
            (["For: unknown, 10.1.1.1", "Host: evil.example, a.example, b"], "http://a.example"),
            (["For: unknown", "Host: evil.example, a.example"], "http://a.example"),
            (["Proto: wss"], "https://127.0.0.1"), (["Proto: ws"], "http://127.0.0.1"),
            (["Proto: x"], "http://127.0.0.1"),
            (["Host: "], "http://127.0.0.1"), (["Host: , "], "http://127.0.0.1"),
            // The proxy left the value empty: the one before it is the client's.
            (["Host: evil.example", "Host: "], "http://127.0.0.1"), (["Host: evil.example,"], "http://127.0.0.1"),
            (["Host: a.example", "Proto: https", "Proto:"], "http://a.example"),
            (["Host: a.example", "Port: 8443,", "Proto: https"], "https://a.example"),
            (["For: 203.0.113.7, 10.1.1.1", "Host: a.example,", "Proto: https,"], "https://a.example"),
            (["Host: a.example", "Port: 8443", "Proto: https"], "https://a.example:8443"),
            (["Host: a.example:9443", "Port: 8443", "Proto: https"], "https://a.example:9443"),
            (["Host: [2001:db8::7]", "Port: 8080"], "http://[2001:db8::7]:8080"),
            (["Port: 8080"], "http://127.0.0.1:8080"),
            (["Host: a.example", "Port: 443", "Proto: https"], "https://a.example"),
            (["Host: a.example", "Port: 80", "Proto: https"], "https://a.example"),
            (["Host: a.example", "Port: 99999"], "http://a.example"),
            (["Host: a.example", "Port: x"], "http://a.example"),
            (
                ["For: 203.0.113.7, 10.1.1.1", "Host: a.example", "Port: 8443, 80", "Proto: https"],
                "https://a.example:8443"
            ),
            (["Host: a.example/x"], "invalid_host"), (["Host: a.example b.example"], "invalid_host"),
        ])
        func hostSchemeAndPortAreReadPastTheNamedProxies(fields: [String], origin: String) async throws {
            let lines = fields.map { "X-Forwarded-\($0)" }
            #expect(try await ForwardedFieldsTests.origin(lines, at: server) == origin, "\(fields)")
        }
    }

    // MARK: Through unix-domain sockets

    /// nginx writes `unix:` for the other end of such a socket, when the proxy behind it is named.
    @Suite(.server("--trusted-proxies", "unix:,127.0.0.1,10.0.0.0/8")) struct Sockets {
        @Test(arguments: [
            ("203.0.113.7, unix:", "203.0.113.7"), ("203.0.113.7, unix:, 10.1.1.1", "203.0.113.7"),
            ("6.6.6.6, 203.0.113.7, unix:, unix:", "203.0.113.7"), ("6.6.6.6, unix:, 203.0.113.7", "203.0.113.7"),
            ("unix:", "127.0.0.1"), ("6.6.6.6, unix", "127.0.0.1"), ("6.6.6.6, unix:/x", "127.0.0.1"),
            ("6.6.6.6, unknown, unix:", "127.0.0.1"),
        ])
        func aNamedSocketIsReadPast(value: String, address: String) async throws {
            let server = try SharedServer.current()
            #expect(try await ForwardedFieldsTests.address(["X-Forwarded-For: \(value)"], at: server) == address)
        }
    }

    // MARK: Forwarded

    @Suite(.server("--trusted-proxies", "127.0.0.1,10.0.0.0/8", "--forwarded-fields", "forwarded"))
    struct Forwarded {
        let server: RunningServer

        init() throws { server = try SharedServer.current() }

        @Test(arguments: [
            ([#"for=203.0.113.7"#], "203.0.113.7"), ([#"For="203.0.113.7:51008""#], "203.0.113.7"),
            ([#"for="[2001:db8::7]:51008""#], "2001:db8::7"), ([#"FOR="[2001:db8::7]""#], "2001:db8::7"),
            ([#"for="203.0.113.7:_port""#], "203.0.113.7"),
            ([#"by=10.0.0.1;for=203.0.113.7;proto=http"#], "203.0.113.7"),
            ([#"for=6.6.6.6, for=203.0.113.7;by=_x, for="10.1.1.1:80""#], "203.0.113.7"),
            ([#"for=6.6.6.6"#, #"for=203.0.113.7"#, #"for=10.1.1.1"#], "203.0.113.7"),
            ([#"for="203.0.113.\7""#], "203.0.113.7"), ([#"ext="a,b;c=\"d";for=203.0.113.7"#], "203.0.113.7"),
            ([#"for=203.0.113.7 ; proto=http"#], "203.0.113.7"), ([#";;for=203.0.113.7;"#], "203.0.113.7"),
            // A quote that a client leaves open does not extend into what the proxy appends.
            ([#"for="6.6.6.6, for=203.0.113.7"#], "203.0.113.7"),
            ([#"for=6.6.6.6;x=", for="[2001:db8::7]:1""#], "2001:db8::7"),
            ([#"x="\", for=203.0.113.7"#], "203.0.113.7"), ([#"""#, #"for=203.0.113.7"#], "203.0.113.7"),
            // An empty part that a proxy has left.
            (["for=6.6.6.6,"], "127.0.0.1"), (["for=6.6.6.6", ""], "127.0.0.1"),
            ([#"for=10.1.1.1;x=", for="203.0.113.7""#], "203.0.113.7"),
        ])
        func theNearestUnnamedNodeIsTheClient(values: [String], address: String) async throws {
            let fields = values.map { "Forwarded: \($0)" }
            #expect(try await ForwardedFieldsTests.address(fields, at: server) == address)
        }

        @Test(arguments: [
            "for=unknown", "for=_hidden", #"for="_gazonk""#, "for=", #"for="""#, "for", "203.0.113.7", "proto=https",
            #"for="203.0.113.7"#, #"for=203.0.113.7""#, #"for="203.0.113.7"x"#, "for=203.0.113.7;for=203.0.113.8",
            "for=203.0.113.7, for=unknown", "for=203.0.113.7, proto=http", "for=203.0.113.7 203.0.113.8",
            #"for="203.0.113.7\"#, #"for='203.0.113.7'"#, "fo=203.0.113.7",
        ])
        func whatNamesNoAddressIsTheProxys(value: String) async throws {
            #expect(try await ForwardedFieldsTests.address(["Forwarded: \(value)"], at: server) == "127.0.0.1")
        }

        @Test func theOtherFamilyDoesNotCount() async throws {
            let others = [
                "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "X-Forwarded-Host: evil.example",
                "X-Forwarded-Proto: https", "X-Forwarded-Port: 8443",
            ]
            #expect(try await ForwardedFieldsTests.address(others, at: server) == "127.0.0.1")
            #expect(try await ForwardedFieldsTests.origin(others, at: server) == "http://127.0.0.1")
            let both = others + ["Forwarded: for=203.0.113.7;host=a.example"]
            #expect(try await ForwardedFieldsTests.address(both, at: server) == "203.0.113.7")
            #expect(try await ForwardedFieldsTests.origin(both, at: server) == "http://a.example")
        }

        @Test(arguments: [
            (["for=203.0.113.7;host=a.example;proto=https"], "https://a.example"),
            ([#"host="a.example:8443";for=203.0.113.7;PROTO=HTTPS"#], "https://a.example:8443"),
            (
                ["for=6.6.6.6;host=evil.example;proto=http, for=203.0.113.7;host=a.example;proto=https"],
                "https://a.example"
            ),
            (
                ["for=203.0.113.7;host=a.example;proto=https, for=10.1.1.1;host=b.example;proto=http"],
                "https://a.example"
            ),
            (["for=203.0.113.7;host=a.example", "for=10.1.1.1;proto=https"], "https://a.example"),
            (["host=evil.example, for=203.0.113.7"], "http://127.0.0.1"),
            (["host=evil.example, for=unknown;host=a.example"], "http://a.example"),
            (["host=a.example;host=b.example"], "http://127.0.0.1"),
            ([#"host="";host=evil.example"#], "http://127.0.0.1"), ([#"host="a.example/x""#], "invalid_host"),
        ])
        func hostAndSchemeAreThoseOfTheFurthestNamedProxy(values: [String], origin: String) async throws {
            let fields = values.map { "Forwarded: \($0)" }
            #expect(try await ForwardedFieldsTests.origin(fields, at: server) == origin, "\(values)")
        }
    }

    // MARK: Proxies that are not trusted

    /// Each test reads the whole log of its own server.
    @Suite struct Unheard {
        private func warnings(_ arguments: [String], _ fields: [String]) async throws -> [String] {
            let server = try await RunningServer(arguments)
            let connection = try await server.connect()
            for _ in 0..<5 {
                for field in fields { _ = try await connection.send("GET", "/api/users/1", headers: [field]) }
            }
            #expect(try await server.stop() == 0)
            return server.log.split(separator: "\n").map(String.init).filter {
                $0.contains("trusted_proxies") || $0.contains("forwarded-fields")
            }
        }

        @Test(arguments: ["X-Forwarded-For: 198.51.100.66", "Forwarded: for=198.51.100.66", "X-Real-IP: 198.51.100.66"])
        func aProxyThatIsNotNamedIsWarnedAboutOnce(field: String) async throws {
            let name = try #require(field.split(separator: ":").first)
            let lines = try await warnings([], [field])
            #expect(lines.count == 1)
            #expect(lines.first?.contains(" warning ") == true)
            #expect(lines.first?.contains(name) == true)
            #expect(lines.first?.contains("set --trusted-proxies 127.0.0.1,") == true)
            #expect(lines.first?.contains("198.51.100.66") == false)
        }

        @Test func theSettingToUseHasThoseThatAreNamed() async throws {
            let named = ["--trusted-proxies", "10.0.0.0/8, fd00::/8,192.0.2.1"]
            let lines = try await warnings(named, ["X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"])
            #expect(lines.count == 1)
            #expect(lines.first?.contains("set --trusted-proxies 10.0.0.0/8,fd00::/8,192.0.2.1,127.0.0.1,") == true)
        }

        @Test func aNamedProxyThatSpeaksTheOtherFamilyIsWarnedAbout() async throws {
            let named = ["--trusted-proxies", "127.0.0.1"]
            let lines = try await warnings(named, ["Forwarded: for=203.0.113.7"])
            #expect(lines.count == 1)
            #expect(lines.first?.contains("--forwarded-fields forwarded") == true)
            let other = try await warnings(named + ["--forwarded-fields", "forwarded"], ["X-Real-IP: 203.0.113.7"])
            #expect(other.count == 1)
            #expect(other.first?.contains("--forwarded-fields x-forwarded") == true)
        }

        @Test func aNamedProxyThatNamesNoAddressIsWarnedAbout() async throws {
            let lines = try await warnings(
                ["--trusted-proxies", "127.0.0.1"], ["X-Forwarded-For: 203.0.113.7, unknown"])
            #expect(lines.count == 1)
            #expect(lines.first?.contains("127.0.0.1, which trusted_proxies names, sends in X-Forwarded-For ") == true)
            #expect(lines.first?.contains("203.0.113.7") == false)
        }

        @Test func whoIsHeardIsNotWarnedAbout() async throws {
            let named = ["--trusted-proxies", "127.0.0.1"]
            let fields = [
                "X-Forwarded-For: 203.0.113.7", "X-Real-IP: 203.0.113.7", "X-Forwarded-Host: a", "X-Field: x",
            ]
            #expect(try await warnings(named, fields).isEmpty)
            #expect(try await warnings([], ["X-Forwarded-Host: a", "X-Field: x"]).isEmpty)
        }
    }
}

import Foundation
import Support
import Testing

/// Passkeys of soft-webauthn and of ruby-webauthn's FakeClient, with the real server.
@Suite struct PasskeyClientsTests {
    enum Client: CaseIterable {
        case softWebAuthn
        case fakeClient

        /// A browser that holds one passkey, on a page of that origin.
        fileprivate func start(at origin: String) throws -> AskedProcess {
            let directory = try TemporaryDirectory()
            return switch self {
            case .softWebAuthn:
                try AskedProcess(
                    ExternalProcess.passkeyPython(), "soft_webauthn_passkey.py", [origin], directory: directory)
            case .fakeClient:
                try AskedProcess(ExternalProcess.program("ruby"), "fake_client.rb", [origin], directory: directory)
            }
        }
    }

    private static let origin = "http://localhost:8000"
    private static let starting = Task {
        try await RunningServer(["--webauthn-origins", origin, "--throttle", "no", "--hashing-patience", "600"])
    }

    private let server: RunningServer

    init() async throws { server = try await Self.starting.value }

    // MARK: What a page does

    private func post(_ path: String, _ body: [String: Any], _ headers: [String] = []) async throws -> HTTPAnswer {
        try await server.send("POST", path, headers: headers + ["Content-Type: application/json"], body: json(body))
    }

    private func create(
        _ browser: AskedProcess, _ authorization: String, isVerified: Bool = true
    ) async throws -> Any {
        let options = try await post("/api/me/passkeys/options", [:], [authorization])
        try #require(options.status == 200, "\(options.body)")
        return try await browser.ask(["create": options.json, "user_verified": isVerified])
    }

    @discardableResult
    private func add(
        _ browser: AskedProcess, _ authorization: String, isVerified: Bool = true
    ) async throws -> HTTPAnswer {
        let credential = try await create(browser, authorization, isVerified: isVerified)
        let added = try await post(
            "/api/me/passkeys", ["name": "my key", "credential": credential], [authorization])
        try #require(added.status == 201, "\(added.body)")
        return added
    }

    /// The answer of the browser to options for that request.
    private func use(
        _ browser: AskedProcess, _ request: [String: Any] = [:], isVerified: Bool = true
    ) async throws -> Any {
        let options = try await post("/api/passkeys/options", request)
        try #require(options.status == 200, "\(options.body)")
        return try await browser.ask(["get": options.json, "user_verified": isVerified])
    }

    private func ticket(_ account: Account) async throws -> String {
        let first = try await server.send("POST", "/api/tokens", headers: [account.basic])
        #expect(first.code == "mfa_required")
        let factors = first.json["factors"] as? [[String: Any]] ?? []
        #expect(factors.contains { $0["type"] as? String == "passkey" && $0["name"] as? String == "my key" })
        return try #require(first.json["ticket"] as? String, "\(first.body)")
    }

    private func expectTokens(_ answer: HTTPAnswer, of account: Account, _ methods: [String]) throws {
        try #require(answer.status == 200, "\(answer.body)")
        let claims = members(of: try #require(answer.json["access_token"] as? String), 1)
        #expect(claims["sub"] as? String == "\(account.id)")
        #expect(claims["amr"] as? [String] == methods && claims["acr"] as? String == "aal2")
    }

    // MARK: -

    @Test func anOperatorListsAndRemovesAPasskey() async throws {
        let (miguel, browser) = (try await server.newAccount(), try Client.fakeClient.start(at: Self.origin))
        let id = try #require(try await add(browser, miguel.basic).json["id"] as? String)
        let list = ["users", "factors", "list", miguel.name]
        let lines = try await server.run(list).output.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].hasPrefix("\(id)\tpasskey\tmy key\t") && lines[0].hasSuffix("\tnot used"))
        #expect(lines.last == "recovery codes\t10 left")
        let json = try await server.run(list + ["--json"]).output.split(separator: "\n")
        #expect(json.first?.hasPrefix(#"{"type":"passkey","id":"\#(id)","name":"my key","#) == true)
        let remove = ["users", "factors", "remove", miguel.name]
        #expect(try await server.run(remove).status == 0)
        #expect(try await server.run(list).output.isEmpty)
        let again = try await server.run(remove)
        #expect(again.status == 1 && again.error.contains("no second factor and no trusted device"))
    }

    @Test(arguments: Client.allCases) func aPasskeySignsInWithoutAPassword(client: Client) async throws {
        let (miguel, browser) = (try await server.newAccount(), try client.start(at: Self.origin))
        let added = try await add(browser, miguel.basic)
        #expect(added.json["user_verified"] as? Bool == true && added.json["backup_eligible"] as? Bool == false)
        #expect((added.json["recovery_codes"] as? [String])?.count == 10)
        for request in [[:], ["username": miguel.name], ["username": miguel.name.uppercased()]] {
            let done = try await post("/api/tokens", ["credential": use(browser, request)])
            try expectTokens(done, of: miguel, ["hwk", "user", "mfa"])
        }
        let id = try #require(added.json["id"] as? String)
        let listed = try await server.command("users", "factors", "list", miguel.name).output
        #expect(listed.contains("\(id)\tpasskey\tmy key\t"), "\(listed)")
    }

    @Test(arguments: Client.allCases) func aPasskeyIsASecondFactor(client: Client) async throws {
        let (miguel, browser) = (try await server.newAccount(), try client.start(at: Self.origin))
        try await add(browser, miguel.basic, isVerified: false)
        let ticket = try await ticket(miguel)
        let credential = try await use(browser, ["ticket": ticket], isVerified: false)
        let done = try await post("/api/tokens", ["ticket": ticket, "credential": credential])
        try expectTokens(done, of: miguel, ["pwd", "hwk", "mfa"])
        let again = try await post("/api/tokens", ["ticket": ticket, "credential": credential])
        #expect((400..<500).contains(again.status) && again.json["access_token"] == nil)
    }

    /// A signature is good once, for what it was asked for, by a passkey that verified its user.
    @Test(arguments: Client.allCases) func nothingElseSignsIn(client: Client) async throws {
        let (miguel, browser) = (try await server.newAccount(), try client.start(at: Self.origin))
        try await add(browser, miguel.basic)
        func expectRefused(_ body: [String: Any], _ what: String) async throws {
            let answer = try await post("/api/tokens", body)
            #expect((400..<500).contains(answer.status), "\(what): \(answer.status) \(answer.body)")
            #expect(["invalid_credentials", "invalid_code"].contains(answer.code), "\(what): \(answer.body)")
            #expect(answer.json["access_token"] == nil, "\(what)")
        }
        let used = try await use(browser)
        #expect(try await post("/api/tokens", ["credential": used]).status == 200)
        try await expectRefused(["credential": used], "the same again")
        try await expectRefused(["credential": use(browser, isVerified: false)], "without its user")
        let ticket = try await ticket(miguel)
        try await expectRefused(["credential": use(browser, ["ticket": ticket])], "one for a ticket")
        try await expectRefused(["ticket": ticket, "credential": use(browser)], "a sign-in for a ticket")
        let other = try await self.ticket(miguel)
        try await expectRefused(
            ["ticket": other, "credential": use(browser, ["ticket": ticket])], "one for another ticket")
        try await expectRefused(
            ["credential": use(browser, ["username": RunningServer.newName()])], "one for another name")
        for part in ["signature", "authenticatorData", "clientDataJSON", "userHandle"] {
            var credential = try #require(try await use(browser) as? [String: Any])
            var response = try #require(credential["response"] as? [String: Any])
            let text = try #require(response[part] as? String)
            response[part] = (text.hasPrefix("A") ? "B" : "A") + text.dropFirst()
            credential["response"] = response
            try await expectRefused(["credential": credential], "another \(part)")
        }
        // It is still good.
        #expect(try await post("/api/tokens", ["credential": use(browser)]).status == 200)
    }

    @Test(arguments: Client.allCases) func noOtherPageAndNobodyElseAddsOne(client: Client) async throws {
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount("susan"))
        func expectRefused(_ credential: Any, _ account: Account, _ what: String) async throws {
            let answer = try await post(
                "/api/me/passkeys", ["name": "my key", "credential": credential], [account.basic])
            #expect((400..<500).contains(answer.status), "\(what): \(answer.status) \(answer.body)")
        }
        for origin in [
            "http://localhost:8001", "https://localhost:8000", "http://127.0.0.1:8000", "https://evil.example",
        ] {
            try await expectRefused(create(client.start(at: origin), miguel.basic), miguel, origin)
        }
        let browser = try client.start(at: Self.origin)
        let credential = try await create(browser, miguel.basic)
        try await expectRefused(credential, susan, "miguel's for susan")
        let list = try await server.send("GET", "/api/me/passkeys", headers: [miguel.basic])
        #expect((list.json["passkeys"] as? [Any])?.isEmpty == true, "\(list.body)")
        try await add(browser, miguel.basic)
        #expect(try await server.send("GET", "/api/resource", headers: [miguel.basic]).code == "mfa_required")
        // At susan's account it is not the same one, whoever signs.
        let sign = try await use(browser, ["username": susan.name])
        #expect(try await post("/api/tokens", ["credential": sign]).status == 401)
    }

    /// Whoever finds a key without a PIN could set one.
    @Test(arguments: Client.allCases) func aPasskeyThatNeverVerifiedItsUserIsNotEnough(client: Client) async throws {
        let (miguel, browser) = (try await server.newAccount(), try client.start(at: Self.origin))
        try await add(browser, miguel.basic, isVerified: false)
        #expect(try await post("/api/tokens", ["credential": use(browser)]).status == 401)
        // Beside the password it verifies its user for the first time.
        let ticket = try await ticket(miguel)
        let second = try await post(
            "/api/tokens", ["ticket": ticket, "credential": use(browser, ["ticket": ticket])])
        #expect(second.status == 200, "\(second.body)")
        #expect(try await post("/api/tokens", ["credential": use(browser)]).status == 200)
    }
}

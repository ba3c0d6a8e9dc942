import Foundation
import Support
import Testing

/// The page of the documentation, with its JavaScript, in Chromium with the authenticators that
/// Chromium emulates.
@Suite(.serialized) struct PasskeyPageTests {
    /// What an authenticator can do.
    struct Authenticator: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var transport = "internal"
        var isDiscoverable = true
        var verifiesUsers = true
        var isBackedUp = false

        fileprivate var options: [String: Any] {
            [
                "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": transport,
                "hasResidentKey": isDiscoverable, "hasUserVerification": verifiesUsers,
                "isUserVerified": verifiesUsers, "automaticPresenceSimulation": true,
                "defaultBackupEligibility": isBackedUp, "defaultBackupState": isBackedUp,
            ]
        }

        /// Whether its passkeys sign in by themselves.
        fileprivate var isEnough: Bool { isDiscoverable && verifiesUsers }
        /// Whether Chromium offers its passkeys in a field.
        fileprivate var isOffered: Bool { transport == "internal" }
        fileprivate var method: String { isBackedUp ? "swk" : "hwk" }

        static let all = [
            Authenticator(testDescription: "a telephone", isBackedUp: true),
            Authenticator(testDescription: "a computer"),
            Authenticator(testDescription: "a security key with a PIN", transport: "usb"),
            Authenticator(
                testDescription: "an old security key", transport: "nfc", isDiscoverable: false, verifiesUsers: false),
        ]
    }

    /// A server, and Chromium on pages that come from beside it.
    private struct Site {
        let server: RunningServer
        let browser: AskedProcess

        init(_ page: Document) async throws {
            let port = try FreePort.next()
            server = try await RunningServer(["--webauthn-origins", "http://localhost:\(port)"])
            let blank = "<!doctype html><title>Blank</title>"
            // What the page does with its tokens is up to the page.
            let form = try #require(page.blocks("html", under: "### In your page").first)
                .replacing("/* as after signing in with a password */", with: "window.tokens = tokens")
            let script = try #require(page.blocks("javascript", under: "### In your page").first)
            for (name, text) in [
                ("blank.html", blank), ("form.html", "<!doctype html>\(form)"), ("passkeys.mjs", script),
            ] {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(server.directory.path)/\(name)"))
            }
            browser = try AskedProcess(
                ExternalProcess.testPython(), "browser.py",
                [server.directory.path, "http://127.0.0.1:\(server.port)", "\(port)"], directory: server.directory)
            #expect(try await browser.next() as? String == "http://localhost:\(port)")
            _ = try await browser.ask(["open": "/blank.html"])
        }

        func run(_ expression: String) async throws -> [String: Any] {
            try #require(try await browser.ask(["run": expression]) as? [String: Any])
        }

        /// Calls a function of the page's script.
        func call(_ function: String) async throws -> [String: Any] {
            try await run("import('/passkeys.mjs').then(page => page.\(function))")
        }

        func value(_ function: String) async throws -> [String: Any] {
            let result = try await call(function)
            return try #require(result["value"] as? [String: Any], "\(function): \(result)")
        }

        /// The tokens that the form was given.
        func tokensOfTheForm() async throws -> [String: Any] {
            let result = try await run(
                "new Promise(done => setInterval(() => window.tokens && done(window.tokens), 20))")
            return try #require(result["value"] as? [String: Any], "\(result)")
        }
    }

    private func expectTokens(_ tokens: [String: Any], of account: Account, _ methods: [String]) throws {
        let claims = members(of: try #require(tokens["access_token"] as? String, "\(tokens)"), 1)
        #expect(claims["sub"] as? String == "\(account.id)")
        #expect(claims["amr"] as? [String] == methods && claims["acr"] as? String == "aal2")
    }

    @Test(arguments: Authenticator.all) func thePageRegistersAndSignsIn(authenticator: Authenticator) async throws {
        let site = try await Site(Document(page: "Passkeys"))
        let id = try #require(try await site.browser.ask(["authenticator": authenticator.options]) as? String)
        let miguel = try await site.server.newAccount()
        let token = try await site.server.token(miguel)
        let added = try await site.value("addPasskey('my key', '\(token)')")
        #expect(added["name"] as? String == "my key")
        #expect(added["backup_eligible"] as? Bool == authenticator.isBackedUp)
        #expect(added["backed_up"] as? Bool == authenticator.isBackedUp)
        #expect(added["user_verified"] as? Bool == authenticator.verifiesUsers)
        #expect(added["discoverable"] as? Bool == authenticator.isDiscoverable)
        // Chromium knows that this authenticator has one already.
        let second = try await site.call("addPasskey('another', '\(token)')")
        #expect((second["error"] as? String) != nil, "\(second)")

        // The second factor.
        let first = try await site.server.send("POST", "/api/tokens", headers: [miguel.basic])
        let ticket = try #require(first.json["ticket"] as? String, "\(first.body)")
        try expectTokens(
            try await site.value("answer('\(ticket)')"), of: miguel, ["pwd", authenticator.method, "mfa"])
        guard authenticator.isEnough else { return }

        // In the place of a password: by itself, as the form is opened, and by its button.
        let methods = [authenticator.method, "user", "mfa"]
        try expectTokens(try await site.value("signIn()"), of: miguel, methods)
        _ = try await site.browser.ask(["open": "/form.html"])
        if authenticator.isOffered { try expectTokens(try await site.tokensOfTheForm(), of: miguel, methods) }
        _ = try await site.run("delete window.tokens; passkey.click()")
        try expectTokens(try await site.tokensOfTheForm(), of: miguel, methods)

        // Whoever cannot show to be the user is not signed in.
        _ = try await site.browser.ask([
            "call": "setUserVerified", "with": ["authenticatorId": id, "isUserVerified": false],
        ])
        let refused = try await site.call("signIn()")
        #expect((refused["error"] as? String)?.contains("NotAllowedError") == true, "\(refused)")
    }

    /// The list of a user's good passkeys, in the browser's own words.
    @Test func theBrowserIsToldWhichPasskeysAreGood() async throws {
        let site = try await Site(Document(page: "Passkeys"))
        let id = try #require(try await site.browser.ask(["authenticator": Authenticator.all[0].options]) as? String)
        let miguel = try await site.server.newAccount()
        let token = try await site.server.token(miguel)
        let passkey = try #require(try await site.value("addPasskey('my key', '\(token)')")["id"] as? String)
        func credentials() async throws -> Int {
            let held = try await site.browser.ask(["call": "getCredentials", "with": ["authenticatorId": id]])
            return ((held as? [String: Any])?["credentials"] as? [Any])?.count ?? -1
        }
        func tell(_ answer: HTTPAnswer) async throws {
            let accepted = try #require(answer.json["accepted_credentials"] as? [String: Any], "\(answer.body)")
            let told = try await site.run("PublicKeyCredential.signalAllAcceptedCredentials(\(json(accepted)))")
            #expect(told["error"] == nil, "\(told)")
        }
        let tokens = try await site.value("signIn()")
        let access = try #require(tokens["access_token"] as? String)
        try await tell(site.server.send("GET", "/api/me/passkeys", headers: [bearer(access)]))
        #expect(try await credentials() == 1)
        try await tell(site.server.send("DELETE", "/api/me/passkeys/\(passkey)", headers: [bearer(access)]))
        try await wait(for: "the browser to forget it") { try await credentials() == 0 }
    }
}

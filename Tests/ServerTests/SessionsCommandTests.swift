import Foundation
import Support
import Testing

/// The commands for sessions, keys, roles and clients, while a server runs on the same database.
@Suite(.server()) struct SessionsCommandTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func run(_ arguments: String...) async throws -> CommandOutcome {
        try await server.run(arguments)
    }

    @Test func anOperatorSeesAndEndsASession() async throws {
        let miguel = try await server.newAccount()
        let first = try await server.signIn(miguel, headers: ["User-Agent: phone"])
        let second = try await server.signIn(miguel, headers: ["User-Agent: laptop"])
        for tokens in [first, second] {
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 200)
        }
        let lines = try await run("sessions", "list", miguel.name, "--json").output.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        #expect(lines.map { $0["user_agent"] as? String } == ["laptop", "phone"])
        #expect(lines.map { $0["user_id"] as? Int } == [miguel.id, miguel.id])
        let id = try #require(lines[1]["id"] as? String)
        #expect(try await run("sessions", "revoke", id).output == "Ended \(id).\n")
        try await server.waitForRefusal(of: first.access)
        #expect(try await server.refresh(first.refresh).code == "invalid_grant")
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(second.access)]).status == 200)
        let left = try await run("sessions", "list", "--id", "\(miguel.id)")
        #expect(left.output.split(separator: "\n").count == 1)
        let again = try await run("sessions", "revoke", id)
        #expect(again.status == 1)
        #expect(again.error == "rest-auth: there is no session \(id)\n")
        let ended = try await run("sessions", "revoke", "--user", miguel.name)
        #expect(ended.output == "Ended 1 session of \(miguel.name).\n")
        try await server.waitForRefusal(of: second.access)
    }

    @Test func whatCannotBeIsAnErrorInAFewWords() async throws {
        let miguel = try await server.newAccount()
        for arguments in [
            ["sessions", "list"], ["sessions", "list", "nobody"], ["sessions", "revoke"], ["sessions", "revoke", "x"],
            ["sessions", "revoke", "--user", "nobody"], ["users", "grant", miguel.name],
            ["users", "grant", miguel.name, "a b"], ["users", "grant", "nobody", "admin"],
            ["users", "revoke", "--id", "\(miguel.id)"], ["clients", "add"], ["clients", "add", "a b"],
            ["clients", "delete", "nobody"], ["keys", "nothing"], ["keys", "rotate", "x"], ["keys", "revoke"],
            ["keys", "revoke", "x"],
        ] {
            let outcome = try await server.run(arguments)
            #expect(outcome.status != 0, "\(arguments)")
            #expect(!outcome.error.isEmpty, "\(arguments)")
            #expect(!outcome.error.contains("Fatal"), "\(arguments)")
        }
    }

    @Test func whatAClientCallsItselfCannotWriteOnTheOperatorsTerminal() async throws {
        let miguel = try await server.newAccount()
        _ = try await server.signIn(miguel, headers: ["User-Agent: a\u{9b}31m\u{85}b\tc"])
        let output = try await run("sessions", "list", miguel.name).output
        #expect(output.split(separator: "\n").count == 1)
        let controls = output.unicodeScalars.filter { $0.properties.generalCategory == .control }
        #expect(!controls.contains { $0 != "\t" && $0 != "\n" })
    }

    @Test func rolesAreGrantedAndTakenAway() async throws {
        let miguel = try await server.newAccount()
        func groups(_ token: String) async throws -> String? {
            try await server.send("GET", "/api/verify", headers: [bearer(token)])["Remote-Groups"]
        }
        #expect(try await run("users", "grant", miguel.name, "admin", "auditor").status == 0)
        let line = try await run("users", "list", "--json").output.split(separator: "\n")
            .first { $0.contains(#""username":"\#(miguel.name)""#) }
        #expect(line?.contains(#""roles":["admin","auditor"]"#) == true)
        let token = try await server.signIn(miguel).access
        #expect(try await groups(token) == "admin,auditor")
        #expect(try await run("users", "revoke", "--id", "\(miguel.id)", "admin").status == 0)
        try await server.waitForRefusal(of: token)
        #expect(try await groups(server.signIn(miguel).access) == "auditor")
    }

    @Test func aClientsSecretIsShownOnce() async throws {
        let gateway = RunningServer.newName("gateway")
        func listed() async throws -> [Substring] {
            try await run("clients", "list").output.split(separator: "\n").filter { $0.hasPrefix("\(gateway)\t") }
        }
        let added = try await run("clients", "add", gateway)
        #expect(added.output.contains("client_secret"))
        let again = try await run("clients", "add", gateway)
        #expect(again.status == 1)
        #expect(again.error == "rest-auth: there is a client \(gateway) already\n")
        #expect(try await listed().count == 1)
        #expect(try await run("clients", "delete", gateway).status == 0)
        #expect(try await listed().isEmpty)
    }

    /// Rotates the keys of the whole server, and revokes one.
    @Test func aKeyIsMadeAndSignsWhenItIsTime() async throws {
        let server = try await RunningServer()
        let miguel = try await server.newAccount()
        func status(_ token: String) async throws -> Int {
            try await server.send("GET", "/api/resource", headers: [bearer(token)]).status
        }
        let first = try await server.signIn(miguel).access
        #expect(try await server.run(["keys", "list"]).output.contains("\tES256\tsigning\t"))
        let rotated = try await server.run(["keys", "rotate", "--now", "--signing-algorithm", "eddsa"])
        #expect(rotated.status == 0)
        let pending = try await server.run(["keys", "rotate"])
        #expect(pending.status == 1)
        #expect(pending.error.contains("it signs from"))
        try await wait(for: "the server to publish it") {
            try await server.send("GET", "/.well-known/jwks.json").body.contains("Ed25519")
        }
        try await wait(for: "the new key to sign") {
            try await server.signIn(miguel).access.prefix(20) != first.prefix(20)
        }
        #expect(try await status(first) == 200)
        #expect(try await status(server.signIn(miguel).access) == 200)
        let states = try await server.run(["keys", "list", "--json"]).output
        #expect(states.contains(#""alg":"ES256","state":"verifying""#))
        #expect(states.contains(#""alg":"EdDSA","state":"signing""#))
        let kid = try #require(states.firstMatch(of: /"kid":"([^"]+)"/)?.1)
        #expect(try await server.run(["keys", "revoke", String(kid)]).output == "Revoked the key \(kid).\n")
        try await wait(for: "its tokens to be refused") { try await status(first) == 401 }
    }

    @Test func anIdThatBeginsWithAHyphenIsToldFromOptions() async throws {
        let taken = try await run("keys", "revoke", "-abc")
        #expect(taken.status != 0)
        #expect(taken.error.contains("goes last, after a word of two: -- -name\n"))
        #expect(try await !run("keys", "revoke").error.contains("hyphen"))
    }

    @Test func impossibleSettingsAreRefusedAtStart() async throws {
        let directory = try TemporaryDirectory()
        for flags in [
            ["--refresh-token-in-body", "no"], ["--refresh-token-in-cookie", "maybe"],
            ["--signing-algorithm", "HS256"], ["--key-rotation", "60"], ["--session-limit", "0"],
            ["--session-timebox", "x"], ["--session-inactivity-timeout", "0"],
        ] {
            let outcome = try await runCommand(["config", "check"] + flags, directory: directory)
            #expect(outcome.status == 1, "\(flags)")
            #expect(outcome.error.split(separator: "\n").count == 1, "\(flags)")
        }
    }
}

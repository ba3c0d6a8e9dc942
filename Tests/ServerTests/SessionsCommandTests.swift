import Foundation
import Support
import Testing

/// Sessions, keys, roles and clients for an operator, while a server runs on the same database.
@Suite struct SessionsCommandTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer()
        _ = try server.register("miguel", "python")
    }

    private func run(_ arguments: String...) async throws -> CommandOutcome {
        try await server.run(arguments)
    }

    @Test func anOperatorSeesAndEndsASession() async throws {
        let (first, second) = (
            try server.signIn(headers: ["User-Agent: phone"]), try server.signIn(headers: ["User-Agent: laptop"])
        )
        for tokens in [first, second] {
            #expect(try server.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 200)
        }
        let lines = try await run("sessions", "list", "miguel", "--json").output.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        #expect(lines.map { $0["user_agent"] as? String } == ["laptop", "phone"])
        #expect(lines.map { $0["user_id"] as? Int } == [1, 1])
        let id = try #require(lines[1]["id"] as? String)
        #expect(try await run("sessions", "revoke", id).output == "Ended \(id).\n")
        try await server.waitForRefusal(of: first.access)
        #expect(try server.refresh(first.refresh).code == "invalid_grant")
        #expect(try server.send("GET", "/api/resource", headers: [bearer(second.access)]).status == 200)
        #expect(try await run("sessions", "list", "--id", "1").output.split(separator: "\n").count == 1)
        let again = try await run("sessions", "revoke", id)
        #expect(again.status == 1)
        #expect(again.error == "rest-auth: there is no session \(id)\n")
        #expect(try await run("sessions", "revoke", "--user", "miguel").output == "Ended 1 session of miguel.\n")
        try await server.waitForRefusal(of: second.access)
    }

    @Test(arguments: [
        ["sessions", "list"], ["sessions", "list", "nobody"], ["sessions", "revoke"], ["sessions", "revoke", "x"],
        ["sessions", "revoke", "--user", "nobody"], ["users", "grant", "miguel"], ["users", "grant", "miguel", "a b"],
        ["users", "grant", "nobody", "admin"], ["users", "revoke", "--id", "1"], ["clients", "add"],
        ["clients", "add", "a b"],
        ["clients", "remove", "nobody"], ["keys"], ["keys", "rotate", "x"], ["keys", "revoke"],
        ["keys", "revoke", "x"],
    ])
    func whatCannotBeIsAnErrorInAFewWords(arguments: [String]) async throws {
        let outcome = try await server.run(arguments == ["keys"] ? ["keys", "nothing"] : arguments)
        #expect(outcome.status != 0)
        #expect(!outcome.error.isEmpty)
        #expect(!outcome.error.contains("Fatal"))
    }

    @Test func whatAClientCallsItselfCannotWriteOnTheOperatorsTerminal() async throws {
        _ = try server.signIn(headers: ["User-Agent: a\u{9b}31m\u{85}b\tc"])
        let output = try await run("sessions", "list", "miguel").output
        #expect(output.split(separator: "\n").count == 1)
        #expect(
            !output.unicodeScalars.contains { $0.properties.generalCategory == .control && $0 != "\t" && $0 != "\n" })
    }

    @Test func rolesAreGrantedAndTakenAway() async throws {
        #expect(try await run("users", "grant", "miguel", "admin", "auditor").status == 0)
        #expect(try await run("users", "list", "--json").output.contains(#""roles":["admin","auditor"]"#))
        let token = try server.signIn().access
        #expect(try server.send("GET", "/api/verify", headers: [bearer(token)])["Remote-Groups"] == "admin,auditor")
        #expect(try await run("users", "revoke", "--id", "1", "admin").status == 0)
        try await server.waitForRefusal(of: token)
        #expect(
            try server.send("GET", "/api/verify", headers: [bearer(server.signIn().access)])["Remote-Groups"]
                == "auditor")
    }

    @Test func aClientsSecretIsShownOnce() async throws {
        let added = try await run("clients", "add", "gateway")
        #expect(added.output.contains("client_secret"))
        let again = try await run("clients", "add", "gateway")
        #expect(again.status == 1)
        #expect(again.error == "rest-auth: there is a client gateway already\n")
        let list = try await run("clients", "list").output
        #expect(list.hasPrefix("gateway\t"))
        #expect(list.split(separator: "\n").count == 1)
        #expect(try await run("clients", "remove", "gateway").status == 0)
        #expect(try await run("clients", "list").output.isEmpty)
    }

    @Test func aKeyIsMadeAndSignsWhenItIsTime() async throws {
        let first = try server.signIn().access
        #expect(try await run("keys", "list").output.contains("\tES256\tsigning\t"))
        #expect(try await run("keys", "rotate", "--now", "--signing-algorithm", "eddsa").status == 0)
        let pending = try await run("keys", "rotate")
        #expect(pending.status == 1)
        #expect(pending.error.contains("keys list"))
        try await wait(seconds: 2, for: "the server to publish it") {
            try server.send("GET", "/.well-known/jwks.json").body.contains("Ed25519")
        }
        try await wait(seconds: 15, for: "the new key to sign") {
            try server.signIn().access.prefix(20) != first.prefix(20)
        }
        #expect(try server.send("GET", "/api/resource", headers: [bearer(first)]).status == 200)
        #expect(try server.send("GET", "/api/resource", headers: [bearer(server.signIn().access)]).status == 200)
        let states = try await run("keys", "list", "--json").output
        #expect(states.contains(#""alg":"ES256","state":"verifying""#))
        #expect(states.contains(#""alg":"EdDSA","state":"signing""#))
        let kid = try #require(states.firstMatch(of: /"kid":"([^"]+)"/)?.1)
        #expect(try await run("keys", "revoke", String(kid)).output == "Revoked the key \(kid).\n")
        try await wait(seconds: 2, for: "its tokens to be refused") {
            try server.send("GET", "/api/resource", headers: [bearer(first)]).status == 401
        }
    }

    @Test(arguments: [
        ["--refresh-token-in-body", "no"], ["--refresh-token-in-cookie", "maybe"], ["--signing-algorithm", "HS256"],
        ["--key-rotation", "60"],
        ["--session-limit", "0"], ["--session-timebox", "x"], ["--session-inactivity-timeout", "0"],
    ])
    func impossibleSettingsAreRefusedAtStart(flags: [String]) async throws {
        let outcome = try await runCommand(["config", "check"] + flags, directory: server.directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.split(separator: "\n").count == 1)
    }
}

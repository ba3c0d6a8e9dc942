import Foundation
import Support
import Testing

/// Changing the secret under a running server, with the real binary. Each test changes the secret
/// of its own server.
@Suite struct SecretCommandTests {
    private let directory: TemporaryDirectory
    private var file: String { directory.path + "/rest-auth.secret" }

    init() throws { directory = try TemporaryDirectory() }

    /// Does every step of a rotation, on the backend under test.
    private func rotate(_ server: RunningServer, _ flags: String...) async throws -> CommandOutcome {
        guard TestDatabase.isOnPostgres else { return try await server.run(["secret", "rotate"] + flags) }
        _ = try await server.run(["secret", "rotate"])
        return try await server.run(["secret", "rotate", "--nodes-ready"] + flags)
    }

    private func status(_ server: RunningServer) async throws -> [String: Any] {
        let output = try await server.command("secret", "status", "--json").output
        return try #require(JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
    }

    private func count(_ status: [String: Any], _ name: String) -> Int? {
        (status[name] as? [String: Any])?["of_previous"] as? Int
    }

    /// Makes the file look a minute old.
    private func letAMinutePass(since file: String) throws {
        try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -60)], ofItemAtPath: file)
    }

    private func introspect(_ server: RunningServer, _ token: String, by secret: String) async throws -> HTTPAnswer {
        try await server.send(
            "POST", "/oauth/introspect",
            headers: [basic("gateway", secret), "Content-Type: application/x-www-form-urlencoded"],
            body: "token=\(token)")
    }

    // MARK: A complete change

    @Test func sessionsClientsAndKeysGoOnUntilTheOldSecretIsDropped() async throws {
        let server = try await RunningServer(directory: directory)
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount())
        let (first, idle) = (try await server.signIn(miguel), try await server.signIn(susan))
        let client = try await server.addClient("gateway")
        let secrets = [try String(contentsOfFile: file, encoding: .utf8)]

        let outcome = try await rotate(server)
        #expect(outcome.status == 0, "\(outcome.error)")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        for line in text.split(separator: "\n").map(String.init) + secrets where line.utf8.count > 20 {
            #expect(!outcome.output.contains(line) && !server.log.contains(line))
        }
        #expect(text.hasSuffix("\nprevious:\n\(secrets[0].trimmingCharacters(in: .whitespacesAndNewlines))\n"))
        try await wait(for: "the server to take it up") { server.log.contains("secret_rotated") }

        #expect(try await server.send("GET", "/api/resource", headers: [bearer(first.access)]).status == 200)
        #expect(try await introspect(server, first.access, by: client).json["active"] as? Bool == true)
        let renewed = try await server.refresh(first.refresh)
        #expect(renewed.status == 200, "\(renewed.body)")
        #expect(
            try await server.refresh(first.refresh).json["refresh_token"] as? String
                == renewed.json["refresh_token"] as? String)
        let second = try #require(renewed.json["refresh_token"] as? String)
        let third = try #require(try await server.refresh(second).json["refresh_token"] as? String)
        let fresh = try await server.signIn(miguel)
        #expect(try await server.command("keys", "rotate").output.contains("next key"))
        var now = try await status(server)
        #expect(count(now, "signing_keys") == 0)
        #expect(count(now, "sessions") == 1)
        #expect((now["clients"] as? [String: Any])?["of_previous"] as? [String] == [])

        // Once more, and before the old secret is no longer needed.
        let again = try await rotate(server)
        #expect(again.status == 1)
        #expect(again.error.contains("no new secret was made"))
        #expect(try await server.run(["secret", "drop"]).error.contains("just now"))
        try letAMinutePass(since: file)
        let refused = try await server.run(["secret", "drop"])
        #expect(refused.status == 1)
        #expect(refused.error.contains("1 session,"))
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)

        #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(idle.access)]).status == 204)
        let dropped = try await server.run(["secret", "drop"])
        #expect(dropped.status == 0, "\(dropped.error)")
        try await wait(for: "the server to forget it") { server.log.contains("secret_dropped") }
        now = try await status(server)
        #expect(now["previous"] is NSNull)
        #expect(try await server.run(["secret", "drop"]).error.contains("no previous secret"))
        #expect(try await server.refresh(first.refresh).code == "invalid_grant")
        for token in [third, fresh.refresh] { #expect(try await server.refresh(token).status == 200) }
        #expect(try await introspect(server, fresh.access, by: client).json["active"] as? Bool == true)

        // The same after a restart, and after a second change.
        #expect(try await server.stop() == 0)
        let restarted = try await RunningServer(directory: directory)
        #expect(try await restarted.send("GET", "/api/resource", headers: [bearer(fresh.access)]).status == 200)
        #expect(try await rotate(restarted, "--revoke-keys").status == 0)
        try await restarted.waitForRefusal(of: fresh.access)
        try await wait(for: "the server to take it up") { restarted.log.contains("secret_rotated") }
        #expect(try await restarted.signIn(miguel).refresh.utf8.count == 118)
    }

    @Test func secondFactorsGoOnWithoutTheOldSecret() async throws {
        let server = try await RunningServer(directory: directory)
        let miguel = try await server.newAccount()
        let app = try await server.addApp(to: miguel)
        func token(_ code: Int) async throws -> HTTPAnswer {
            try await server.send("GET", "/api/token", headers: [miguel.basic, "X-OTP: \(app.recoveryCodes[code])"])
        }
        #expect(try await token(0).status == 200)
        let outcome = try await rotate(server)
        #expect(outcome.output.contains("Encrypted anew: 1 signing key and 2 factors."), "\(outcome.error)")
        let now = try await status(server)
        #expect((now["factors"] as? [String: Int]) == ["count": 2, "of_previous": 0])
        #expect(try await server.command("secret", "status").output.contains("1 signing key, 2 factors, 0 clients,"))
        #expect(try await token(1).status == 200)
        try await wait(for: "the server to take it up") { server.log.contains("secret_rotated") }
        #expect(try await token(2).status == 200)
        try letAMinutePass(since: file)
        #expect(try await server.run(["secret", "drop"]).status == 0)
        try await wait(for: "the server to forget it") { server.log.contains("secret_dropped") }
        #expect(try await token(3).status == 200)
        for code in 0...3 { #expect(try await token(code).code == "invalid_code") }
    }

    @Test func aDropByForceEndsWhatNeedsTheOldSecret() async throws {
        let server = try await RunningServer(directory: directory)
        let miguel = try await server.newAccount()
        let idle = try await server.signIn(miguel)
        let client = try await server.addClient("gateway")
        #expect(try await rotate(server).status == 0)
        try await wait(for: "the server to take it up") { server.log.contains("secret_rotated") }
        let fresh = try await server.signIn(miguel)
        let dropped = try await server.command("secret", "drop", "--force").output
        #expect(dropped.contains("Ended 1 session."))
        #expect(dropped.contains("Removed the client gateway."))
        try await server.waitForRefusal(of: idle.access)
        #expect(try await server.refresh(idle.refresh).code == "invalid_grant")
        #expect(try await introspect(server, fresh.access, by: client).status == 401)
        #expect(try await server.refresh(fresh.refresh).status == 200)
    }

    // MARK: Killed

    /// Each round: the command is killed at some point, while clients renew; a second run finishes.
    @Test func killsInTheMiddleLoseNoSessionAndNoKey() async throws {
        let server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
        let miguel = try await server.newAccount()
        var token = try await server.signIn(miguel).refresh
        // Several keys that have to be sealed again.
        try await server.command("keys", "rotate")
        let database = try await directory.database()
        for round in 0..<Soak.count(5, soak: 30) {
            let before = try String(contentsOfFile: file, encoding: .utf8)
            if TestDatabase.isOnPostgres { try await server.command("secret", "rotate") }
            let prepared = try String(contentsOfFile: file, encoding: .utf8)
            let command = try ExternalProcess(
                ExternalProcess.restAuth,
                ["secret", "rotate", "--database", database.url]
                    + (TestDatabase.isOnPostgres ? ["--nodes-ready"] : []),
                environment: database.environment, directory: directory)
            switch round % 5 {
            case 0: break  // before it has begun
            case 1: try await Task.sleep(for: .milliseconds(20))  // somewhere
            default:  // after the file, before, amid or after the keys
                let limit = ContinuousClock.now + Patience.limit
                while (try? String(contentsOfFile: file, encoding: .utf8)) == prepared, ContinuousClock.now < limit {
                    await Task.yield()
                }
            }
            command.kill()
            _ = try await command.exitStatus()
            let answer = try await server.refresh(token)
            #expect(answer.status == 200, "\(answer.body)")
            // Runs to its end, or finds that it was there already.
            _ = try await rotate(server)
            let now = try await status(server)
            #expect(now["previous"] is String)
            #expect(count(now, "signing_keys") == 0)
            #expect(try String(contentsOfFile: file, encoding: .utf8).contains(before.split(separator: "\n")[0]))
            token = try #require(try await server.refresh(token).json["refresh_token"] as? String)
            for _ in 0..<2 { token = try #require(try await server.refresh(token).json["refresh_token"] as? String) }
            try await wait(for: "the session to have changed over") {
                token = try #require(try await server.refresh(token).json["refresh_token"] as? String)
                return try await count(status(server), "sessions") == 0
            }
            try letAMinutePass(since: file)
            let dropped = try await server.run(["secret", "drop"])
            #expect(dropped.status == 0, "\(dropped.error)")
            #expect(try await server.refresh(token).status == 200)
        }
        // No temporary files are left.
        #expect(directory.contents.filter { $0.hasPrefix("rest-auth.secret") } == ["rest-auth.secret"])
        #expect(try await server.stop() == 0)
        let restarted = try await RunningServer(directory: directory)
        #expect(try await restarted.refresh(token).status == 200)
    }

    // MARK: Several nodes

    /// Each node has its own copy of the file, which the operator installs, while a client renews
    /// at both.
    @Test func twoNodesWithCopiesOfTheFileChangeOverTogether() async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let shared = try TemporaryDirectory(database: url)
        _ = try await shared.database()
        let original = shared.path + "/rest-auth.secret"
        let copies = ["a", "b"].map { "\(shared.path)/\($0).secret" }
        func bring(_ from: String, to target: String) throws {
            try FileManager.default.copyItem(atPath: from, toPath: target + ".new")
            rename(target + ".new", target)
        }
        for copy in copies { try bring(original, to: copy) }
        var nodes: [RunningServer] = []
        for copy in copies {
            nodes.append(
                try await RunningServer(
                    ["--database-timeout", "60", "--secret-key-file", copy],
                    environment: ["SECRET_KEY_FILE": copy], directory: shared))
        }
        func secret(_ arguments: String...) async throws -> CommandOutcome {
            try await runCommand(
                ["secret"] + arguments + ["--database", url, "--secret-key-file", copies[0]], directory: shared)
        }
        let miguel = try await nodes[0].newAccount()
        var token = try await nodes[0].signIn(miguel).refresh
        /// Gets the same answer from both, and then its successor.
        func renew() async throws {
            let answers = [
                try await nodes[0].refresh(token), try await nodes[1].refresh(token), try await nodes[0].refresh(token),
            ]
            for answer in answers { #expect(answer.status == 200, "\(answer.body)") }
            let tokens = Set(answers.compactMap { $0.json["refresh_token"] as? String })
            #expect(tokens.count == 1)
            token = try #require(tokens.first)
            nodes.reverse()
        }
        try await renew()
        let premature = try await secret("rotate", "--nodes-ready")
        #expect(premature.status == 1)
        #expect(premature.error.contains("no next secret"))

        let prepared = try await secret("rotate")
        #expect(prepared.output.contains("every node"), "\(prepared.error)")
        let text = try String(contentsOfFile: copies[0], encoding: .utf8)
        #expect(try await secret("rotate").output == prepared.output)
        #expect(try String(contentsOfFile: copies[0], encoding: .utf8) == text)
        try bring(copies[0], to: copies[1])
        try await renew()

        #expect(try await secret("rotate", "--nodes-ready").status == 0)
        let first = nodes.first { $0.log.contains("secret_rotated") }
        if first == nil {
            try await wait(for: "one to take it up") { nodes.contains { $0.log.contains("secret_rotated") } }
        }
        // One node makes everything with the new secret, the other with the old.
        for _ in 0..<3 { try await renew() }
        let signedIn = try await nodes[0].signIn(miguel)
        for node in nodes {
            #expect(try await node.send("GET", "/api/resource", headers: [bearer(signedIn.access)]).status == 200)
        }
        try bring(copies[0], to: copies[1])
        try await wait(for: "both to take it up") { nodes.allSatisfy { $0.log.contains("secret_rotated") } }
        for _ in 0..<3 { try await renew() }
        for _ in 0..<2 { _ = try await nodes[0].refresh(signedIn.refresh) }
        #expect(try await nodes[0].send("DELETE", "/api/tokens", headers: [bearer(signedIn.access)]).status == 204)
        try letAMinutePass(since: copies[0])
        let dropped = try await secret("drop")
        #expect(dropped.status == 0, "\(dropped.error)")
        try await renew()
        try bring(copies[0], to: copies[1])
        try await wait(for: "both to forget it") { nodes.allSatisfy { $0.log.contains("secret_dropped") } }
        for _ in 0..<2 { try await renew() }
    }

    // MARK: Secrets in settings

    @Test func aSecretThatIsGivenIsChangedByTheOperatorAndTheKeysByTheCommand() async throws {
        let (old, new) = ("nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO")
        let database = try await directory.database()
        func secret(_ arguments: [String], _ environment: [String: String]) async throws -> CommandOutcome {
            try await runCommand(
                ["secret"] + arguments + ["--database", database.url], environment: environment, directory: directory)
        }
        func server(_ environment: [String: String]) async throws -> RunningServer {
            try await RunningServer(environment: environment, directory: directory)
        }
        var running = try await server(["SECRET_KEY": old])
        let miguel = try await running.newAccount()
        var token = try await running.signIn(miguel).refresh
        let procedure = try await secret(["rotate"], ["SECRET_KEY": old])
        #expect(procedure.status == 1)
        #expect(procedure.error.contains("SECRET_KEY_NEXT") && procedure.error.contains("SECRET_KEY_PREVIOUS"))
        for environment in [
            ["SECRET_KEY": old, "SECRET_KEY_NEXT": new], ["SECRET_KEY": new, "SECRET_KEY_PREVIOUS": old],
        ] {
            #expect(try await running.stop() == 0)
            running = try await server(environment)
            let answer = try await running.refresh(token)
            #expect(answer.status == 200, "\(answer.body)")
            token = try #require(answer.json["refresh_token"] as? String)
        }
        #expect(try await secret(["rotate"], ["SECRET_KEY": old, "SECRET_KEY_NEXT": new]).status == 1)
        let changed = ["SECRET_KEY": new, "REST_AUTH_SECRET_KEY_PREVIOUS": old]
        #expect(try await secret(["rotate"], changed).output.contains("Encrypted anew: 1 signing key."))
        #expect(try await secret(["rotate"], changed).error.contains("no new secret was made"))
        #expect(try await secret(["drop"], changed).error.contains("1 session"))
        for _ in 0..<2 { token = try #require(try await running.refresh(token).json["refresh_token"] as? String) }
        #expect(try await secret(["drop"], changed).output.contains("take SECRET_KEY_PREVIOUS away"))
        #expect(try await running.stop() == 0)
        running = try await server(["SECRET_KEY": new])
        #expect(try await running.refresh(token).status == 200)
        #expect(try await secret(["status"], ["SECRET_KEY": old]).status == 1)
    }

    @Test(arguments: [
        ["SECRET_KEY_NEXT": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"],
        ["SECRET_KEY_PREVIOUS": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"],
        ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "SECRET_KEY_NEXT": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"],
        ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "SECRET_KEY_PREVIOUS": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"],
        ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "SECRET_KEY_NEXT": "weak"],
        ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "SECRET_KEY_NEXT": "changeme-changeme-changeme-changeme"],
        ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "SECRET_KEY_PREVIOUS": "weak"],
        [
            "SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "SECRET_KEY_NEXT": "q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO",
            "SECRET_KEY_PREVIOUS": "a8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO",
        ],
        ["SECRET_KEY_FILE": "x.secret", "SECRET_KEY_NEXT": "q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO"],
    ])
    func secretsThatDoNotGoTogetherAreRefusedAtStartByName(environment: [String: String]) async throws {
        let outcome = try await runCommand(
            ["config", "check", "--database", "sqlite:\(directory.path)/none.sqlite"], environment: environment,
            directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("SECRET_KEY_") || outcome.error.contains("secret_key_"))
        for value in environment.values where value.utf8.count > 30 {
            #expect(!outcome.error.contains(value) && !outcome.output.contains(value))
        }
    }

    @Test func aCommandThatCannotReadOrReplaceTheFileChangesNothing() async throws {
        let server = try await RunningServer(directory: directory)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        for arguments in [["rotate"], ["status"], ["drop"], ["drop", "--force"]] {
            let outcome = try await server.run(["secret"] + arguments)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("chmod 600"))
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        for arguments in [["drop"], ["drop", "--force"], ["rotate", "x"], ["nothing"]] {
            #expect(try await server.run(["secret"] + arguments).status != 0)
        }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
        #expect(try await server.newAccount().id > 0)
    }
}

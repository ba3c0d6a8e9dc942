import Foundation
import Support
import Testing

/// The connection of a node to its database: over TLS, with a password, as a role with few
/// privileges; and the messages when it fails. Each test has its own database.
@Suite struct PostgresConnectionTests {
    /// The server of tests that change settings of the whole server. Its data need not survive a
    /// crash of the machine.
    private static let configured = Task { try await PostgresServer(options: ["-c", "fsync=off"]) }

    let shared: PostgresServer

    init() async throws { shared = try await PostgresServer.shared() }

    /// Starts a node that is expected to fail with one line.
    private func expectRefusal(_ url: String, _ arguments: String..., saying text: String) async throws {
        let directory = try TemporaryDirectory(database: url)
        let outcome = try await runCommand(
            ["serve", "--port", "0", "--database", url] + arguments, environment: directory.database().environment,
            directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: "))
        #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
        #expect(outcome.error.contains(text), "\(outcome.error)")
        #expect(outcome.output.isEmpty)
    }

    // MARK: Identity of the server

    @Test func overTLSOnlyTheServerThatWasMeantIsBelieved() async throws {
        let server = try await Self.configured.value
        let authority = try await makeCertificates(for: server)
        try await server.execute("CREATE DATABASE encrypted")
        try await server.execute("ALTER SYSTEM SET ssl = on")
        try await server.execute("SELECT pg_reload_conf()")
        try await wait(for: "TLS") { try await server.execute("SHOW ssl") == "on" }
        func url(_ host: String, _ file: String) -> String {
            server.networkURL("encrypted", host: host, options: "sslmode=verify-full&sslrootcert=\(file)")
        }

        let directory = try TemporaryDirectory(database: url("localhost", authority))
        let node = try await RunningServer(directory: directory)
        try await node.register("miguel", "python")
        #expect(try await node.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
        let encrypted = """
            SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = 'encrypted'
            """
        #expect(try await server.execute(encrypted) == "t")

        let stranger = server.dataPath + "/stranger.crt"
        try await expectRefusal(url("localhost", stranger), saying: "certificate verify failed")
        try await expectRefusal(url("127.0.0.1", authority), saying: "does not match host name")
        try await expectRefusal(url("localhost", "/nowhere/authority.crt"), saying: "/nowhere/authority.crt")
    }

    /// Makes an authority, the server's certificate by it for `localhost`, and a certificate of
    /// another authority.
    /// - Returns: the path of the authority's file.
    private func makeCertificates(for server: PostgresServer) async throws -> String {
        let certificates: [(name: String, subject: String, issuer: [String])] = [
            ("authority", "Authority", []), ("stranger", "Stranger", []),
            ("server", "localhost", ["-CA", "authority.crt", "-CAkey", "authority.key"]),
        ]
        for (name, subject, issuer) in certificates {
            let files = ["-keyout", "\(name).key", "-out", "\(name).crt"] + issuer
            let arguments =
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=\(subject)",
                ] + files.map { $0.contains(".") ? "\(server.dataPath)/\($0)" : $0 }
            let made = try server.run("openssl", arguments)
            #expect(try await made.exitStatus() == 0, "\(made.errorText)")
        }
        return server.dataPath + "/authority.crt"
    }

    @Test func aPasswordIsAskedForAndNeverRepeated() async throws {
        let server = try await Self.configured.value
        try await server.execute("CREATE ROLE auth LOGIN PASSWORD 'right-horse'")
        try await server.execute("CREATE DATABASE auth OWNER auth")
        let rules = URL(fileURLWithPath: server.dataPath + "/pg_hba.conf")
        let present = try String(contentsOf: rules, encoding: .utf8)
        try Data(("host all auth 127.0.0.1/32 scram-sha-256\n" + present).utf8).write(to: rules)
        try await server.execute("SELECT pg_reload_conf()")
        func url(_ password: String) -> String { server.networkURL("auth", user: "auth:\(password)") }
        try await wait(for: "the wrong password to be refused") {
            (try? await server.execute("SELECT 1", at: url("wrong-horse"))) == nil
        }
        try await expectRefusal(url("wrong-horse"), saying: "password authentication failed")

        let directory = try TemporaryDirectory(database: url("right-horse"))
        let node = try await RunningServer(["--log-level", "trace"], directory: directory)
        #expect(try await node.register("miguel", "python").status == 201)
        let check = try await node.run(["config", "check"])
        #expect(check.status == 0)
        #expect(check.output.contains("auth:***@127.0.0.1"))

        // Now the password is the wrong one.
        try await server.execute("ALTER ROLE auth PASSWORD 'another-horse'")
        try await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'auth'")
        try await wait(for: "the log to say so") { node.log.contains("password authentication failed") }
        try await server.execute("ALTER ROLE auth PASSWORD 'right-horse'")
        try await wait(for: "the node to be back") { try await node.send("GET", "/health/ready").status == 200 }

        for text in [node.log, node.output, check.output, check.error] { #expect(!text.contains("horse")) }
    }

    /// A password that is not percent-encoded is misparsed, and must not be shown in the message.
    @Test(arguments: ["gehe%zzim", "gehe/im", "gehe@im", "gehe#im?im", "gehe:im/im"])
    func aPasswordThatIsNotEncodedIsNotRepeated(password: String) async throws {
        let url = "postgres://auth:\(password)@127.0.0.1:1/auth"
        let directory = try TemporaryDirectory(database: url)
        for command in [["serve", "--port", "0"], ["config", "check"]] {
            let outcome = try await runCommand(
                command + ["--database", url], environment: directory.database().environment, directory: directory)
            if command[0] == "serve" { #expect(outcome.status == 1) }
            for part in ["gehe", "zzim", "im@", "im/"] {
                #expect(!outcome.error.contains(part), "\(outcome.error)")
                #expect(!outcome.output.contains(part), "\(outcome.output)")
            }
        }
    }

    // MARK: A role with few privileges

    @Test func aRoleThatMayChangeRowsAndNoTablesIsEnough() async throws {
        let name = PostgresServer.name(in: try await shared.makeDatabase())
        // Roles belong to the whole server.
        let (ownerName, runtimeName) = ("\(name)_owner", "\(name)_runtime")
        try await shared.execute("CREATE ROLE \(ownerName) LOGIN; CREATE ROLE \(runtimeName) LOGIN")
        try await shared.execute("ALTER DATABASE \(name) OWNER TO \(ownerName)")
        let (owner, runtime) = (shared.url(name, user: ownerName), shared.url(name, user: runtimeName))
        try await expectRefusal(runtime, saying: "rest-auth schema apply")

        let directory = try TemporaryDirectory(database: runtime)
        // Twice: repeating it does no harm.
        for _ in 0..<2 {
            let applied = try await runCommand(
                ["schema", "apply", "--runtime-role", runtimeName, "--database", owner],
                environment: directory.database().environment, directory: directory)
            #expect(applied.status == 0, "\(applied.error)")
        }
        let node = try await RunningServer(["--database-timeout", "60"], directory: directory)
        try await useEverything(of: node)
        #expect(!node.log.contains("the database failed"))

        for statement in [
            "CREATE TABLE mine ()", "CREATE SCHEMA mine", "ALTER TABLE users ADD COLUMN mine text",
            "DROP TABLE sessions", "TRUNCATE sessions", "TRUNCATE users CASCADE",
            "ALTER TABLE users DISABLE TRIGGER ALL", "CREATE INDEX ON users (username)", "DROP SCHEMA public CASCADE",
            "INSERT INTO schema_migrations VALUES (99)", "CREATE ROLE mine",
        ] {
            let error = await #expect(throws: ServerEnded.self, "\(statement)") {
                try await shared.execute(statement, at: runtime)
            }
            let says = error?.description ?? ""
            #expect(says.contains("permission denied") || says.contains("must be owner"), "\(statement): \(says)")
        }
    }

    /// Uses everything that the API and the commands offer, once.
    private func useEverything(of node: RunningServer) async throws {
        for name in ["miguel", "susan"] { #expect(try await node.register(name, "python").status == 201) }
        try await node.command("users", "grant", "miguel", "admin")
        let tokens = try await node.signIn()
        let form = ["Content-Type: application/x-www-form-urlencoded"]
        let gateway = basic("gateway", try await node.addClient("gateway"))
        #expect(try await node.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 200)
        for path in [
            "/api/token", "/api/resource", "/api/verify", "/api/me", "/api/me/sessions", "/api/users/1",
            "/api/revocations",
        ] {
            #expect(try await node.send("GET", path, headers: [bearer(tokens.access)]).status == 200, "\(path)")
        }
        let introspected = try await node.send(
            "POST", "/oauth/introspect", headers: [gateway] + form, body: "token=\(tokens.access)")
        #expect(introspected.json["active"] as? Bool == true)
        let renewed = try #require(try await node.refresh(tokens.refresh).json["refresh_token"] as? String)
        let revoked = try await node.send(
            "POST", "/oauth/revoke", headers: [gateway] + form, body: "token=\(renewed)")
        #expect(revoked.status == 200)
        let password = json(["current_password": "python", "new_password": "monty"])
        let headers = [basic("miguel", "python"), "Content-Type: application/json"]
        #expect(try await node.send("PUT", "/api/me/password", headers: headers, body: password).status == 204)
        for path in ["/api/me/sessions", "/api/me"] {
            #expect(try await node.send("DELETE", path, headers: [basic("miguel", "monty")]).status == 204)
        }
        for command in [
            ["users", "grant", "susan", "admin"], ["users", "revoke", "susan", "admin"], ["users", "disable", "susan"],
            ["users", "enable", "susan"], ["sessions", "revoke", "--user", "susan"], ["clients", "delete", "gateway"],
            ["keys", "rotate"], ["keys", "rotate", "--now"], ["users", "delete", "susan"], ["users", "list"],
        ] {
            let outcome = try await node.run(command)
            #expect(outcome.status == 0, "\(command): \(outcome.error)")
        }
    }

    /// The last ids of deleted rows move too. They are copied last, but checked first.
    @Test func whatARoleWithoutTablesServesCanBeMoved() async throws {
        let url = try await shared.makeDatabase()
        let role = "\(PostgresServer.name(in: url))_source"
        try await shared.execute("CREATE ROLE \(role) LOGIN")
        let source = shared.url(PostgresServer.name(in: url), user: role)
        let directory = try TemporaryDirectory(database: source)
        let applied = try await runCommand(
            ["schema", "apply", "--runtime-role", role, "--database", url], directory: directory)
        #expect(applied.status == 0, "\(applied.error)")
        let node = try await RunningServer(directory: directory)
        try await node.register("miguel", "python")
        #expect(try await node.stop() == 0)

        try await shared.execute("REVOKE SELECT ON SEQUENCE audit_events_id_seq FROM \(role)", at: url)
        let arguments = ["migrate", "--from", source, "--to", "sqlite:new.sqlite"]
        let refused = try await runCommand(arguments, directory: directory)
        #expect(refused.status == 1)
        let advice = ["audit_events_id_seq", role, "rest-auth schema apply --runtime-role \(role)"]
        for part in advice { #expect(refused.error.contains(part), "\(refused.error)") }
        #expect(!refused.error.contains("copying"), "\(refused.error)")
        #expect(!directory.contents.contains("new.sqlite"))

        // Run again, `schema apply` grants what is missing.
        try await shared.execute("REVOKE ALL ON audit_events FROM \(role)", at: url)
        try await expectRefusal(source, saying: "read and write audit_events")
        _ = try await runCommand(
            ["schema", "apply", "--runtime-role", role, "--database", url], directory: directory)
        let moved = try await runCommand(arguments, directory: directory)
        #expect(moved.status == 0, "\(moved.error)")
    }

    @Test func instancesInSchemasOfOneDatabaseKnowNothingOfEachOther() async throws {
        let url = try await shared.makeDatabase()
        let directory = try TemporaryDirectory(database: url)
        let one = try await RunningServer(["--database-schema", "one"], directory: directory)
        let other = try await RunningServer(["--database-schema", "The \"Other\""], directory: directory)
        #expect(try await one.register("miguel", "python").status == 201)
        #expect(try await other.register("miguel", "monty").status == 201)
        let token = try await one.token("miguel", "python")
        func signIn(_ password: String, at node: RunningServer) async throws -> Int {
            try await node.send("GET", "/api/token", headers: [basic("miguel", password)]).status
        }
        #expect(try await signIn("monty", at: other) == 200)
        #expect(try await signIn("python", at: other) == 401)
        #expect(try await other.send("GET", "/api/resource", headers: [bearer(token)]).status == 401)
        try await other.command("users", "disable", "miguel", "--database-schema", "The \"Other\"")
        #expect(try await signIn("monty", at: other) == 401)
        #expect(try await signIn("python", at: one) == 200)
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        #expect(try await shared.execute(tables, at: url) == "0")
    }

    // MARK: Refusals

    @Test func withoutASecretNothingStarts() async throws {
        let url = try await shared.makeDatabase()
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(["serve", "--port", "0", "--database", url], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: "))
        #expect(outcome.error.split(separator: "\n").count == 1)
        #expect(outcome.error.contains("SECRET_KEY"))
        #expect(directory.contents.isEmpty)
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        #expect(try await shared.execute(tables, at: url) == "0")
    }

    /// Each node would make a secret of its own.
    @Test func aSecretIsNotMadeForADatabaseThatNodesShare() async throws {
        let url = try await shared.makeDatabase()
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(
            ["serve", "--port", "0", "--database", url, "--secret-key-file", "shared.secret"], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("shared.secret") && outcome.error.contains("openssl rand"))
        #expect(directory.contents.isEmpty)
    }

    /// The next id is set at the end, which only the owner may do: the command checks that before
    /// it copies anything.
    @Test func aRoleThatOwnsNothingCannotFillADatabase() async throws {
        let old = try await RunningServer(directory: TemporaryDirectory(database: "sqlite:old.sqlite"))
        try await old.register("miguel", "python")
        #expect(try await old.stop() == 0)
        let url = try await shared.makeDatabase()
        let name = PostgresServer.name(in: url)
        // Roles belong to the whole server.
        let role = "\(name)_filler"
        try await shared.execute("CREATE ROLE \(role) LOGIN")
        let applied = try await runCommand(
            ["schema", "apply", "--runtime-role", role, "--database", url], directory: old.directory)
        #expect(applied.status == 0, "\(applied.error)")
        let filler = shared.url(name, user: role)
        let outcome = try await runCommand(
            ["migrate", "--from", "sqlite:old.sqlite", "--to", filler], directory: old.directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("owner"))
        let rows = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM unfinished_transfer)"
        #expect(try await shared.execute(rows, at: url) == "0")
    }

    @Test func aDatabaseThatCannotBeUsedIsOneClearLine() async throws {
        let unused = try FreePort.next()
        try await expectRefusal(shared.networkURL("auth", port: unused), saying: "\(unused)")
        try await expectRefusal(
            shared.networkURL("auth", host: "no-such-host.invalid"), saying: "no-such-host.invalid")
        try await expectRefusal(shared.url("no_such_database"), saying: "no_such_database")
        try await expectRefusal(shared.url("postgres", user: "no_such_role"), saying: "no_such_role")
        try await expectRefusal(shared.networkURL("auth", options: "no_such_option=1"), saying: "no_such_option")
        try await expectRefusal(
            shared.url("postgres"), "--database-pooler", "yes", "--database-schema", "mine", saying: "pooler")

        let url = try await shared.makeDatabase()
        let node = try await RunningServer(directory: TemporaryDirectory(database: url))
        #expect(try await node.stop() == 0)
        try await shared.execute("INSERT INTO schema_migrations VALUES (99)", at: url)
        try await expectRefusal(url, saying: "newer version")
    }
}

import Foundation
import Support
import Testing

/// Nodes behind PgBouncer, with and without the setting, and the operations that must not go
/// through it.
@Suite struct PoolerTests {
    let shared: PostgresServer

    /// A timeout for the database so long that a slow machine does not make a node give up.
    private let patient = ["--database-timeout", "60"]

    init() async throws { shared = try await PostgresServer.shared() }

    private func expectRefusal(_ url: String, _ arguments: String..., saying texts: String...) async throws {
        let directory = try TemporaryDirectory(database: url)
        let outcome = try await runCommand(
            ["serve", "--port", "0", "--database", url] + arguments, environment: directory.database().environment,
            directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: "), "\(outcome.error)")
        for text in texts { #expect(outcome.error.contains(text), "\(outcome.error)") }
        #expect(outcome.output.isEmpty)
    }

    private func listeners(at url: String) async throws -> String {
        try await shared.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()",
            at: url)
    }

    // MARK: With and without the setting

    @Test(arguments: [["--database-pooler", "yes"], ["--database-pooler", "auto"], []])
    func nodesDoTheirWorkAndHearOfEachOther(said: [String]) async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url))
        let directory = try TemporaryDirectory(database: pooler.url)
        let one = try await RunningServer(patient + said, directory: directory)
        let other = try await RunningServer(patient + said, directory: directory)

        #expect(try await one.register("miguel", "python").status == 201)
        #expect(try await other.register("miguel", "python").status == 400)
        var tokens: [SignedIn] = []
        for node in [one, other, one, other] { tokens.append(try await node.signIn()) }
        for signedIn in tokens {
            let renewed = try await other.refresh(signedIn.refresh)
            #expect(renewed.status == 200)
            let again = try await one.refresh(signedIn.refresh)
            #expect(again.json["refresh_token"] as? String == renewed.json["refresh_token"] as? String)
            for node in [one, other, one, other] {
                let answer = try await node.send("GET", "/api/resource", headers: [bearer(signedIn.access)])
                #expect(answer.status == 200)
            }
        }
        #expect(try await one.send("DELETE", "/api/tokens", headers: [bearer(tokens[0].access)]).status == 204)
        try await other.waitForRefusal(of: tokens[0].access)
        let list = try await one.run(["sessions", "list", "miguel"] + said)
        #expect(list.output.split(separator: "\n").count == 3, "\(list.error)")
        #expect(try await one.run(["users", "disable", "miguel"] + said).status == 0)
        for node in [one, other] { try await node.waitForRefusal(of: tokens[1].access) }
        // No node listens on a connection that another client may get next.
        #expect(try await listeners(at: url) == "0")
        for node in [one, other] {
            #expect(!node.log.contains("the database failed"), "\(node.log)")
            #expect(!node.log.contains("was lost"), "\(node.log)")
        }
        // The next client of the connection finds it unchanged.
        for _ in 0..<4 {
            #expect(try await shared.execute("SHOW statement_timeout", at: pooler.url) == "0")
            #expect(try await shared.execute("SELECT count(*) FROM pg_prepared_statements", at: pooler.url) == "0")
        }
    }

    @Test func theLogSaysThatAPoolerStandsBetween() async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url))
        let node = try await RunningServer(patient, directory: TemporaryDirectory(database: pooler.url))
        #expect(node.log.contains("pooler") && node.log.contains("database_pooler"), "\(node.log)")
    }

    /// Statements that an earlier client has prepared there, under any name.
    @Test func statementsThatSomebodyElsePreparedAreNotRun() async throws {
        let url = try await shared.makeDatabase()
        let name = PostgresServer.name(in: url)
        let pooler = try await Pooler(before: shared, name)
        let directory = try TemporaryDirectory(database: pooler.url)
        #expect(try await RunningServer(patient, directory: directory).stop() == 0)
        let others = try await holdEveryConnection(of: pooler)
        for other in others {
            other.send(
                line: (1...20).map { "PREPARE rest_auth_\($0) AS SELECT 1;" }.joined() + "COMMIT; SELECT 'prepared';")
            try await wait(for: "the statements") { other.outputText.contains("prepared") }
        }
        let node = try await RunningServer(patient, directory: directory)
        #expect(try await node.register("miguel", "python").status == 201)
        for _ in 0..<5 { _ = try await node.signIn() }
        #expect(!node.log.contains("the database failed"), "\(node.log)")
    }

    /// Opens a transaction in each of several clients of the pooler, so that each holds a
    /// connection.
    private func holdEveryConnection(of pooler: Pooler) async throws -> [ExternalProcess] {
        var clients: [ExternalProcess] = []
        for _ in 0..<4 {
            let client = try shared.session(at: pooler.url)
            client.send(line: "BEGIN; SELECT 'begun';")
            try await wait(for: "a transaction") { client.outputText.contains("begun") }
            clients.append(client)
        }
        return clients
    }

    @Test func everyStartOfManyComesUp() async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url))
        let directory = try TemporaryDirectory(database: pooler.url)
        for round in 0..<Soak.count(4, soak: 230) {
            async let starting = (
                RunningServer(patient, directory: directory), RunningServer(patient, directory: directory)
            )
            let nodes = try await starting
            #expect(try await nodes.0.register("user-\(round)", "python").status == 201)
            #expect(try await nodes.1.register("user-\(round)", "python").status == 400)
            _ = try await nodes.1.signIn("user-\(round)", "python")
            for node in [nodes.0, nodes.1] {
                #expect(try await node.stop() == 0)
                #expect(!node.log.contains("the database failed"), "\(node.log)")
            }
        }
    }

    // MARK: Wrong settings

    @Test func aPoolerThatIsDeniedIsRefused() async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url))
        try await expectRefusal(pooler.url, "--database-pooler", "no", saying: "pooler", "database_pooler")
        for _ in 0..<4 { #expect(try await shared.execute("SHOW statement_timeout", at: pooler.url) == "0") }
    }

    /// A connection in session mode belongs to one client until it disconnects, so everything can
    /// be set up on it.
    @Test func throughAPoolerInSessionModeNodesWorkAsWithoutWhenThatIsSaid() async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url), mode: .session)
        let directory = try TemporaryDirectory(database: pooler.url)
        let node = try await RunningServer(patient + ["--database-pooler", "no"], directory: directory)
        #expect(try await node.register("miguel", "python").status == 201)
        try await wait(for: "the node to listen") { try await listeners(at: url) == "1" }
        #expect(!node.log.contains("the database failed"), "\(node.log)")
        let unsaid = try await RunningServer(patient, directory: directory)
        #expect(try await unsaid.register("susan", "python").status == 201)
        #expect(try await listeners(at: url) == "1")
    }

    @Test func inStatementModeNoTablesAreMadeAndNodesWork() async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url), mode: .statement)
        try await expectRefusal(pooler.url, saying: "statement mode", "pool_mode", "rest-auth schema apply")
        let directory = try TemporaryDirectory(database: url)
        #expect(try await RunningServer(directory: directory).stop() == 0)
        let node = try await RunningServer(patient + ["--database", pooler.url], directory: directory)
        #expect(try await node.register("miguel", "python").status == 201)
        let signedIn = try await node.signIn()
        #expect(try await node.refresh(signedIn.refresh).status == 200)
        #expect(!node.log.contains("the database failed"), "\(node.log)")
    }

    // MARK: The schema

    @Test func aSchemaThatWouldHaveToBeSetOnTheConnectionIsRefused() async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url))
        for said in ["yes", "auto"] {
            try await expectRefusal(
                pooler.url, "--database-schema", "mine", "--database-pooler", said, saying: "pooler",
                "ALTER ROLE postgres IN DATABASE \(PostgresServer.name(in: url)) SET search_path = mine")
        }
        #expect(try await shared.execute("SHOW search_path", at: pooler.url) == "\"$user\", public")
    }

    @Test(arguments: ["auto", "yes"])
    func aSchemaThatIsSetInTheURLIsSaidToBeTheRoles(said: String) async throws {
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url))
        try await expectRefusal(
            pooler.url + "options=-csearch_path%3Dmine", "--database-pooler", said,
            saying:
                "unsupported startup parameter", "ALTER ROLE name SET search_path")
    }

    @Test func aSchemaOfTheRolesThatIsNotThereYetIsMade() async throws {
        let url = try await shared.makeDatabase()
        let name = PostgresServer.name(in: url)
        let role = "\(name)_Making"
        try await shared.execute(
            "CREATE ROLE \"\(role)\" LOGIN SUPERUSER; ALTER ROLE \"\(role)\" SET search_path = \"Mine\", public")
        let pooler = try await Pooler(before: shared, name, user: role)
        let node = try await RunningServer(
            patient + ["--database-schema", "Mine"], directory: TemporaryDirectory(database: pooler.url))
        #expect(try await node.register("miguel", "python").status == 201)
        #expect(try await shared.execute("SELECT count(*) FROM \"Mine\".users", at: url) == "1")
    }

    @Test func aSchemaThatTheRoleHasAnywayIsTaken() async throws {
        let url = try await shared.makeDatabase()
        let name = PostgresServer.name(in: url)
        let role = "\(name)_pooled"
        try await shared.execute("CREATE ROLE \(role) LOGIN SUPERUSER; ALTER ROLE \(role) SET search_path = mine")
        try await shared.execute("CREATE SCHEMA mine", at: url)
        let pooler = try await Pooler(before: shared, name, user: role)
        let node = try await RunningServer(
            patient + ["--database-schema", "mine"], directory: TemporaryDirectory(database: pooler.url))
        #expect(try await node.register("miguel", "python").status == 201)
        #expect(try await shared.execute("SELECT count(*) FROM mine.users", at: url) == "1")
    }

    // MARK: Users of a Django project

    /// Reading the users leaves no setting behind that keeps others from writing.
    @Test func usersReadThroughAPoolerLeaveItWritable() async throws {
        let url = try await shared.makeDatabase()
        let name = PostgresServer.name(in: url)
        try await shared.execute(
            """
            CREATE TABLE auth_user (
                id integer PRIMARY KEY, username text, password text, is_active boolean, date_joined timestamptz);
            INSERT INTO auth_user VALUES (1, 'miguel', 'pbkdf2_sha256$1000$c2FsdA$e', true, now());
            """, at: url)
        let pooler = try await Pooler(before: shared, name)
        let directory = try TemporaryDirectory.withSQLite()
        _ = try await runCommand(
            ["users", "import", "--from-django", pooler.url, "--database", "sqlite:rest-auth.sqlite"],
            directory: directory)
        for _ in 0..<4 {
            #expect(try await shared.execute("SHOW default_transaction_read_only", at: pooler.url) == "off")
        }
    }
}

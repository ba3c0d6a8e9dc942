import Foundation
import Support
import Testing

/// A PostgreSQL that crashes, closes connections, is slow, full or unreachable: each answer is
/// right, or 503.
///
/// Each test harms its node's database, so each has its own node and database; a test that harms
/// the whole server has its own server.
@Suite struct DatabaseFaultTests {
    let shared: PostgresServer

    /// A timeout so long that a slow machine does not make a node give up.
    let patient = ["--database-timeout", "60"]
    /// Registrations are counted, but never refused.
    let forLoad = ["--registrations-per-hour", "1000000"]

    init() async throws { shared = try await PostgresServer.shared() }

    /// A server that can be stopped and started. Its data must survive that, but not a crash of the
    /// machine.
    private func makeDatabaseServer(_ options: String...) async throws -> PostgresServer {
        try await PostgresServer(options: ["-c", "fsync=off"] + options)
    }

    /// A node on a new database of the tests' PostgreSQL.
    func makeServer(_ arguments: [String] = []) async throws -> (server: RunningServer, url: String) {
        let url = try await shared.makeDatabase()
        return (try await RunningServer(arguments, directory: TemporaryDirectory(database: url)), url)
    }

    func becomesReady(_ node: RunningServer) async throws {
        try await wait(for: "the node to be ready") { try await node.send("GET", "/health/ready").status == 200 }
    }

    func expectRefusal(_ answer: HTTPAnswer) {
        #expect(answer.status == 503, "\(answer.body)")
        #expect(answer.code == "storage_unavailable")
        #expect(answer["Retry-After"] == "1")
    }

    // MARK: Crashes

    @Test func aCrashUnderLoadLosesNothingThatWasPromised() async throws {
        let database = try await makeDatabaseServer()
        let url = try await database.makeDatabase()
        let server = try await RunningServer(forLoad, directory: TemporaryDirectory(database: url))
        let book = try await DatabaseLoad.run(on: server.port) { load in
            for _ in 0..<2 {
                try await load.goOn(by: 5)
                try await database.crash()
                try await load.areRefused()
                try await database.start()
                try await load.goOn(by: 1)
            }
        }
        #expect(book.lost == 0)
        try await book.expectKept(by: server)
        try await expectNothingMore(than: book, in: database, at: url)
    }

    /// A registration that was refused may be stored or not: no client was told that it was.
    func expectNothingMore(
        than book: DatabaseLoad.Book, in database: PostgresServer, at url: String
    ) async throws {
        let count = try await database.execute("SELECT count(*) FROM users WHERE username LIKE 'user-%'", at: url)
        let users = try #require(Int(count))
        #expect(users >= book.users.count)
        #expect(users <= book.users.count + book.refused[.registration, default: 0])
    }

    /// One node may go without reading the revocation log for a minute, the other for a second.
    @Test func aVerifiedTokenIsGoodInAnOutageUntilTheBoundIsOverAndNoLonger() async throws {
        let database = try await makeDatabaseServer()
        let directory = try await TemporaryDirectory(database: database.makeDatabase())
        let server = try await RunningServer(["--revocation-bound", "60"], directory: directory)
        let strict = try await RunningServer(["--revocation-bound", "1"], directory: directory)
        try await server.register("miguel", "python")
        let token = try await server.token("miguel", "python")
        let connections = [try await server.connect(), try await strict.connect()]
        func verify(at node: Int) async throws -> HTTPAnswer {
            try await connections[node].send("GET", "/api/resource", headers: [bearer(token)])
        }
        for node in [server, strict] { try await becomesReady(node) }
        // From the second time on a node answers from memory.
        for node in [0, 1, 0, 1] { #expect(try await verify(at: node).status == 200) }
        let ready = try await server.send("GET", "/health/ready").json as? [String: String]
        #expect(ready == ["status": "ok", "storage": "ok", "revocations": "ok", "throttle": "ok"])

        try await database.crash()
        let crash = ContinuousClock.now
        #expect(try await verify(at: 0).status == 200)
        let unready = try await server.send("GET", "/health/ready")
        expectRefusal(unready)
        #expect(unready.json["storage"] as? String == "unavailable")
        #expect(try await server.send("GET", "/health/live").status == 200)

        try await wait(for: "the bound to be over") {
            let asked = ContinuousClock.now
            let answer = try await verify(at: 1)
            if answer.status == 200 {
                try #require(asked - crash <= .seconds(1))
                return false
            }
            expectRefusal(answer)
            return true
        }
        #expect(try await strict.send("GET", "/health/ready").json["revocations"] as? String == "unavailable")
        #expect(try await strict.send("GET", "/health/live").status == 200)

        try await database.start()
        for (number, node) in [server, strict].enumerated() {
            try await becomesReady(node)
            #expect(try await verify(at: number).status == 200)
        }
    }

    // MARK: A database that fails

    @Test func aDatabaseWithoutFreeConnectionsIsWaitedFor() async throws {
        let database = try await makeDatabaseServer("-c", "max_connections=12")
        let url = try await database.makeDatabase()
        let directory = try TemporaryDirectory(database: url)
        let server = try await RunningServer(directory: directory)
        try await server.register("miguel", "python")
        @Sendable func signIn() async throws -> HTTPAnswer {
            try await server.send("POST", "/api/tokens", headers: [basic("miguel", "python")])
        }

        // While the node is suspended, others get its connections.
        server.pause()
        var sessions: [ExternalProcess] = []
        func open() async throws -> ExternalProcess? {
            let session = try database.session()
            session.send(line: "SELECT 'open';")
            try await wait(for: "a connection") { !session.isRunning || session.outputText.contains("open") }
            return session.isRunning ? session : nil
        }
        let first = try #require(try await open())
        first.send(
            line: """
                SELECT 'cut', count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname <> 'postgres';
                """)
        try await wait(for: "the node's connections to end") { first.outputText.contains("cut|") }
        while let session = try await open() { sessions.append(session) }
        server.resume()

        // Sent at once, because each waits for a connection first.
        try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
            for _ in 0..<3 { group.addTask { try await signIn() } }
            for try await answer in group { expectRefusal(answer) }
        }
        let another = try await runCommand(
            ["serve", "--port", "0", "--database", url], environment: directory.database().environment,
            directory: directory)
        #expect(another.status == 1)
        #expect(another.error.hasPrefix("rest-auth: "))
        #expect(another.error.split(separator: "\n").count == 1)
        #expect(another.error.contains("too many clients"))

        for session in sessions + [first] { session.finishLines() }
        try await wait(for: "the node to be back") { try await signIn().status == 200 }
    }

    /// A lock on the table of users stops every request that needs it. The revocation log is read
    /// all the while: a node whose bound is a second is still up to date when the lock has been
    /// held for longer.
    @Test func aDatabaseThatIsSlowRefusesInTimeAndVerifiedTokensAreAnswered() async throws {
        let (strict, url) = try await makeServer(["--revocation-bound", "1"])
        let server = try await RunningServer(
            ["--database-timeout", "1", "--revocation-bound", "60"], directory: strict.directory)
        try await strict.register("miguel", "python")
        let token = try await strict.token("miguel", "python")
        let verifying = try await server.connect()
        func verify() async throws -> Int {
            try await verifying.send("GET", "/api/resource", headers: [bearer(token)]).status
        }
        try await becomesReady(server)
        for _ in 0..<2 {
            try await wait(for: "the token to be verified") { try await verify() == 200 }
        }

        let lock = try shared.session(at: url)
        lock.send(line: "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT 'locked';")
        try await wait(for: "the lock") { lock.outputText.contains("locked") }
        let start = ContinuousClock.now
        expectRefusal(try await server.send("GET", "/api/token", headers: [bearer(token)]))

        // Each request needs a change of a row, and no hash.
        func flood() async throws {
            var connections: [HTTPConnection] = []
            for _ in 0..<300 { connections.append(try await server.connect()) }
            for connection in connections {
                try await connection.write("GET /api/token HTTP/1.1\r\nHost: a\r\n\(bearer(token))\r\n\r\n")
            }
            for connection in connections {
                expectRefusal(try await connection.readAnswer())
                #expect(try await verify() == 200)
            }
        }
        try await flood()
        let before = try residentMegabytes(of: server.processID)
        for _ in 0..<Soak.count(1, soak: 3) { try await flood() }
        #expect(try residentMegabytes(of: server.processID) <= before + 32)

        // Each flood takes as long as its first request waits for the database.
        try #require(ContinuousClock.now - start > .seconds(1))
        try await wait(for: "a look at the log") {
            try await strict.send("GET", "/health/ready").json["revocations"] as? String == "ok"
        }

        lock.finishLines()
        try await wait(for: "the database to answer") {
            try await server.send("GET", "/api/token", headers: [bearer(token)]).status == 200
        }
        #expect(try await verify() == 200)
    }

    /// A request that was first made while the table was locked can be repeated when it is not.
    @Test func whatALockRefusedIsAnsweredAfterIt() async throws {
        // The cost of wrong passwords has its own tests.
        let (server, url) = try await makeServer(["--hashing-budget", "1000000"])
        let lock = try shared.session(at: url)
        lock.send(line: "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT 'locked';")
        try await wait(for: "the lock") { lock.outputText.contains("locked") }
        let signIn = "POST /api/tokens HTTP/1.1\r\nHost: a\r\n\(basic("miguel", "python"))\r\nContent-Length: 0\r\n\r\n"
        var asked: [HTTPConnection] = []
        let second = try await server.connect()
        try await wait(for: "a question to be held up") {
            // Makes another request, when the last was refused before the lock was seen.
            let connection = try await server.connect()
            try await connection.write(signIn)
            asked.append(connection)
            let waiting = """
                SELECT count(*) > 0 FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """
            return try await shared.execute(waiting, at: url) == "t"
        }
        // This one needs another table, and waits behind the first.
        let form = "Content-Type: application/x-www-form-urlencoded"
        let answer = try await second.send(
            "POST", "/oauth/introspect", headers: [basic("gateway", "secret"), form], body: "token=x")
        #expect([401, 503].contains(answer.status))
        for connection in asked { expectRefusal(try await connection.readAnswer()) }
        lock.finishLines()
        _ = try await lock.exitStatus()
        let first = asked[0]
        func status() async throws -> Int {
            try await first.send("POST", "/api/tokens", headers: [basic("miguel", "python")]).status
        }
        for _ in 0..<3 { #expect(try await status() == 401) }
        #expect(try await server.register("miguel", "python").status == 201)
        #expect(try await status() == 200)
    }

    /// The primary has become a standby.
    @Test func aDatabaseThatTakesNoWritesRefusesInTime() async throws {
        let (server, url) = try await makeServer()
        try await server.register("miguel", "python")
        let token = try await server.token("miguel", "python")
        let name = PostgresServer.name(in: url)
        func becomeReadOnly(_ isReadOnly: Bool) async throws {
            try await shared.execute("ALTER DATABASE \(name) SET default_transaction_read_only = \(isReadOnly)")
            try await shared.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
        }
        try await becomeReadOnly(true)
        let connection = try await server.connect()
        expectRefusal(try await connection.send("GET", "/api/token", headers: [bearer(token)]))
        try await wait(for: "the token to be verified") {
            try await connection.send("GET", "/api/resource", headers: [bearer(token)]).status == 200
        }
        try await becomeReadOnly(false)
        try await wait(for: "writes to succeed") {
            try await connection.send("GET", "/api/token", headers: [bearer(token)]).status == 200
        }
    }

    @Test func aSchemaThatChangesUnderPreparedStatementsDoesNoHarm() async throws {
        let (server, url) = try await makeServer(forLoad + patient)
        let book = try await DatabaseLoad.run(on: server.port) { load in
            for table in ["users", "sessions", "revocations"] {
                for change in ["ADD COLUMN extra text", "ALTER COLUMN extra TYPE varchar(20)", "DROP COLUMN extra"] {
                    try await load.goOn(by: 2)
                    try await shared.execute("ALTER TABLE \(table) \(change)", at: url)
                }
            }
            try await load.goOn(by: 2)
        }
        #expect(book.lost == 0)
        #expect(book.refused.isEmpty)
        try await book.expectKept(by: server)
    }
}

/// The resident memory of the process.
private func residentMegabytes(of process: Int32) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    return try #require(status.firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Int($0.1) }) / 1024
}

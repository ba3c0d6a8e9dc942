import Foundation
import Support
import Testing

/// A PostgreSQL that crashes, cuts, is slow, full or out of reach: each answer is right, or 503.
@Suite struct DatabaseFaultTests {
    /// A node over a new database of the tests' PostgreSQL.
    private func makeServer(_ arguments: String...) async throws -> (server: RunningServer, url: String) {
        let url = try shared.makeDatabase()
        return (try await RunningServer(arguments, directory: TemporaryDirectory(database: url)), url)
    }

    private var shared: PostgresServer { get throws { try PostgresServer.shared.get() } }

    private func expectRefusal(_ answer: HTTPAnswer) {
        #expect(answer.status == 503, "\(answer.body)")
        #expect(answer.code == "storage_unavailable")
        #expect(answer["Retry-After"] == "1")
    }

    // MARK: Crashes

    @Test func aCrashUnderLoadLosesNothingThatWasPromised() async throws {
        let database = try PostgresServer()
        let url = try database.makeDatabase()
        let server = try await RunningServer(directory: TemporaryDirectory(database: url))
        let load = try DatabaseLoad(on: server.port)
        for _ in 0..<2 {
            try await load.goOn(by: 10)
            database.crash()
            try await load.areRefused()
            try database.start()
            try await load.goOn(by: 1, within: 2)
        }
        let book = try await load.end()
        #expect(book.lost == 0)
        try book.expectKept(by: server)
        try expectNothingMore(than: book, in: database, at: url)
    }

    /// A registration that was refused may be there or not: nobody was told that it is.
    private func expectNothingMore(than book: DatabaseLoad.Book, in database: PostgresServer, at url: String) throws {
        let users = try #require(
            Int(try database.execute("SELECT count(*) FROM users WHERE username LIKE 'user-%'", at: url)))
        #expect(users >= book.users.count)
        #expect(users <= book.users.count + book.refused[.registration, default: 0])
    }

    @Test func aVerifiedTokenIsGoodInAnOutageUntilTheBoundIsOverAndNoLonger() async throws {
        let database = try PostgresServer()
        let server = try await RunningServer(
            ["--revocation-bound", "3"], directory: TemporaryDirectory(database: database.makeDatabase()))
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        let connection = try server.connect()
        func verify() throws -> HTTPAnswer { try connection.send("GET", "/api/resource", headers: [bearer(token)]) }
        for _ in 0..<2 { #expect(try verify().status == 200) }
        #expect(
            try server.send("GET", "/health/ready").json as? [String: String] == [
                "status": "ok", "storage": "ok", "revocations": "ok",
            ])

        database.crash()
        let crash = ContinuousClock.now
        #expect(try verify().status == 200)
        let unready = try server.send("GET", "/health/ready")
        expectRefusal(unready)
        #expect(unready.json["storage"] as? String == "unavailable")
        #expect(try server.send("GET", "/health/live").status == 200)

        while true {
            let asked = ContinuousClock.now
            let answer = try verify()
            if answer.status != 200 {
                expectRefusal(answer)
                break
            }
            try #require(asked - crash <= .seconds(3))
        }
        #expect(try server.send("GET", "/health/ready").json["revocations"] as? String == "unavailable")
        #expect(try server.send("GET", "/health/live").status == 200)

        try database.start()
        try await wait(seconds: 2, for: "the node to be ready") {
            try server.send("GET", "/health/ready").status == 200
        }
        #expect(try verify().status == 200)
    }

    // MARK: Connections that are cut

    @Test func connectionsCutInTheMiddleOfTransactionsDoubleAndLoseNothing() async throws {
        let (server, url) = try await makeServer()
        let load = try DatabaseLoad(on: server.port)
        try shared.execute(
            """
            SET statement_timeout = '40s';
            DO $$
            DECLARE count integer := 0;
            BEGIN
                WHILE count < 40 LOOP
                    PERFORM pg_stat_clear_snapshot(), pg_sleep(0.001);
                    count := count + (
                        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
                            AND query ~ '^(INSERT|UPDATE|WITH)');
                END LOOP;
            END $$
            """, at: url)
        try await load.goOn(by: 5)
        let book = try await load.end()
        #expect(book.lost == 0)
        try book.expectKept(by: server)
        try expectNothingMore(than: book, in: shared, at: url)
    }

    @Test func aRegistrationWhoseCommitIsNotHeardOfIsDoneOnce() async throws {
        let url = try shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        // Without the counting, a user is the only row that a registration inserts.
        let server = try await RunningServer(
            ["--throttle", "no"], directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        var statuses: Set<Int> = []
        for number in 0..<12 {
            // The second answer that is lost is the one to the same registration, sent again.
            if number % 2 == 0 {
                proxy.cut(at: .answer("INSERT 0 1"))
            } else {
                proxy.cut(at: .answer("INSERT 0 1"), .answer("INSERT 0 0"))
            }
            let answer = try server.register("user-\(number)", "python")
            if answer.status != 201 { expectRefusal(answer) }
            statuses.insert(answer.status)
            #expect(proxy.hasLostAll)
        }
        #expect(statuses.contains(201))
        #expect(try shared.execute("SELECT count(*) FROM users", at: url) == "12")
        // Somebody else's name is still refused.
        #expect(try server.register("USER-0", "python").status == 400)
    }

    @Test func aRegistrationByInvitationWhoseCommitIsNotHeardOfIsDoneOnce() async throws {
        let url = try shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        let server = try await RunningServer(
            ["--registration", "invitation"],
            directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        let codes = try await server.command("invitations", "create", "--count", "7").output.split(separator: "\n")
        func register(_ username: String, _ code: Substring) throws -> HTTPAnswer {
            try server.send(
                "POST", "/api/users",
                body: json(["username": username, "password": "python", "invitation": String(code)]))
        }
        var statuses: Set<Int> = []
        for (number, code) in codes.dropLast().enumerated() {
            let loss = DatabaseProxy.Loss.answer("registered_id")
            if number % 2 == 0 { proxy.cut(at: loss) } else { proxy.cut(at: loss, loss) }
            let answer = try register("user-\(number)", code)
            if answer.status != 201 { expectRefusal(answer) }
            statuses.insert(answer.status)
            #expect(proxy.hasLostAll)
        }
        #expect(statuses.contains(201))
        #expect(try shared.execute("SELECT count(*) FROM users", at: url) == "6")
        #expect(try shared.execute("SELECT count(*) FROM invitations", at: url) == "1")
        #expect(try register("late", codes[0]).code == "invitation_invalid")
        #expect(try register("USER-0", codes[6]).code == "user_already_exists")
    }

    @Test func aRenewalWhoseCommitIsNotHeardOfGivesTheSameSuccessorAgain() async throws {
        let url = try shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        let server = try await RunningServer(
            directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        _ = try server.register("miguel", "python")
        var token = try server.signIn().refresh
        for round in 1...12 {
            proxy.cut(at: .answer("UPDATE 1"))
            let first = try server.refresh(token)
            if first.status != 200 { expectRefusal(first) }
            #expect(proxy.hasLostAll)
            let again = try server.refresh(token)
            #expect(again.status == 200, "\(again.body)")
            let successor = try #require(again.json["refresh_token"] as? String)
            if first.status == 200 { #expect(first.json["refresh_token"] as? String == successor) }
            #expect(try shared.execute("SELECT generation FROM sessions", at: url) == "\(round)")
            token = successor
        }
    }

    @Test func aPartitionedNodeRefusesWhatItCannotKnowAndTheOtherGoesOn() async throws {
        let url = try shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        let secret = ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"]
        let cutOff = try await RunningServer(
            ["--database-timeout", "1"], environment: secret,
            directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        let other = try await RunningServer(environment: secret, directory: TemporaryDirectory(database: url))
        _ = try other.register("miguel", "python")
        let (kept, ended) = (try other.token("miguel", "python"), try other.token("miguel", "python"))
        func status(of token: String, at server: RunningServer) throws -> Int {
            try server.send("GET", "/api/resource", headers: [bearer(token)]).status
        }
        for server in [cutOff, other, cutOff, other] {
            for token in [kept, ended] { #expect(try status(of: token, at: server) == 200) }
        }

        proxy.stall()
        let partition = ContinuousClock.now
        #expect(try other.send("DELETE", "/api/tokens", headers: [bearer(ended)]).status == 204)
        while true {
            let asked = ContinuousClock.now
            let answer = try status(of: ended, at: cutOff)
            if answer != 200 {
                #expect(answer == 503)
                break
            }
            try #require(asked - partition <= .seconds(1))
        }
        #expect(try status(of: kept, at: cutOff) == 503)
        #expect(try status(of: kept, at: other) == 200)
        #expect(try other.register("susan", "python").status == 201)

        proxy.resume()
        try await wait(seconds: 10, for: "the node to be ready") {
            try cutOff.send("GET", "/health/ready").status == 200
        }
        #expect(try status(of: kept, at: cutOff) == 200)
        #expect(try status(of: ended, at: cutOff) == 401)
        #expect(try cutOff.send("GET", "/api/token", headers: [basic("susan", "python")]).status == 200)
    }

    // MARK: A database that does not do what it should

    @Test func aDatabaseWithoutFreeConnectionsIsWaitedFor() async throws {
        let database = try PostgresServer(options: ["-c", "max_connections=12"])
        let url = try database.makeDatabase()
        let directory = try TemporaryDirectory(database: url)
        let server = try await RunningServer(directory: directory)
        _ = try server.register("miguel", "python")

        // While it stands still its connections are given to others.
        server.pause()
        var sessions: [ExternalProcess] = []
        func open() async throws -> ExternalProcess? {
            let session = try database.session()
            session.send(line: "SELECT 'open';")
            try await wait(seconds: 10, for: "a connection") {
                !session.isRunning || session.outputText.contains("open")
            }
            return session.isRunning ? session : nil
        }
        let first = try #require(try await open())
        first.send(
            line:
                "SELECT 'cut', count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname <> 'postgres';"
        )
        try await wait(seconds: 10, for: "the node's connections to end") { first.outputText.contains("cut|") }
        while let session = try await open() { sessions.append(session) }
        server.resume()

        for _ in 0..<3 { expectRefusal(try server.send("POST", "/api/tokens", headers: [basic("miguel", "python")])) }
        let another = try await runCommand(
            ["serve", "--port", "0", "--database", url], environment: directory.database().environment,
            directory: directory)
        #expect(another.status == 1)
        #expect(another.error.hasPrefix("rest-auth: "))
        #expect(another.error.split(separator: "\n").count == 1)
        #expect(another.error.contains("too many clients"))

        for session in sessions + [first] { session.finishLines() }
        try await wait(seconds: 5, for: "the node to be back") {
            try server.send("POST", "/api/tokens", headers: [basic("miguel", "python")]).status == 200
        }
    }

    /// A lock on the table of users stops whatever needs it. The log of what is refused is read all
    /// the while.
    @Test func aDatabaseThatIsSlowRefusesInTimeAndVerifiedTokensAreAnswered() async throws {
        let (server, url) = try await makeServer("--database-timeout", "1")
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        let verifying = try server.connect()
        func expectVerified() throws {
            #expect(try verifying.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        }
        for _ in 0..<2 { try expectVerified() }

        let lock = try shared.session(at: url)
        lock.send(line: "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT 'locked';")
        try await wait(seconds: 10, for: "the lock") { lock.outputText.contains("locked") }
        let start = ContinuousClock.now
        expectRefusal(try server.send("GET", "/api/token", headers: [bearer(token)]))
        #expect(ContinuousClock.now - start <= .seconds(2))

        // Each wants a row changed, and no password hashed.
        func flood() throws {
            let connections = try (0..<300).map { _ in try server.connect() }
            for connection in connections {
                try connection.write("GET /api/token HTTP/1.1\r\nHost: a\r\n\(bearer(token))\r\n\r\n")
            }
            for connection in connections {
                expectRefusal(try connection.readAnswer())
                try expectVerified()
            }
        }
        try flood()
        let before = try residentMegabytes(of: server.processID)
        for _ in 0..<3 { try flood() }
        #expect(try residentMegabytes(of: server.processID) <= before + 32)

        lock.finishLines()
        try await wait(seconds: 2, for: "the database to answer") {
            try server.send("GET", "/api/token", headers: [bearer(token)]).status == 200
        }
        try expectVerified()
    }

    /// What was asked for the first time while the table was locked can be asked again when it is
    /// not.
    @Test func whatALockRefusedIsAnsweredAfterIt() async throws {
        let (server, url) = try await makeServer("--database-timeout", "4")
        let lock = try shared.session(at: url)
        lock.send(line: "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT 'locked';")
        try await wait(seconds: 10, for: "the lock") { lock.outputText.contains("locked") }
        let (first, second) = (try server.connect(), try server.connect())
        try first.write(
            "POST /api/tokens HTTP/1.1\r\nHost: a\r\n\(basic("miguel", "python"))\r\nContent-Length: 0\r\n\r\n")
        try await wait(seconds: 4, for: "the question to be held up") {
            try shared.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
                at: url) == "1"
        }
        // Needs another table, and stands behind the first.
        let form = "Content-Type: application/x-www-form-urlencoded"
        let answer = try second.send(
            "POST", "/oauth/introspect", headers: [basic("gateway", "secret"), form], body: "token=x")
        #expect([401, 503].contains(answer.status))
        expectRefusal(try first.readAnswer())
        lock.finishLines()
        _ = try await lock.exitStatus()
        for _ in 0..<3 {
            #expect(try first.send("POST", "/api/tokens", headers: [basic("miguel", "python")]).status == 401)
        }
        #expect(try server.register("miguel", "python").status == 201)
        #expect(try first.send("POST", "/api/tokens", headers: [basic("miguel", "python")]).status == 200)
    }

    /// As when the server that was the primary has become a standby.
    @Test func aDatabaseThatTakesNoWritesRefusesInTime() async throws {
        let (server, url) = try await makeServer()
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        let name = PostgresServer.name(in: url)
        func becomeReadOnly(_ isReadOnly: Bool) throws {
            try shared.execute("ALTER DATABASE \(name) SET default_transaction_read_only = \(isReadOnly)")
            try shared.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
        }
        try becomeReadOnly(true)
        let connection = try server.connect()
        connection.setTimeout(seconds: 8)
        expectRefusal(try connection.send("GET", "/api/token", headers: [bearer(token)]))
        try await wait(seconds: 2, for: "the token to be verified") {
            try connection.send("GET", "/api/resource", headers: [bearer(token)]).status == 200
        }
        try becomeReadOnly(false)
        try await wait(seconds: 2, for: "writes to succeed") {
            try connection.send("GET", "/api/token", headers: [bearer(token)]).status == 200
        }
    }

    @Test func aSchemaThatChangesUnderPreparedStatementsDoesNoHarm() async throws {
        let (server, url) = try await makeServer()
        let load = try DatabaseLoad(on: server.port)
        for table in ["users", "sessions", "revocations"] {
            for change in ["ADD COLUMN extra text", "ALTER COLUMN extra TYPE varchar(20)", "DROP COLUMN extra"] {
                try await load.goOn(by: 2)
                try shared.execute("ALTER TABLE \(table) \(change)", at: url)
            }
        }
        try await load.goOn(by: 2)
        let book = try await load.end()
        #expect(book.lost == 0)
        #expect(book.refused.isEmpty)
        try book.expectKept(by: server)
    }
}

/// What the process has in memory.
private func residentMegabytes(of process: Int32) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    return try #require(status.firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Int($0.1) }) / 1024
}

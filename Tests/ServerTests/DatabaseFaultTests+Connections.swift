import Foundation
import Support
import Testing

extension DatabaseFaultTests {
    @Test func connectionsCutInTheMiddleOfTransactionsDoubleAndLoseNothing() async throws {
        let (server, url) = try await makeServer(forLoad)
        let book = try await DatabaseLoad.run(on: server.port) { load in
            try await shared.execute(
                """
                SET statement_timeout = '110s';
                DO $$
                DECLARE count integer := 0;
                BEGIN
                    WHILE count < \(Soak.count(10, soak: 40)) LOOP
                        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.001);
                        count := count + (
                            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
                                AND query ~ '^(INSERT|UPDATE|WITH)');
                    END LOOP;
                END $$
                """, at: url)
            try await load.goOn(by: 5)
        }
        #expect(book.lost == 0)
        try await book.expectKept(by: server)
        try await expectNothingMore(than: book, in: shared, at: url)
    }

    @Test func aRegistrationWhoseCommitIsNotHeardOfIsDoneOnce() async throws {
        let url = try await shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        let server = try await RunningServer(
            ["--throttle", "no"] + patient,
            directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        var statuses: Set<Int> = []
        for number in 0..<12 {
            // The second lost answer is the one to the same registration, sent again.
            let loss = DatabaseProxy.Loss.answer("registered_id")
            if number % 2 == 0 { proxy.cut(at: loss) } else { proxy.cut(at: loss, loss) }
            let answer = try await server.register("user-\(number)", "python")
            if answer.status != 201 { expectRefusal(answer) }
            statuses.insert(answer.status)
            #expect(proxy.hasLostAll)
        }
        #expect(statuses.contains(201))
        #expect(try await shared.execute("SELECT count(*) FROM users", at: url) == "12")
        // A name that another user has is still refused.
        #expect(try await server.register("USER-0", "python").status == 400)
    }

    @Test func aRegistrationByInvitationWhoseCommitIsNotHeardOfIsDoneOnce() async throws {
        let url = try await shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        let server = try await RunningServer(
            ["--registration", "invitation"] + patient,
            directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        let output = try await server.command("invitations", "create", "--count", "7").output
        let codes = output.split(separator: "\n")
        func register(_ username: String, _ code: Substring) async throws -> HTTPAnswer {
            try await server.send(
                "POST", "/api/users",
                body: json(["username": username, "password": "python", "invitation": String(code)]))
        }
        var statuses: Set<Int> = []
        for (number, code) in codes.dropLast().enumerated() {
            let loss = DatabaseProxy.Loss.answer("registered_id")
            if number % 2 == 0 { proxy.cut(at: loss) } else { proxy.cut(at: loss, loss) }
            let answer = try await register("user-\(number)", code)
            if answer.status != 201 { expectRefusal(answer) }
            statuses.insert(answer.status)
            #expect(proxy.hasLostAll)
        }
        #expect(statuses.contains(201))
        #expect(try await shared.execute("SELECT count(*) FROM users", at: url) == "6")
        #expect(try await shared.execute("SELECT count(*) FROM invitations", at: url) == "1")
        #expect(try await register("late", codes[0]).code == "invitation_invalid")
        #expect(try await register("USER-0", codes[6]).code == "user_already_exists")
    }

    @Test func aRenewalWhoseCommitIsNotHeardOfGivesTheSameSuccessorAgain() async throws {
        let url = try await shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        let server = try await RunningServer(
            patient, directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        try await server.register("miguel", "python")
        var token = try await server.signIn().refresh
        for round in 1...12 {
            proxy.cut(at: .answer("UPDATE 1"))
            let first = try await server.refresh(token)
            if first.status != 200 { expectRefusal(first) }
            #expect(proxy.hasLostAll)
            let again = try await server.refresh(token)
            #expect(again.status == 200, "\(again.body)")
            let successor = try #require(again.json["refresh_token"] as? String)
            if first.status == 200 { #expect(first.json["refresh_token"] as? String == successor) }
            #expect(try await shared.execute("SELECT generation FROM sessions", at: url) == "\(round)")
            token = successor
        }
    }

    @Test func aPartitionedNodeRefusesWhatItCannotKnowAndTheOtherGoesOn() async throws {
        let url = try await shared.makeDatabase()
        let proxy = try DatabaseProxy(to: shared)
        defer { proxy.end() }
        let secret = ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"]
        let other = try await RunningServer(
            patient, environment: secret, directory: TemporaryDirectory(database: url))
        let cutOff = try await RunningServer(
            ["--database-timeout", "1"], environment: secret,
            directory: TemporaryDirectory(database: proxy.url(PostgresServer.name(in: url))))
        try await other.register("miguel", "python")
        let kept = try await other.token("miguel", "python")
        let ended = try await other.token("miguel", "python")
        func status(of token: String, at server: RunningServer) async throws -> Int {
            try await server.send("GET", "/api/resource", headers: [bearer(token)]).status
        }
        /// The answer of a node that waits a second for its database, once the database has
        /// answered soon enough.
        func answer(_ ask: () async throws -> Int) async throws -> Int {
            var answer = 503
            try await wait(for: "an answer from the database") {
                answer = try await ask()
                return answer != 503
            }
            return answer
        }
        for server in [cutOff, other, cutOff, other] {
            for token in [kept, ended] {
                #expect(try await answer { try await status(of: token, at: server) } == 200)
            }
        }

        proxy.stall()
        let partition = ContinuousClock.now
        #expect(try await other.send("DELETE", "/api/tokens", headers: [bearer(ended)]).status == 204)
        try await wait(for: "the node to notice") {
            let asked = ContinuousClock.now
            let answer = try await status(of: ended, at: cutOff)
            if answer == 200 {
                try #require(asked - partition <= .seconds(1))
                return false
            }
            #expect(answer == 503)
            return true
        }
        #expect(try await status(of: kept, at: cutOff) == 503)
        #expect(try await status(of: kept, at: other) == 200)
        #expect(try await other.register("susan", "python").status == 201)

        proxy.resume()
        try await becomesReady(cutOff)
        #expect(try await answer { try await status(of: kept, at: cutOff) } == 200)
        #expect(try await answer { try await status(of: ended, at: cutOff) } == 401)
        let signIn = try await answer {
            try await cutOff.send("GET", "/api/token", headers: [basic("susan", "python")]).status
        }
        #expect(signIn == 200)
    }
}

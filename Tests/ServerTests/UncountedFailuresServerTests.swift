import Foundation
import GRDB
import RESTAuthSQLite
import Support
import Testing

/// Servers whose database can be read but accepts no counters, as on a full disk. Each test harms
/// its own database.
@Suite struct UncountedFailuresServerTests {
    private func refuseCounting(_ server: RunningServer) async throws {
        if TestDatabase.isOnPostgres {
            try await PostgresServer.shared().execute(
                """
                CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
                CREATE TRIGGER disk_is_full BEFORE INSERT OR UPDATE ON throttles EXECUTE FUNCTION disk_is_full();
                """, at: server.directory.database().url)
        } else {
            try await SQLiteStorage(path: server.databasePath).database.write {
                try $0.execute(
                    sql: """
                        CREATE TRIGGER disk_is_full BEFORE INSERT ON throttles BEGIN SELECT RAISE(ABORT, 'full'); END
                        """)
            }
        }
    }

    private func takeCounting(_ server: RunningServer) async throws {
        if TestDatabase.isOnPostgres {
            try await PostgresServer.shared().execute(
                "DROP TRIGGER disk_is_full ON throttles", at: server.directory.database().url)
        } else {
            try await SQLiteStorage(path: server.databasePath).database.write {
                try $0.execute(sql: "DROP TRIGGER disk_is_full")
            }
        }
    }

    private func readiness(_ server: RunningServer) async throws -> (status: Int, throttle: String?) {
        let answer = try await server.send("GET", "/health/ready")
        return (answer.status, answer.json["throttle"] as? String)
    }

    private func signIn(_ server: RunningServer, _ password: String, as username: String = "miguel") async throws
        -> HTTPAnswer
    {
        try await server.send("GET", "/api/token", headers: [basic(username, password)])
    }

    @Test func nobodyLearnsWhetherAPasswordIsRightWhileNothingCanBeCounted() async throws {
        let server = try await RunningServer()
        #expect(try await server.register("miguel", "python").status == 201)
        try await wait(for: "the server to be ready") { try await readiness(server) == (200, "ok") }
        try await refuseCounting(server)
        var statuses: [Int] = []
        for number in 0..<20 { statuses.append(try await signIn(server, "wrong\(number)").status) }
        #expect(statuses == Array(repeating: 503, count: 10) + Array(repeating: 429, count: 10))
        #expect(try await signIn(server, "python").status == 429)
        #expect(try await readiness(server) == (503, "unavailable"))

        // Nor for any other user.
        #expect(try await signIn(server, "wrong", as: "nobody").status == 503)
        try await takeCounting(server)
        // No user guesses or registers meanwhile.
        try await wait(for: "the server to be ready") { try await readiness(server) == (200, "ok") }
        #expect(try await signIn(server, "wrong").status == 429)
        #expect(try await server.run(["throttle", "clear", "--user", "miguel"]).status == 0)
        #expect(try await signIn(server, "python").status == 200)
    }

    @Test func aRightAndAWrongPasswordAreAnsweredAlike() async throws {
        let server = try await RunningServer()
        for name in ["miguel", "susan"] { #expect(try await server.register(name, "python").status == 201) }
        try await refuseCounting(server)
        #expect(try await signIn(server, "wrong", as: "nobody").status == 503)
        func shape(_ answer: HTTPAnswer) -> String {
            var text = "\(answer.status)"
            for name in ["Content-Type", "Retry-After", "WWW-Authenticate", "Cache-Control", "Content-Length"] {
                text += " \(answer[name] ?? "-")"
            }
            return text + " " + answer.body.replacing(/"request_id":"[0-9a-f]+"/, with: "")
        }
        let right = try await signIn(server, "python", as: "miguel")
        let wrong = try await signIn(server, "wrong", as: "susan")
        #expect(right.status == 503)
        #expect(right.code == "storage_unavailable")
        #expect(shape(right) == shape(wrong))
    }

    @Test func whoRegistersGetsInWhateverWasGuessedBefore() async throws {
        let server = try await RunningServer()
        for _ in 0..<10 { #expect(try await signIn(server, "wrong", as: "bob").status == 401) }
        #expect(try await signIn(server, "wrong", as: "bob").status == 429)
        #expect(try await server.register("Bob", "python").status == 201)
        #expect(try await signIn(server, "python", as: "bob").status == 200)
        #expect(try await !server.run(["throttle", "list"]).output.contains("bob"))
    }
}

import Foundation
import GRDB
import Support
import Synchronization
import Testing

/// Everything acknowledged is there after `kill -9`. So each test has its own process.
@Suite struct CrashTests {
    /// Each round: several clients register, the process is killed in their midst and started again
    /// on the same data.
    @Test func killsUnderRegistrationsLoseNobody() async throws {
        let directory = try TemporaryDirectory()
        let acknowledged = Acknowledged()
        let rounds = Soak.count(5, soak: 100)
        for round in 0..<rounds {
            let server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<4 {
                    group.addTask {
                        for number in 0... {
                            let name = "user-\(round)-\(client)-\(number)"
                            // Until the server is killed.
                            guard let answer = try? await server.register(name, "python") else { return }
                            if answer.status == 201 { acknowledged.add(name, at: answer["Location"]) }
                        }
                    }
                }
                let before = acknowledged.users.count
                try await wait(for: "some registrations") { acknowledged.users.count >= before + 3 + round % 5 }
                try await server.kill()
                try await group.waitForAll()
            }
        }
        let server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
        let users = acknowledged.users
        #expect(users.count >= 3 * rounds)
        #expect(Set(users.values).count == users.count)
        let connection = try await server.connect()
        for (name, location) in users {
            let path = location.replacing("http://127.0.0.1", with: "")
            #expect(try await connection.send("GET", path).json as? [String: String] == ["username": name])
        }
        let sample = try #require(users.keys.sorted().last)
        #expect(try await connection.send("GET", "/api/resource", headers: [basic(sample, "python")]).status == 200)
    }

    /// The states that a killed process can leave: before there was any table, between the table of
    /// migrations and the first migration, or with a journal to roll back.
    @Test(arguments: ["", "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)"], [false, true])
    func aKillDuringTheFirstStartIsNoReasonNotToStart(table: String, hasJournal: Bool) async throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/process-half.sqlite"
        let queue = try DatabaseQueue(path: path)
        try await queue.writeWithoutTransaction { database in
            try database.execute(sql: table.isEmpty ? "PRAGMA user_version = 0" : table)
            guard hasJournal else { return }
            try database.execute(sql: "BEGIN IMMEDIATE; CREATE TABLE unfinished (x)")
            try FileManager.default.copyItem(atPath: path, toPath: path + ".copy")
            try FileManager.default.copyItem(atPath: path + "-journal", toPath: path + ".copy-journal")
            try database.execute(sql: "ROLLBACK")
        }
        try queue.close()
        if hasJournal {
            try FileManager.default.removeItem(atPath: path)
            for suffix in ["", "-journal"] {
                try FileManager.default.moveItem(atPath: path + ".copy" + suffix, toPath: path + suffix)
            }
        }
        let checked = try await runCommand(["config", "check", "--database", "sqlite:\(path)"], directory: directory)
        #expect(checked.status == 0, "\(checked.error)")
        let server = try await RunningServer(["--database", "sqlite:\(path)"], directory: directory)
        #expect(try await server.register("miguel", "python").status == 201)
        #expect(try await server.stop() == 0)
    }

    /// Each round: a renewal is sent and its answer not read, and the process is killed near its
    /// commit. Repeating the request gets an answer with which the client can go on.
    @Test func killsBetweenCommitAndAnswerOfARenewalLoseNoSession() async throws {
        let directory = try TemporaryDirectory()
        var server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
        try await server.register("miguel", "python")
        var token = try await server.signIn().refresh
        for round in 0..<Soak.count(6, soak: 40) {
            let body = json(["refresh_token": token])
            let connection = try await server.connect()
            let log = server.databasePath + "-wal"
            let before = try await lastWrite(to: log)
            try await connection.write(
                "PUT /api/tokens HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            switch round % 3 {
            case 0: break  // at once
            case 1: try await waitForWrite(to: log, since: before)  // at the commit, before the answer
            default: #expect(try await connection.readAnswer().status == 200)  // after the answer, which is lost
            }
            try await server.kill()
            server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
            let answer = try await server.refresh(token)
            #expect(answer.status == 200, "\(answer.body)")
            token = try #require(answer.json["refresh_token"] as? String)
        }
        #expect(try await server.refresh(token).status == 200)
    }

    /// Each round: a session sends a change of the password and does not read the answer, and the
    /// process is killed near its commit. Then either the old password, session and tokens are
    /// valid, or the new password is, and nothing from before.
    @Test func killsAboutAChangeOfPasswordLeaveTheOldOrTheNew() async throws {
        let arguments = ["--registrations-per-hour", "none", "--throttle", "no"]
        let directory = try TemporaryDirectory()
        var server = try await RunningServer(arguments, directory: directory)
        try await server.register("miguel", "python")
        var present = "python"
        for round in 0..<Soak.count(6, soak: 40) {
            let tokens = try await server.signIn("miguel", present)
            let new = "monty\(round)"
            let body = json(["current_password": present, "new_password": new])
            let connection = try await server.connect()
            let log = server.databasePath + "-wal"
            let before = try await lastWrite(to: log)
            try await connection.write(
                "PUT /api/me/password HTTP/1.1\r\nHost: a\r\n\(bearer(tokens.access))\r\n"
                    + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            switch round % 3 {
            case 0: break  // at once
            case 1: try await waitForWrite(to: log, since: before)  // at the commit, before the answer
            default: #expect(try await connection.readAnswer().status == 200)
            }
            try await server.kill()
            server = try await RunningServer(arguments, directory: directory)
            let old = try await server.send("GET", "/api/me/sessions", headers: [basic("miguel", present)])
            let isOld = old.status == 200
            #expect(round % 3 != 2 || !isOld)
            let password = isOld ? present : new
            #expect(try await server.send("GET", "/api/resource", headers: [basic("miguel", password)]).status == 200)
            let access = try await server.send("GET", "/api/resource", headers: [bearer(tokens.access)])
            #expect(access.status == (isOld ? 200 : 401))
            // The old session with all those of sign-ins, or the one in its place.
            if !isOld { #expect(try await server.sessions(basic("miguel", new)).count == 1) }
            #expect(try await server.refresh(tokens.refresh).status == (isOld ? 200 : 400))
            present = password
        }
    }
}

private func modification(of file: String) -> Date? {
    try? FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
}

/// Returns the time of the last write, once the next write will have another one: the system's
/// clock for files advances in steps.
private func lastWrite(to file: String) async throws -> Date? {
    try await wait(for: "\(file) to rest") {
        modification(of: file).map { Date.now.timeIntervalSince($0) > 0.02 } ?? true
    }
    return modification(of: file)
}

/// Polls without a pause: an answer follows its commit in less than a millisecond.
private func waitForWrite(to file: String, since before: Date?) async throws {
    let limit = ContinuousClock.now + Patience.limit
    while modification(of: file) == before {
        try #require(ContinuousClock.now < limit)
        await Task.yield()
    }
}

/// Names that were answered with 201, each with the location in the answer.
private final class Acknowledged: Sendable {
    private let locations = Mutex<[String: String]>([:])

    var users: [String: String] { locations.withLock { $0 } }

    func add(_ name: String, at location: String?) {
        locations.withLock { $0[name] = location }
    }
}

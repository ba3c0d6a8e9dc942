import Foundation
import Support
import Synchronization
import Testing

/// What was acknowledged is there after `kill -9`.
@Suite struct CrashTests {
    /// Each round: registrations from several clients, the process killed in their midst, started
    /// again over the same data.
    @Test func aHundredKillsUnderRegistrationsLoseNobody() async throws {
        let directory = try TemporaryDirectory()
        let acknowledged = Acknowledged()
        for round in 0..<100 {
            let server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in 0..<4 {
                    group.addTask {
                        for number in 0... {
                            let name = "user-\(round)-\(client)-\(number)"
                            guard let answer = try? server.register(name, "python"), answer.status == 201 else {
                                return
                            }
                            acknowledged.add(name, at: answer["Location"])
                            // The socket's calls block a thread; the one who kills needs one too.
                            await Task.yield()
                        }
                    }
                }
                let before = acknowledged.users.count
                try await wait(seconds: 20, for: "some registrations") {
                    acknowledged.users.count >= before + 3 + round % 5
                }
                try await server.kill()
                try await group.waitForAll()
            }
        }
        let server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
        let users = acknowledged.users
        #expect(users.count >= 300)
        #expect(Set(users.values).count == users.count)
        let connection = try server.connect()
        for (name, location) in users {
            let path = location.replacing("http://127.0.0.1", with: "")
            #expect(try connection.send("GET", path).json as? [String: String] == ["username": name])
        }
        let sample = try #require(users.keys.sorted().last)
        #expect(try connection.send("GET", "/api/resource", headers: [basic(sample, "python")]).status == 200)
    }

    /// Each round: a renewal sent and its answer not read, the process killed somewhere about its
    /// commit. Whoever asks again with the same token gets an answer, and goes on with what it
    /// says.
    @Test func killsBetweenCommitAndAnswerOfARenewalLoseNoSession() async throws {
        let directory = try TemporaryDirectory()
        var server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
        _ = try server.register("miguel", "python")
        var token = try server.signIn().refresh
        for round in 0..<40 {
            let body = json(["refresh_token": token])
            let connection = try server.connect()
            let log = server.databasePath + "-wal"
            let before = lastWrite(to: log)
            try connection.write(
                "PUT /api/tokens HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            switch round % 3 {
            case 0: break  // at once
            case 1: try waitForWrite(to: log, since: before)  // at the commit, before the answer
            default: #expect(try connection.readAnswer().status == 200)  // after the answer, which is lost
            }
            try await server.kill()
            server = try await RunningServer(["--registrations-per-hour", "none"], directory: directory)
            let answer = try server.refresh(token)
            #expect(answer.status == 200, "\(answer.body)")
            token = try #require(answer.json["refresh_token"] as? String)
        }
        #expect(try server.refresh(token).status == 200)
    }
}

private func lastWrite(to file: String) -> Date? {
    try? FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
}

/// Without a pause: an answer follows its commit in less than a millisecond.
private func waitForWrite(to file: String, since before: Date?) throws {
    let limit = ContinuousClock.now + .seconds(10)
    while lastWrite(to: file) == before { try #require(ContinuousClock.now < limit) }
}

/// Who was answered 201, with the location in the answer.
private final class Acknowledged: Sendable {
    private let locations = Mutex<[String: String]>([:])

    var users: [String: String] { locations.withLock { $0 } }

    func add(_ name: String, at location: String?) {
        locations.withLock { $0[name] = location }
    }
}

import Foundation
import Support
import Synchronization
import Testing

/// Two nodes on one PostgreSQL that are killed again and again: every acknowledged change has its
/// event, every event its change, and the trail is whole.
@Suite struct AuditNodesTests {
    @Test func killsLoseNoEventAndInventNone() async throws {
        let directory = try await TemporaryDirectory(database: PostgresServer.shared().makeDatabase())
        let url = try await directory.database().url
        let server = try await PostgresServer.shared()
        let arguments = [
            "--registrations-per-hour", "none", "--sessions-per-hour", "none", "--throttle", "no",
            "--database-timeout", "60",
        ]
        let steady = try await RunningServer(arguments, directory: directory)
        let records = Records()
        try await withThrowingTaskGroup(of: Void.self) { group in
            records.book.withLock { $0.ports = [steady.port] }
            for client in 0..<4 {
                group.addTask {
                    var number = 0
                    while !records.isOver {
                        number += 1
                        await records.work("user-\(client)-\(number)", number)
                    }
                }
            }
            group.addTask {
                defer { records.book.withLock { $0.isOver = true } }
                for round in 0..<Soak.count(3, soak: 30) {
                    let node = try await RunningServer(arguments, directory: directory)
                    records.book.withLock { $0.ports = [steady.port, node.port] }
                    let before = records.book.withLock { $0.signIns.count }
                    try await wait(for: "some sign-ins") {
                        records.book.withLock { $0.signIns.count } >= before + Soak.count(8, soak: 40) + round % 5
                    }
                    let user = try #require(records.book.withLock { $0.users.values.first })
                    let role = "role-\(round)"
                    if try await steady.run(["users", "grant", "--id", "\(user)", role]).status == 0 {
                        records.book.withLock { $0.grants.append((user, role)) }
                    }
                    try await node.kill()
                    records.book.withLock { $0.ports = [steady.port] }
                }
            }
            try await group.waitForAll()
        }
        let kept = records.book.withLock { $0 }
        func lines(_ sql: String) async throws -> [String] {
            try await server.execute(sql, at: url).split(separator: "\n").map(String.init)
        }
        let registered = try await lines("SELECT user_id FROM audit_events WHERE name = 'user.registered'")
        #expect(Set(registered).count == registered.count)
        #expect(Set(kept.users.values.map(String.init)).subtracting(registered).isEmpty)
        #expect(try await Set(lines("SELECT id FROM users")) == Set(registered))
        let started = try await lines("SELECT session_id FROM audit_events WHERE name = 'session.started'")
        #expect(Set(started).count == started.count)
        #expect(kept.signIns.subtracting(started).isEmpty)
        #expect(try await Set(lines("SELECT id FROM sessions")) == Set(started))
        let granted = try await lines("SELECT user_id, details FROM audit_events WHERE name = 'role.granted'")
        #expect(granted.count == kept.grants.count)
        for (user, role) in kept.grants {
            #expect(granted.contains { $0.hasPrefix("\(user)|") && $0.contains(role) }, "\(user) \(role)")
        }
        try await wait(for: "all to be sealed") {
            try await lines("SELECT count(*) FROM audit_events WHERE number IS NULL") == ["0"]
        }
        let verified = try await steady.run(["audit", "verify"])
        #expect(verified.status == 0, "\(verified.error)")
        #expect(try await verified.output.hasPrefix("\(lines("SELECT count(*) FROM audit_events")[0]) events"))
    }
}

/// The changes that were acknowledged.
private struct Book {
    var isOver = false
    var ports: [Int] = []
    /// Ids of users, by name.
    var users: [String: Int] = [:]
    var signIns: Set<String> = []
    var grants: [(user: Int, role: String)] = []
}

private final class Records: Sendable {
    let book = Mutex(Book())

    var isOver: Bool { book.withLock { $0.isOver } }

    /// Registers a user and signs in at one of the nodes, until that node is killed.
    func work(_ name: String, _ number: Int) async {
        let port = book.withLock { $0.ports[number % $0.ports.count] }
        guard let connection = try? await HTTPConnection(port: port) else { return }
        let registered = try? await connection.send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": name, "password": "python"]))
        guard let registered, registered.status == 201,
            let id = registered["Location"]?.split(separator: "/").last.flatMap({ Int($0) })
        else { return }
        book.withLock { $0.users[name] = id }
        let answer = try? await connection.send("POST", "/api/tokens", headers: [basic(name, "python")])
        guard let token = answer?.json["access_token"] as? String, let session = members(of: token, 1)["sid"] as? String
        else { return }
        book.withLock { _ = $0.signIns.insert(session) }
    }
}

import Foundation
import Support
import Synchronization
import Testing

/// Two nodes on one PostgreSQL, and commands of administrators, that are killed again and again:
/// every acknowledged change has its event, every event its change, and the trail is whole.
@Suite struct AuditNodesTests {
    private static let arguments = [
        "--registrations-per-hour", "none", "--sessions-per-hour", "none", "--throttle", "no",
        "--database-timeout", "60",
    ]

    @Test func killsLoseNoEventAndInventNone() async throws {
        let directory = try await TemporaryDirectory(database: PostgresServer.shared().makeDatabase())
        let steady = try await RunningServer(Self.arguments, directory: directory)
        let book = Book()
        book.withLock { $0.ports = [steady.port] }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<3 {
                group.addTask { await Self.signIn("client-\(client)", book) }
            }
            for administrator in 0..<2 {
                group.addTask { try await Self.administer("user-\(administrator)", steady, book) }
            }
            group.addTask { try await Self.killNodes(in: directory, book) }
            try await group.waitForAll()
        }
        let database = AuditedDatabase(server: try await .shared(), url: try await directory.database().url)
        // What a node or a command has sent before it was killed, PostgreSQL still does.
        #expect(try await steady.stop() == 0)
        try await wait(for: "all connections to end") { try await database.clients().isEmpty }
        try await Self.expectEventsAndChanges(in: database, of: book.withLock { $0 })

        let sealer = try await RunningServer(Self.arguments, directory: directory)
        try await wait(for: "all to be sealed") {
            try await database.lines("SELECT id FROM audit_events WHERE number IS NULL").isEmpty
        }
        let verified = try await sealer.run(["audit", "verify"])
        #expect(verified.status == 0, "\(verified.error)")
        let count = try await database.lines("SELECT id FROM audit_events").count
        #expect(verified.output.hasPrefix("\(count) events"))
    }

    // MARK: Load

    /// Signs in at each node in turn until there are enough sign-ins; every fifth time registers
    /// first.
    private static func signIn(_ prefix: String, _ book: Book) async {
        var name: String?
        var number = 0
        while !book.withLock(\.isOver) {
            number += 1
            let port = book.withLock { $0.ports[number % $0.ports.count] }
            guard let connection = try? await HTTPConnection(port: port) else { continue }
            if number % 5 == 1, await register("\(prefix)-\(number)", connection, book) != nil {
                name = "\(prefix)-\(number)"
            }
            if let name { await signIn(name, connection, book) }
        }
    }

    private static func signIn(_ name: String, _ connection: HTTPConnection, _ book: Book) async {
        let answer = try? await connection.send("POST", "/api/tokens", headers: [basic(name, "python")])
        guard let token = answer?.json["access_token"] as? String, let session = members(of: token, 1)["sid"] as? String
        else { return }
        book.withLock { _ = $0.signIns.insert(session) }
    }

    private static func register(
        _ name: String, _ connection: HTTPConnection, _ book: Book
    ) async -> Int? {
        let answer = try? await connection.send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": name, "password": "python"]))
        guard let answer, answer.status == 201,
            let id = answer["Location"]?.split(separator: "/").last.flatMap({ Int($0) })
        else { return nil }
        book.withLock { _ = $0.users.insert(id) }
        return id
    }

    /// Changes one user after the other with commands, and kills every second command: at its
    /// beginning, at its end, and at moments between.
    private static func administer(_ prefix: String, _ server: RunningServer, _ book: Book)
        async throws
    {
        let database = try await server.directory.database()
        var usual = Duration.zero
        var number = 0
        while !book.withLock(\.isOver) || number < Book.commands {
            let name = "\(prefix)-\(number)"
            let connection = try await server.connect()
            let user = try #require(await register(name, connection, book))
            await signIn(name, connection, book)
            for (event, arguments) in [
                ("role.granted", ["users", "grant", "--id", "\(user)", "admin"]),
                ("session.ended", ["sessions", "revoke", "--user", name]),
                ("session.ended", ["sessions", "revoke", "--user", name]),
                ("user.disabled", ["users", "disable", "--id", "\(user)"]),
                ("user.disabled", ["users", "disable", "--id", "\(user)"]),
                ("user.enabled", ["users", "enable", "--id", "\(user)"]),
                ("role.revoked", ["users", "revoke", "--id", "\(user)", "admin"]),
                ("role.revoked", ["users", "revoke", "--id", "\(user)", "admin"]),
                ("user.deleted", ["users", "delete", "--id", "\(user)"]),
            ] {
                number += 1
                let process = try ExternalProcess(
                    ExternalProcess.restAuth, arguments + ["--database", database.url],
                    environment: database.environment, directory: server.directory)
                let start = ContinuousClock.now
                if number.isMultiple(of: 2) {
                    try await Task.sleep(for: usual * (number / 2 % 10) / 9)
                    process.kill()
                }
                if try await process.exitStatus() == 0 {
                    usual = ContinuousClock.now - start
                    book.withLock { $0.changes.append(Book.Change(name: event, user: user)) }
                }
            }
        }
    }

    /// Starts a second node and kills it during sign-ins, again and again.
    private static func killNodes(in directory: TemporaryDirectory, _ book: Book) async throws {
        defer { book.withLock { $0.isOver = true } }
        var round = 0
        while book.withLock({ $0.signIns.count }) < Book.enough {
            round += 1
            let node = try await RunningServer(arguments, directory: directory)
            let steady = book.withLock { book in
                defer { book.ports.append(node.port) }
                return book.ports
            }
            let before = book.withLock { $0.signIns.count }
            try await wait(for: "some sign-ins") { book.withLock { $0.signIns.count } >= before + 20 + round % 5 }
            try await node.kill()
            book.withLock { $0.ports = steady }
        }
    }

    // MARK: Checks

    private static func expectEventsAndChanges(in database: AuditedDatabase, of book: Book.Content) async throws {
        // Ids of the users or sessions that recorded events are about, by the name of the event.
        var recorded: [String: Set<String>] = [:]
        for name in [
            "user.registered", "user.deleted", "user.disabled", "user.enabled", "role.granted", "role.revoked",
            "session.started", "session.ended",
        ] {
            let subject = name.hasPrefix("session") ? "session_id" : "user_id"
            let subjects = try await database.lines("SELECT \(subject) FROM audit_events WHERE name = '\(name)'")
            recorded[name] = Set(subjects)
            // No user and no session is changed twice in the same way.
            #expect(recorded[name]?.count == subjects.count, "\(name)")
        }
        func of(_ name: String) -> Set<String> { recorded[name] ?? [] }

        let deleted = of("user.deleted")
        let sessionsOfDeleted = try await database.lines(
            """
            SELECT session_id FROM audit_events WHERE name = 'session.started'
                AND user_id IN (SELECT user_id FROM audit_events WHERE name = 'user.deleted')
            """)
        for (there, begun, over) in [
            ("SELECT id FROM users", of("user.registered"), deleted),
            ("SELECT id FROM sessions", of("session.started"), of("session.ended").union(sessionsOfDeleted)),
            ("SELECT user_id FROM user_roles", of("role.granted"), of("role.revoked").union(deleted)),
            (
                "SELECT id FROM users WHERE disabled_at IS NOT NULL", of("user.disabled"),
                of("user.enabled").union(deleted)
            ),
        ] {
            #expect(try await Set(database.lines(there)) == begun.subtracting(over), "\(there)")
        }
        #expect(of("user.enabled").isSubset(of: of("user.disabled")))
        #expect(of("role.revoked").isSubset(of: of("role.granted")))

        #expect(book.signIns.count >= Book.enough && book.signIns.isSubset(of: of("session.started")))
        #expect(Set(book.users.map(String.init)).isSubset(of: of("user.registered")))
        // Taking something away is recorded only if it was there before.
        let before = [
            "role.revoked": "role.granted", "user.enabled": "user.disabled", "session.ended": "session.started",
        ]
        for name in ["role.granted", "role.revoked", "session.ended", "user.disabled", "user.enabled", "user.deleted"] {
            let changed = Set(book.changes.filter { $0.name == name }.map { "\($0.user)" })
            #expect(!changed.isEmpty, "\(name)")
            let had: Set<String>? = if let earlier = before[name] { try await database.users(of: earlier) } else { nil }
            #expect(try await changed.intersection(had ?? changed).isSubset(of: database.users(of: name)), "\(name)")
        }
    }
}

/// The database of the nodes, queried with psql.
private struct AuditedDatabase {
    let server: PostgresServer
    let url: String

    func lines(_ sql: String) async throws -> [String] {
        try await server.execute(sql, at: url).split(separator: "\n").map(String.init)
    }

    /// The connections of others.
    func clients() async throws -> [String] {
        try await lines(
            """
            SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND backend_type = 'client backend'
            """)
    }

    /// Ids of the users that events of this name are about.
    func users(of name: String) async throws -> Set<String> {
        try await Set(lines("SELECT user_id FROM audit_events WHERE name = '\(name)'"))
    }
}

/// The acknowledged changes, and the ports of the nodes.
private final class Book: Sendable {
    static let enough = Soak.count(100, soak: 1000)
    /// Least number of commands of each administrator.
    static let commands = Soak.count(14, soak: 140)

    struct Change {
        let name: String
        let user: Int
    }

    struct Content {
        var isOver = false
        var ports: [Int] = []
        var users: Set<Int> = []
        var signIns: Set<String> = []
        var changes: [Change] = []
    }

    private let content = Mutex(Content())

    func withLock<Value>(_ body: (inout sending Content) -> sending Value) -> sending Value {
        content.withLock(body)
    }
}

import Foundation
import GRDB
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// A trail on a database, with a clock that the test moves.
struct AuditTest {
    let storage: any Storage
    let trail: AuditTrail
    let database: AuditPlace
    let clock = TestClock()
    private let sealer: AuditSealer

    init(_ backend: AuditBackend, _ directory: TemporaryDirectory, _ name: String = "trail") async throws {
        try await self.init(backend.place(directory, name), InstanceSecret())
    }

    init(_ place: AuditPlace, _ secret: InstanceSecret) {
        self.init(place, InstanceSecrets(secret))
    }

    init(_ storage: any Storage, _ secret: InstanceSecret) {
        self.init(AuditPlace(storage: storage) { _ in }, InstanceSecrets(secret))
    }

    init(_ place: AuditPlace, _ secrets: InstanceSecrets) {
        (storage, database) = (place.storage, place)
        trail = AuditTrail(storage: storage, secrets: secrets, retention: 90 * 86400) { [clock] in clock.now }
        sealer = AuditSealer(trail: trail)
    }

    func record(_ count: Int) async throws {
        for number in 0..<count {
            let event = AuthEvent.databaseMigrated(from: "here", rows: number)
            let caller = Caller(address: "192.0.2.1", requestID: "request")
            try await storage.append(event.of(7).by(caller, at: clock.now))
            clock.advance(by: 1)
        }
    }

    func seal() async throws { try await sealer.seal() }

    func prune() async throws { try await trail.prune() }

    /// Restarts the trail, and checks that all rows are sealed anew, that the event is the last of
    /// them, and that sealing, verifying and pruning go on.
    func expectFreshStart(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let rows = try await storage.events(after: .min, limit: 99)
        let last = try await trail.restart(because: "overwritten", by: Caller(OperatorIdentity(account: "root")))
        try await seal()
        let found = try await trail.verify()
        #expect(found.sealed == rows.count + 1, sourceLocation: sourceLocation)
        #expect(found.prunedUpTo == last, sourceLocation: sourceLocation)
        let sealed = try await storage.sealedEvents(after: nil, limit: 99)
        #expect(Set(sealed.dropLast().map(\.fields)) == Set(rows.map(\.fields)), sourceLocation: sourceLocation)
        let event = try #require(sealed.last?.fields, sourceLocation: sourceLocation)
        #expect(event.name == "audit.restarted" && event.actorID == "root", sourceLocation: sourceLocation)
        #expect(event.details.contains(#""reason":"overwritten""#), sourceLocation: sourceLocation)
        try await record(1)
        try await seal()
        try await database.execute("UPDATE audit_events SET name = 'user.enabled' WHERE number = \(last + 1)")
        await expectBroken("row \(last + 1) is not") { try await trail.verify() }
        _ = try await trail.restart(because: "again", by: .application)
        try await seal()
        clock.advance(by: 91 * 86400)
        try await prune()
        #expect(try await trail.verify().sealed == 0, sourceLocation: sourceLocation)
        #expect(try await storage.events(after: .min, limit: 99).isEmpty, sourceLocation: sourceLocation)
    }

    func expectBroken(
        _ words: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
    ) async {
        let error = await #expect(throws: AuthError.self, sourceLocation: sourceLocation) { _ = try await body() }
        #expect(error?.code == .auditTrailBroken, sourceLocation: sourceLocation)
        #expect(
            error?.detail.contains(words) != false || words.isEmpty, "\(error?.detail ?? "")",
            sourceLocation: sourceLocation)
    }
}

/// A database, and a way to change it without the storage.
struct AuditPlace: Sendable {
    let storage: any Storage
    let execute: @Sendable (_ sql: String) async throws -> Void

    init(storage: any Storage, execute: @escaping @Sendable (_ sql: String) async throws -> Void) {
        self.storage = storage
        self.execute = execute
    }

    init(sqlite path: String) async throws {
        let storage = try await SQLiteStorage(path: path)
        self.init(storage: storage) { sql in try await storage.database.write { try $0.execute(sql: sql) } }
    }

    init(postgres url: String) async throws {
        let server = try await PostgresServer.shared()
        try await self.init(storage: PostgresStorage(PostgresConfiguration(url: url))) { sql in
            // PostgreSQL spells this differently.
            try await server.execute(sql.replacing("SET id = 100", with: "SET id = DEFAULT"), at: url)
        }
    }
}

struct AuditBackend: Sendable, CustomTestStringConvertible {
    let testDescription: String
    private let isPostgres: Bool
    let place: @Sendable (_ directory: TemporaryDirectory, _ name: String) async throws -> AuditPlace

    static let sqlite = AuditBackend(testDescription: "SQLite", isPostgres: false) { directory, name in
        try await AuditPlace(sqlite: "\(directory.path)/\(name).sqlite")
    }
    static let all = [
        sqlite,
        AuditBackend(testDescription: "PostgreSQL", isPostgres: true) { directory, _ in
            try await AuditPlace(postgres: directory.makePostgresDatabase())
        },
    ]

    /// SQL for that number of arbitrary bytes.
    func bytes(_ count: Int) -> String {
        let digits = String(repeating: "5a", count: count)
        return isPostgres ? "'\\x\(digits)'" : "x'\(digits)'"
    }

    /// SQL for a time far in the future.
    var future: String { isPostgres ? "'2999-01-01'" : "32472144000.0" }
}

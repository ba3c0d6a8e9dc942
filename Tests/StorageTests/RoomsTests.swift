import Foundation
import GRDB
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Testing

/// The declarations of the rooms, compared with what exists.
@Suite struct RoomsTests {
    // MARK: Tables

    /// All tables but those that SQLite and its migrations need, and all columns but the count of a
    /// user's sessions.
    @Test func everyTableInSQLiteIsOneRoomsWithAllItsColumns() async throws {
        let storage = try await SQLiteStorage()
        let present = try await storage.database.read { database in
            try String.fetchAll(database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
                .reduce(into: [:]) { tables, name in
                    tables[name] = try Set(database.columns(in: name).map { "\(name).\($0.name)" })
                }
        }
        let own: Set = ["unfinished_transfer", "grdb_migrations", "sqlite_sequence"]
        expectDeclared(present.filter { !own.contains($0.key) }, besides: ["users.session_count"])
    }

    @Test func everyTableInPostgreSQLIsOneRoomsWithAllItsColumns() async throws {
        let directory = try TemporaryDirectory()
        let url = try await directory.makePostgresDatabase()
        _ = try await PostgresStorage(PostgresConfiguration(url: url))
        let columns = try await PostgresServer.shared().execute(
            "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'",
            at: url)
        let present = Dictionary(grouping: columns.split(separator: "\n").map(String.init)) { column in
            String(column.prefix { $0 != "." })
        }
        let own = Set(Migrations.ownTables + ["schema_migrations"])
        expectDeclared(present.filter { !own.contains($0.key) }.mapValues(Set.init), besides: [])
    }

    private func expectDeclared(_ present: [String: Set<String>], besides: Set<String>) {
        #expect(Rooms.tables.count == Set(Rooms.tables.map(\.name)).count)
        #expect(Set(Rooms.tables.map(\.name)) == Set(present.keys))
        for table in Rooms.tables {
            let declared = Set(table.columns.map { "\(table.name).\($0.name)" })
            #expect(declared == present[table.name]?.subtracting(besides), "\(table.name)")
        }
    }

    @Test func everyRoomWithTablesMakesPromises() {
        for room in Rooms.all where !room.tables.isEmpty {
            #expect(!StorageContract.chapters(of: room).isEmpty, "\(room.name)")
        }
    }

    @Test func noTwoRoomsAndNoTwoChaptersHaveOneName() {
        let (rooms, chapters) = (Rooms.all.map { $0.name }, StorageContract.chapters.map(\.name))
        #expect(Set(rooms).count == rooms.count)
        #expect(Set(chapters).count == chapters.count)
    }

    // MARK: Changes of the schema

    @Test func bothBackendsHaveTheSameChanges() throws {
        let (one, other) = try (RESTAuthSQLite.Migrations.changes(), RESTAuthPostgres.Migrations.changes())
        #expect(one.map(\.number) == other.map(\.number))
        #expect(one.map(\.title) == other.map(\.title))
    }

    @Test func changesOfSeveralRoomsAreMadeInTheOrderOfTheirNumbers() throws {
        let (first, second, third) = (change(1), change(2), change(3))
        #expect(try SchemaChange.inOrder([third, first, second]) == [first, second, third])
        #expect(try SchemaChange.inOrder([]) == [])
    }

    @Test(arguments: [[1, 1], [1, 2, 2, 3], [2], [1, 3], [0, 1], [-8]])
    func changesThatAreNotNumberedOneAfterTheOtherAreRefused(numbers: [Int]) {
        let error = #expect(throws: AuthError.self) { try SchemaChange.inOrder(numbers.map(change)) }
        #expect(error?.code == .misconfigured)
    }

    @Test func whatIsRefusedIsNamed() {
        let twice = #expect(throws: AuthError.self) { try SchemaChange.inOrder([change(1), change(1)]) }
        #expect(twice?.detail == "9 is the number of more than one change of the schema: see \"change 1\"")
        let gap = #expect(throws: AuthError.self) { try SchemaChange.inOrder([change(2)]) }
        #expect(gap?.detail == "no change of the schema has the number 9: see \"change 2\"")
    }

    private func change(_ number: Int) -> SchemaChange {
        SchemaChange(SchemaChange.lastOfHistory + number, "change \(number)", "")
    }

    // MARK: Events

    @Test func everyNameOfAnEventIsOneRooms() throws {
        let names = AuthEvent.Name.allCases.map(\.rawValue)
        #expect(Set(names).count == names.count)
        for name in names { #expect(name.wholeMatch(of: /[a-z_]+\.[a-z_]+/) != nil, "\(name)") }
        // Detects a name that no room declares: each name is made in exactly one place.
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/RESTAuth").standardizedFileURL
        let made = try FileManager.default.subpathsOfDirectory(atPath: sources.path).filter { $0.hasSuffix(".swift") }
            .flatMap { path in
                try String(contentsOf: sources.appendingPathComponent(path), encoding: .utf8)
                    .matches(of: /Self\(\s*"([a-z_]+\.[a-z_]+)"/).map { String($0.1) }
            }
        #expect(made.sorted() == names.sorted())
    }

    @Test func aNameThatNoRoomHasIsNone() {
        for name in ["", "session", "session.", "session_started", "Session.started", "session.started ", "note.lost"] {
            #expect(AuthEvent.Name(rawValue: name) == nil, "\(name)")
        }
        #expect(AuthEvent.Name(rawValue: "session.started") == .sessionStarted)
    }
}

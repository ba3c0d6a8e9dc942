import Foundation
import GRDB
import Support
import Testing

/// Import and export of users by commands, on either backend. Each test has its own database,
/// because it counts all users.
@Suite struct ImportCommandTests {
    let directory: TemporaryDirectory
    let database: TestDatabase
    private let hash =
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0"

    /// A hash without a comma.
    private let plain = "$5$rounds=1000$K8Vu7XBgEBZF/.d8$XvMPXvmqjv4iUYsqL0QUQMo9/FGhDynyVeZB8xewfG."

    init() async throws {
        directory = try TemporaryDirectory()
        database = try await directory.database()
    }

    private func users(
        _ arguments: String..., input: String? = nil, in other: TemporaryDirectory? = nil
    ) async throws -> CommandOutcome {
        let directory = other ?? directory
        let database = try await directory.database()
        return try await runCommand(
            ["users"] + arguments + ["--database", database.url], environment: database.environment,
            directory: directory, input: input)
    }

    /// The path of a file that the commands did not make.
    private func path(_ name: String) -> String { "\(directory.path)/process-\(name)" }

    private func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    private func listed() async throws -> [[String: Any]] {
        try await users("list", "--json").output.split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
    }

    private func names() async throws -> [String] { try await listed().compactMap { $0["username"] as? String } }

    /// Makes a database of another program with these statements.
    @discardableResult
    private func foreign(_ name: String, logged: Bool = false, _ sql: String...) throws -> String {
        let queue = try DatabaseQueue(path: path(name))
        try queue.writeWithoutTransaction { database in
            if logged { try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0") }
            for statement in sql { try database.execute(sql: statement) }
        }
        try queue.close()
        return path(name)
    }

    private let flaskTable =
        "CREATE TABLE users (id INTEGER PRIMARY KEY, username VARCHAR(32), password_hash VARCHAR(64))"

    // MARK: Files

    @Test func linesComeFromAFileOrFromStandardInput() async throws {
        let csv = try write("username,password_hash,id\nMiguel,\(plain),7\n", to: "users.csv")
        let outcome = try await users("import", "--csv", csv)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output == "Imported: 1; there already: 0; refused: 0.\n")
        #expect(outcome.error == "checking, 100 %\nimporting, 100 %\n")
        for (option, text) in [
            ("--csv", "username,password_hash\nsusan,\(plain)\n"),
            ("--jsonl", #"{"username":"david","password_hash":"\#(hash)"}"#),
        ] { #expect(try await users("import", option, "-", input: text).status == 0) }
        #expect(try await names() == ["Miguel", "susan", "david"])
        #expect(try await listed().map { $0["id"] as? Int } == [7, 8, 9])
    }

    @Test func whoIsRefusedIsSaidAndCountsInTheStatus() async throws {
        let text = """
            username,password_hash,id
            miguel,\(plain),1
            a:b,\(plain),2
            MIGUEL,\(plain),3
            susan,python,4
            david
            erin,!,6
            "\u{1B}[2J\u{202E}",\(plain),7
            frank,\(plain),1
            """
        let file = try write(text, to: "users.csv")
        let outcome = try await users("import", "--csv", file, "--skip-refused", "--renumber")
        #expect(outcome.status == 1)
        #expect(
            outcome.output == """
                Imported: 2, of these with another id 1; there already: 0; refused: 6 (not readable 1, \
                name not acceptable 2, name twice 1, no usable password 1, unknown kind of hash 1).

                """)
        for line in [
            #"line 3, "a:b": username has the character U+003A (:), which is not allowed"#,
            #"line 4, "MIGUEL": when case is put aside, the name is that of line 2, which came first"#,
            #"line 5, "susan": the password hash is of a kind that is not understood"#,
            "line 6: there are 1 fields, and 3 in the header",
            #"line 7, "erin": the user has no password to sign in with"#,
            #"line 8, "\u{1b}[2J\u{202e}": username has the character U+001B, which"#,
            #"line 9, "frank": id 1 became 8"#,
        ] { #expect(outcome.error.contains(line), "\(outcome.error)") }
        #expect(!outcome.error.contains("\u{1B}"))
        #expect(!outcome.error.contains("python"))

        let report = path("report.jsonl")
        #expect(
            try await users("import", "--csv", file, "--skip-refused", "--renumber", "--report", report).status == 1)
        let lines = try String(contentsOfFile: report, encoding: .utf8).split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
        #expect(Set(lines.compactMap { $0["line"] as? Int }) == Set(2...9))
        let skipped = lines.filter { $0["outcome"] as? String == "skipped" }
        #expect(skipped.compactMap { $0["username"] as? String } == ["miguel", "frank"])
        #expect(lines.filter { $0["outcome"] as? String == "refused" }.count == 6)
        #expect(try FileManager.default.attributesOfItem(atPath: report)[.posixPermissions] as? Int == 0o600)
    }

    @Test func ofManyRefusalsTheFirstAreShown() async throws {
        let text = "username,password_hash\n" + (1...500).map { "user-\($0),x\n" }.joined()
        let outcome = try await users("import", "--csv", "-", input: text)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("and 497 more"))
        #expect(outcome.error.split(separator: "\n").count < 40)
    }

    @Test func aDryRunMakesNothing() async throws {
        let file = try write("username,password_hash\nmiguel,\(plain)\na:b,\(plain)\n", to: "users.csv")
        if !database.url.hasPrefix("postgres") {
            let outcome = try await users("import", "--csv", file, "--dry-run")
            #expect(outcome.status == 1)
            #expect(outcome.output.hasPrefix("Nothing was written. Would be imported: 1; there already: 0; refused: 1"))
            #expect(directory.contents.isEmpty)
        }
        #expect(try await users("import", "--csv", file, "--skip-refused").status == 1)
        let more = try write("username,password_hash,id\nMiguel,\(plain),1\nsusan,\(plain),1\n", to: "more.csv")
        let outcome = try await users("import", "--csv", more, "--dry-run", "--renumber")
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                Nothing was written. Would be imported: 1, of these with another id 1; there already: 1; refused: 0.

                """)
        #expect(outcome.error.contains(#"line 3, "susan": id 1 is not free"#))
        #expect(try await names() == ["miguel"])
    }

    @Test(arguments: [
        [], ["--csv", "a.csv", "--jsonl", "b.jsonl"], ["--from-flask", "a.sqlite", "--csv", "-"],
        ["--csv", "missing.csv"], ["--jsonl", "."], ["--from-flask", "missing.sqlite"],
        ["--from-django", "missing.sqlite"],
        ["--from-django", "postgres://nobody@127.0.0.1:1/none"], ["--csv", "-", "--report", "missing/report.jsonl"],
    ])
    func whatNamesNoSourceIsRefusedAndNobodyComesIn(arguments: [String]) async throws {
        let outcome = try await runCommand(
            ["users", "import"] + arguments + ["--database", database.url], environment: database.environment,
            directory: directory, input: "username,password_hash\nmiguel,\(plain)\n")
        #expect(outcome.status != 0)
        #expect(!outcome.error.isEmpty)
        if try await users("list").status == 0 { #expect(try await names().isEmpty) }
    }

    // MARK: Databases of other programs

    @Test(arguments: ["users", "user"])
    func aFlaskServersTableIsReadUnderEitherName(table: String) async throws {
        let file = try foreign(
            "data.sqlite", flaskTable.replacing("users", with: "\"\(table)\""),
            """
            INSERT INTO "\(table)" VALUES (3, 'Miguel', '\(hash)'), (1, 'susan', '\(hash)'), (9, 'MIGUEL', '\(hash)')
            """)
        let outcome = try await users("import", "--from-flask", file, "--skip-refused")
        #expect(outcome.status == 1)
        let refusal = #"id 9, "MIGUEL": when case is put aside, the name is that of id 3, which came first"#
        #expect(outcome.error.contains(refusal))
        #expect(try await names() == ["susan", "Miguel"])
        #expect(try await listed().map { $0["id"] as? Int } == [1, 3])
        let exported = try await users("export").output
        #expect(exported.contains(#""username":"Miguel""#) && exported.contains(#""legacy_id":3"#))
    }

    @Test func aRowThatIsNotWhatItShouldBeIsRefused() async throws {
        let file = try foreign(
            "data.sqlite", "CREATE TABLE users (id, username, password_hash)",
            """
            INSERT INTO users VALUES (1, 'good', '\(hash)'), (2, NULL, '\(hash)'), (3, x'6d696775656c', '\(hash)'),
                (4, 'a', NULL), (5, 7, '\(hash)'), ('x', 'b', '\(hash)'), (NULL, 'c', '\(hash)'),
                (8, 'admin' || char(0) || 'x', '\(hash)'), (9, CAST(x'ff' AS TEXT), '\(hash)'), (-1, 'd', '\(hash)'),
                (1.5, 'e', '\(hash)'), (12, '', '\(hash)'), (13, 'last', '\(hash)')
            """)
        let outcome = try await users("import", "--from-flask", file, "--skip-refused")
        #expect(outcome.status == 1)
        let counts = "refused: 11 (not readable 7, name not acceptable 2, id not possible 1, no usable password 1)"
        #expect(outcome.output.contains(counts), "\(outcome.output)")
        #expect(try await names() == ["good", "last"])
    }

    @Test func whatIsNoDatabaseOfTheKindIsRefused() async throws {
        let junk = try write(String(repeating: "no database at all\n", count: 100), to: "junk.sqlite")
        let other = try foreign("other.sqlite", "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
        let lacking = try foreign("lacking.sqlite", "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT)")
        let empty = try write("", to: "empty.sqlite")
        for (file, message) in [
            (junk, "is no SQLite database"),
            (other, "has no table users with the columns id, username, password_hash or user with"),
            (lacking, "has no table users"), (empty, "has no table users"),
        ] {
            for option in ["--from-flask", "--from-django"] {
                let outcome = try await users("import", option, file)
                #expect(outcome.status == 1)
                #expect(outcome.error.contains(option == "--from-flask" ? message : "\(file)"), "\(outcome.error)")
                #expect(outcome.error.split(separator: "\n").count == 1)
            }
        }
    }

    @Test func aDatabaseOfOursIsNotTakenForAFlaskServers() async throws {
        let file = path("ours.sqlite")
        let made = try await runCommand(
            ["users", "add", "miguel", "--password-stdin", "--database", "sqlite:\(file)"], directory: directory,
            input: "python\n")
        #expect(made.status == 0)
        let outcome = try await users("import", "--from-flask", file)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("is a database of rest-auth: rest-auth migrate moves those"))
    }

    /// Rows that are only in the log are read, and neither file nor log is written, also when no
    /// other process uses them.
    @Test func aDatabaseWithALogIsReadAsItIs() async throws {
        let file = path("data.sqlite")
        let writer = try DatabaseQueue(path: file)
        try await writer.writeWithoutTransaction { [flaskTable, hash] database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0")
            try database.execute(sql: flaskTable)
            try database.execute(sql: "INSERT INTO users VALUES (1, 'miguel', '\(hash)')")
        }
        // The state after a crash: the file and its log, and no process that has them open.
        let copy = path("copy.sqlite")
        func copies() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.contains("copy") }.sorted()
        }
        for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: file + suffix, toPath: copy + suffix) }
        let before = try ["", "-wal"].map { try Data(contentsOf: URL(fileURLWithPath: copy + $0)) }
        #expect(before[1].count > 0)
        let there = try copies()
        #expect(try await users("import", "--from-flask", copy).status == 0)
        #expect(try await names() == ["miguel"])
        #expect(try ["", "-wal"].map { try Data(contentsOf: URL(fileURLWithPath: copy + $0)) } == before)
        #expect(try copies() == there)
        // And while its own server has it open.
        #expect(try await users("import", "--from-flask", file).output.hasPrefix("Imported: 0; there already: 1"))
        try writer.close()
    }

    @Test func aDjangoProjectsUsersComeFromAFile() async throws {
        let file = try foreign(
            "db.sqlite3",
            """
            CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL,
                last_login datetime NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE,
                is_active bool NOT NULL, date_joined datetime NOT NULL)
            """,
            """
            INSERT INTO auth_user VALUES (1, 'argon2\(hash)', NULL, 1, 'Miguel', 1, '2020-01-02 03:04:05.250000'),
                (4, 'argon2\(hash)', NULL, 0, 'susan', 0, '2020-01-02 03:04:05'),
                (5, '!x8Yt', NULL, 0, 'nologin', 1, '2020-01-02 03:04:05'),
                (6, 'argon2\(hash)', NULL, 0, 'when', 1, 'yesterday'),
                (7, 'argon2\(hash)', NULL, 0, 'maybe', 'x', '2020-01-02 03:04:05')
            """)
        try await expectDjango(import: file, refused: "refused: 3 (not readable 2, no usable password 1)")
    }

    @Test func aDjangoProjectsUsersComeFromPostgreSQL() async throws {
        let url = try await directory.makePostgresDatabase()
        try await PostgresServer.shared().execute(
            """
            CREATE TABLE auth_user (id integer PRIMARY KEY, password varchar(128) NOT NULL,
                username varchar(150) NOT NULL, is_active boolean NOT NULL, date_joined timestamptz NOT NULL);
            INSERT INTO auth_user VALUES (1, 'argon2\(hash)', 'Miguel', true, '2020-01-02 03:04:05.25Z'),
                (4, 'argon2\(hash)', 'susan', false, '2020-01-02 03:04:05Z'),
                (5, '!x8Yt', 'nologin', true, '2020-01-02 03:04:05Z')
            """, at: url)
        try await expectDjango(import: url, refused: "refused: 1 (no usable password 1)")
        let none = try await users("import", "--from-django", directory.makePostgresDatabase())
        #expect(none.error.contains("has no table auth_user with the columns"))
    }

    private func expectDjango(import source: String, refused: String) async throws {
        let outcome = try await users("import", "--from-django", source, "--skip-refused")
        #expect(outcome.status == 1)
        #expect(outcome.output.contains(refused), "\(outcome.output) \(outcome.error)")
        let users = try await listed()
        #expect(users.map { $0["id"] as? Int } == [1, 4])
        #expect(users.map { $0["disabled_at"] is String } == [false, true])
        #expect(users.map { $0["created_at"] as? String } == ["2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"])
        #expect(try await self.users("export").output.contains("2020-01-02T03:04:05.250000Z"))
        #expect(try await !self.users("export").output.contains("legacy_id"))
    }

    // MARK: Export and import

    @Test func whatIsExportedComesInElsewhereAndSignsIn() async throws {
        let server = try await RunningServer(directory: directory)
        for name in ["miguel", "susan", "david"] { try await server.register(name, "python") }
        try await server.command("users", "grant", "miguel", "admin", "auditor")
        try await server.command("users", "disable", "susan")
        try await server.command("users", "delete", "david")
        #expect(try await !users("export").output.contains("password_hash"))
        let exported = try await users("export", "--include-password-hashes").output
        // One of the other backend, and one of the same.
        let others = [
            try TemporaryDirectory.withSQLite(),
            try TemporaryDirectory(database: await directory.makePostgresDatabase()),
        ]
        for other in others {
            let imported = try await users("import", "--jsonl", "-", input: exported, in: other)
            #expect(imported.output == "Imported: 2; there already: 0; refused: 0.\n", "\(imported.error)")
            #expect(try await users("export", "--include-password-hashes", in: other).output == exported)
            let elsewhere = try await RunningServer(directory: other)
            let answer = try await elsewhere.send("GET", "/api/resource", headers: [basic("miguel", "python")])
            #expect(answer.status == 200, "\(answer.body) \(elsewhere.log)")
            let susan = try await elsewhere.send("GET", "/api/resource", headers: [basic("susan", "python")])
            #expect(susan.status == 401)
            #expect(try await elsewhere.stop() == 0)
        }
    }

    @Test func anImportRunsBesideAServer() async throws {
        // On PostgreSQL a statement may wait long for the import's.
        let server = try await RunningServer(["--database-timeout", "600"], directory: directory)
        // Several transactions, with the server's own between them.
        let count = Soak.count(21_000, soak: 50_000)
        let lines = (1...count).map { #"{"id":\#($0),"username":"user-\#($0)","password_hash":"\#(hash)"}"# + "\n" }
        let text = lines.joined()
        // Some of the ids go to users who register before all users have been read.
        async let outcome = users("import", "--jsonl", "-", "--renumber", input: text)
        var registered: [String] = []
        for number in 0..<20 {
            let answer = try await server.register("new-\(number)", "python")
            #expect(answer.status == 201)
            registered.append(answer["Location"] ?? "")
        }
        #expect(try await outcome.status == 0)
        #expect(Set(registered).count == 20)
        #expect(try await users("export").output.split(separator: "\n").count == count + 20)
    }

    @Test func helpIsThere() async throws {
        for command in ["import", "export"] {
            let outcome = try await runCommand(["users", command, "--help"], directory: directory)
            #expect(outcome.status == 0)
            #expect(outcome.output.contains("USAGE: rest-auth users \(command)"))
        }
        #expect(
            try await runCommand(["users", "import", "--help"], directory: directory).output.contains(
                "Exit status 0 when nobody was refused"))
    }
}

import Foundation
import GRDB
import Support
import Testing

/// No user is imported while one would be refused, and ids stay what they were.
@Suite struct ImportRefusalsTests {
    let desk: ImportDesk

    init() async throws { desk = try await ImportDesk() }

    private func csv(_ count: Int, _ change: (Int) -> String? = { _ in nil }) -> String {
        "id,username,password_hash\n"
            + (1...count).map { "\($0),\(change($0) ?? "user-\($0),\(PythonHash.bcrypt)")\n" }.joined()
    }

    @Test func nobodyComesInWhileAnyoneWouldBeRefused() async throws {
        let damaged = csv(201) { $0 == 20 ? "a:b,\(PythonHash.bcrypt)" : nil }
        let refused = try await desk.users("import", "--csv", "-", input: damaged)
        #expect(refused.status == 1)
        #expect(
            refused.output == """
                Nothing was written. Would be imported: 200; there already: 0; refused: 1 (name not acceptable 1).

                """
        )
        #expect(refused.error.contains("--skip-refused"), "\(refused.error)")
        #expect(refused.error.contains("U+003A (:)"), "\(refused.error)")
        #expect(try await !desk.isAnyoneThere())
        let mended = try await desk.users("import", "--csv", "-", input: csv(201))
        #expect(mended.output == "Imported: 201; there already: 0; refused: 0.\n", "\(mended.error)")
        #expect(try await desk.ids()["user-20"] == 20)
        #expect(try await desk.users("add", "next", "--password-stdin", input: "python\n").output.contains("id 202"))
    }

    @Test func whoWasLeftOutAndMendedKeepsTheId() async throws {
        let damaged = csv(201) { $0 % 100 == 20 ? "a:b,\(PythonHash.bcrypt)" : nil }
        let first = try await desk.users("import", "--csv", "-", "--skip-refused", input: damaged)
        #expect(first.status == 1)
        #expect(first.output.hasPrefix("Imported: 199; there already: 0; refused: 2"), "\(first.output)")
        // A user who registers meanwhile does not get a reserved id.
        #expect(try await desk.users("add", "next", "--password-stdin", input: "python\n").output.contains("id 202"))
        for _ in 0..<2 {
            let again = try await desk.users("import", "--csv", "-", input: csv(201))
            #expect(again.status == 0, "\(again.output)\(again.error)")
        }
        let ids = try await desk.ids()
        #expect(ids["user-20"] == 20 && ids["user-120"] == 120 && ids["next"] == 202)
        #expect(ids.count == 202)
    }

    @Test func aNameThatIsThereWithAnotherIdIsRefused() async throws {
        #expect(try await desk.users("add", "User-2", "--password-stdin", input: "python\n").status == 0)
        let refused = try await desk.users(
            "import", "--csv", "-", input: csv(3) { $0 == 1 ? "first,\(PythonHash.bcrypt)" : nil })
        #expect(refused.status == 1)
        #expect(refused.error.contains("the name is there already, with the id 1 and not 2"), "\(refused.error)")
        #expect(try await desk.names() == ["User-2"])
        let same = try await desk.users("import", "--csv", "-", "--renumber", input: csv(3))
        #expect(same.status == 0)
        #expect(same.output.contains("there already: 1"), "\(same.output)")
    }

    @Test func aReportIsWrittenInThePlaceOfNothing() async throws {
        let list = try desk.write(csv(3).utf8, to: "list.csv")
        let outcome = try await desk.users("import", "--csv", list, "--report", list, "--dry-run")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("there is such a file already"), "\(outcome.error)")
        #expect(try String(contentsOfFile: list, encoding: .utf8) == csv(3))
    }

    @Test func nobodyGetsAnotherIdUnasked() async throws {
        #expect(try await desk.users("add", "admin", "--password-stdin", input: "python\n").status == 0)
        let refused = try await desk.users("import", "--csv", "-", input: csv(2))
        #expect(refused.status == 1)
        #expect(refused.output.contains("id not free 1"), "\(refused.output)")
        #expect(refused.error.contains("--renumber"), "\(refused.error)")
        #expect(try await desk.names() == ["admin"])
        let asked = try await desk.users("import", "--csv", "-", "--renumber", input: csv(2))
        #expect(asked.status == 0)
        #expect(asked.error.contains("id 1 became 3"), "\(asked.error)")
        #expect(try await desk.ids() == ["admin": 1, "user-1": 3, "user-2": 2])
    }

    @Test(arguments: ["0", "-1", "9007199254740992", "9007199254740991", "9223372036854775807"])
    func anIdThatNoClientCouldReadIsRefused(id: String) async throws {
        let text = "id,username,password_hash\n\(id),miguel,\(PythonHash.bcrypt)\n"
        let outcome = try await desk.users("import", "--csv", "-", input: text)
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("id not possible 1"), "\(outcome.output)")
        #expect(outcome.error.contains("\(id)") && outcome.error.contains("4503599627370496"), "\(outcome.error)")
        let renumbered = try await desk.users("import", "--csv", "-", "--renumber", input: text)
        #expect(renumbered.status == 0, "\(renumbered.error)")
        #expect(try await desk.ids() == ["miguel": 1])
    }

    @Test(arguments: ["18446744073709551615", "3.5", "0x10", "seven"])
    func whatIsNoIdIsRefusedWithWhatOneIs(id: String) async throws {
        for (kind, text) in [
            ("--csv", "id,username,password_hash\n\(id),miguel,\(PythonHash.bcrypt)\n"),
            ("--json", #"{"id":"\#(id)","username":"miguel","password_hash":"\#(PythonHash.bcrypt)"}"#),
        ] {
            let outcome = try await desk.users("import", kind, "-", input: text)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("no whole number from 1 to 4503599627370496"), "\(outcome.error)")
        }
    }

    @Test func theGreatestIdLeavesRoomForOthers() async throws {
        let text = "id,username,password_hash\n4503599627370496,miguel,\(PythonHash.bcrypt)\n"
        #expect(try await desk.users("import", "--csv", "-", input: text).status == 0)
        let next = try await desk.users("add", "susan", "--password-stdin", input: "python\n")
        #expect(next.output.contains("id 4503599627370497"))
    }

    @Test func whoHasNoUsablePasswordComesInWithoutOneAndKeepsTheId() async throws {
        let text = """
            id,username,password_hash
            3,miguel,
            5,susan,!x8Yt
            7,david,5f4dcc3b5aa765d61d8327deb882cf99x
            9,erin,\(PythonHash.bcrypt)
            """
        #expect(try await desk.users("import", "--csv", "-", input: text).status == 1)
        let outcome = try await desk.users("import", "--csv", "-", "--without-password", input: text)
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.error)")
        #expect(outcome.output == "Imported: 4, of these without a password 3; there already: 0; refused: 0.\n")
        #expect(outcome.error.contains("users set-password"), "\(outcome.error)")
        #expect(try await desk.ids() == ["miguel": 3, "susan": 5, "david": 7, "erin": 9])
        let server = try await RunningServer(directory: desk.directory)
        for name in ["miguel", "susan", "david"] {
            for password in ["!", "!x8Yt", "5f4dcc3b5aa765d61d8327deb882cf99x", "x"] {
                let answer = try await server.send("GET", "/api/resource", headers: [basic(name, password)])
                #expect(answer.status == 401)
            }
        }
        let set = try await desk.users("set-password", "miguel", "--password-stdin", input: "python\n")
        #expect(set.status == 0, "\(set.error)")
        #expect(try await server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
        #expect(try await server.stop() == 0)
        // Exported and imported again.
        let exported = try await desk.users("export", "--include-password-hashes").output
        let other = try await ImportDesk()
        let again = try await other.users("import", "--jsonl", "-", "--without-password", input: exported)
        #expect(again.output.hasPrefix("Imported: 4, of these without a password 2"), "\(again.error)")
        #expect(try await other.ids() == desk.ids())
    }

    @Test func aFlaskUserWithoutAHashKeepsTheIdToo() async throws {
        let queue = try DatabaseQueue(path: desk.path("data.sqlite"))
        try await queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, password_hash TEXT);
                    INSERT INTO users VALUES (4, 'miguel', NULL), (8, 'susan', '\(PythonHash.bcrypt)')
                    """)
        }
        try queue.close()
        let refused = try await desk.users("import", "--from-flask", desk.path("data.sqlite"))
        #expect(refused.output.contains("no usable password 1"), "\(refused.output)")
        let outcome = try await desk.users(
            "import", "--from-flask", desk.path("data.sqlite"), "--without-password")
        #expect(outcome.status == 0)
        #expect(try await desk.ids() == ["miguel": 4, "susan": 8])
    }

    @Test func whoCannotBeReadKeepsTheIdOrIsSaidNotTo() async throws {
        let columns = "id,username,password_hash,created_at"
        let good = "1,miguel,\(PythonHash.bcrypt),"
        let dated = [2, 3].map { "\($0),user-\($0),\(PythonHash.bcrypt),2026-13-0\($0)" }
        let text = ([columns, good] + dated).joined(separator: "\n")
        let first = try await desk.users("import", "--csv", "-", "--skip-refused", input: text)
        #expect(first.output.hasPrefix("Imported: 1; there already: 0; refused: 2 (not readable 2)"), "\(first.output)")
        #expect(!first.error.contains("it is not kept"), "\(first.error)")
        #expect(try await desk.users("add", "next", "--password-stdin", input: "python\n").output.contains("id 4"))
        let mended = try await desk.users("import", "--csv", "-", input: text.replacing("2026-13-0", with: "2026-12-0"))
        #expect(mended.status == 0, "\(mended.error)")
        #expect(try await desk.ids() == ["miguel": 1, "user-2": 2, "user-3": 3, "next": 4])

        let unknown = "\(columns)\n9,erin,\(PythonHash.bcrypt),\nx9,david,\(PythonHash.bcrypt),\n"
        for more in [["--skip-refused"], []] {
            let outcome = try await desk.users(["import", "--csv", "-"] + more, input: unknown)
            #expect(outcome.error.contains("Of 1 of those who are refused the id cannot be read"), "\(outcome.error)")
        }
    }

    @Test func whoHadAnIdThatIsNoneIsSaidToHaveAnother() async throws {
        let text =
            "id,username,password_hash\n"
            + ["-5", "0", "9007199254740992", "7"].map { "\($0),user\($0),\(PythonHash.bcrypt)\n" }.joined()
        #expect(try await desk.users("import", "--csv", "-", input: text).output.contains("id not possible 3"))
        let trial = try await desk.users("import", "--csv", "-", "--renumber", "--dry-run", input: text)
        #expect(trial.output.contains("Would be imported: 4, of these with another id 3;"), "\(trial.output)")
        #expect(trial.error.contains("id -5 is not possible"), "\(trial.error)")
        let report = desk.path("report.jsonl")
        let outcome = try await desk.users("import", "--csv", "-", "--renumber", "--report", report, input: text)
        #expect(outcome.output == "Imported: 4, of these with another id 3; there already: 0; refused: 0.\n")
        #expect(outcome.error.contains("id -5 became 8"), "\(outcome.error)")
        let lines = try String(contentsOfFile: report, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3 && lines.allSatisfy { $0.contains(#""outcome":"renumbered""#) }, "\(lines)")
        #expect(lines.first?.contains(#""from":-5,"to":8"#) == true, "\(lines)")
    }

    /// The advice depends on the source: a database is not a list, and only JSON has Firebase's
    /// users.
    @Test func whatIsToBeDoneFitsTheSource() async throws {
        let queue = try DatabaseQueue(path: desk.path("data.sqlite"))
        try await queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, password_hash TEXT);
                    INSERT INTO users VALUES (7, NULL, '\(PythonHash.bcrypt)'), (8, 'susan', 'python')
                    """)
        }
        try queue.close()
        let database = try await desk.users("import", "--from-flask", desk.path("data.sqlite"))
        #expect(database.error.contains("id 7: username is no text\n  Mend them in a copy of the database"))
        let directory = try await desk.users("import", "--from-flask", desk.directory.path, "--dry-run")
        #expect(directory.error.contains("is a directory: name the file in it"), "\(directory.error)")
        #expect(!database.error.contains("list.") && !database.error.contains("firebase"), "\(database.error)")
        let text =
            "id,username,password_hash,disabled\nx,miguel,\(PythonHash.bcrypt),\n8,susan,python,ja\n9,a,python,\n"
        let list = try await desk.users("import", "--csv", "-", input: text)
        #expect(list.error.contains("Mend them in the list.") && !list.error.contains("database"), "\(list.error)")
        #expect(!list.error.contains("firebase") && !list.error.contains("UTF-8"), "\(list.error)")
        #expect(list.error.contains("leave it out, and the user gets a new one"), "\(list.error)")
        let json = try await desk.users(
            "import", "--json", "-", input: #"{"username":"susan","password_hash":"python"}"#)
        #expect(json.error.contains("--firebase-hash-config"), "\(json.error)")
        let latin = Array("username,password_hash\nJos".utf8) + [0xE9] + Array(",\(PythonHash.bcrypt)\n".utf8)
        #expect(try await desk.users("import", "--csv", "-", bytes: latin).error.contains("CSV UTF-8"))
    }

    /// The sum agrees with the headings.
    @Test func causesOfOneKindStandUnderOneHeading() async throws {
        let text = csv(12) { $0 > 9 ? "user-\($0),scrypt:32768:8:1$saltsalt$ab" : "user-\($0),python" }
        let outcome = try await desk.users("import", "--csv", "-", input: text)
        #expect(outcome.output.contains("refused: 12 (unknown kind of hash 12)"), "\(outcome.output)")
        #expect(outcome.error.ranges(of: "refused, unknown kind of hash: 12").count == 1, "\(outcome.error)")
        #expect(outcome.error.ranges(of: "refused, ").count == 1, "\(outcome.error)")
        #expect(outcome.error.ranges(of: "--without-password").count == 1, "\(outcome.error)")
        #expect(outcome.error.contains("and 6 more like that"), "\(outcome.error)")
        for line in [2, 3, 4, 11, 12, 13] { #expect(outcome.error.contains("line \(line), "), "\(outcome.error)") }
    }

    @Test func oneCauseIsSaidOnceWithWhatToDo() async throws {
        let text = csv(10_000) { $0 % 2 == 0 ? "user-\($0),md5-of-something" : $0 == 7 ? "a:b,x" : nil }
        let report = desk.path("report.jsonl")
        let outcome = try await desk.users("import", "--csv", "-", "--report", report, input: text)
        #expect(outcome.status == 1)
        let lines = outcome.error.split(separator: "\n").filter {
            !$0.hasPrefix("importing") && !$0.hasPrefix("checking")
        }
        #expect(lines.count < 20, "\(outcome.error)")
        #expect(outcome.error.contains("unknown kind of hash: 5000"), "\(outcome.error)")
        for line in [3, 5, 7] { #expect(outcome.error.contains("line \(line), "), "\(outcome.error)") }
        #expect(!outcome.error.contains("line 9,"))
        #expect(outcome.error.contains("4997 more"))
        #expect(outcome.error.contains("name not acceptable: 1"), "\(outcome.error)")
        #expect(try String(contentsOfFile: report, encoding: .utf8).split(separator: "\n").count == 5001)
    }
}

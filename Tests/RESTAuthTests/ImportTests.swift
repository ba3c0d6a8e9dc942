import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Support
import Synchronization
import Testing

/// Files of users, read line by line, and the outcome for each user.
@Suite struct ImportTests {
    let storage: SQLiteStorage
    let clock = TestClock()
    let directory: TemporaryDirectory

    init() async throws {
        storage = try await SQLiteStorage()
        directory = try TemporaryDirectory()
    }

    private func file(_ bytes: some Sequence<UInt8>) throws -> String {
        let path = "\(directory.path)/\(UUID().uuidString)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func jsonLines(_ text: String) throws -> JSONLines { try JSONLines(reading: file(text.utf8)) }
    private func csv(_ text: String) throws -> CommaSeparatedUsers { try CommaSeparatedUsers(reading: file(text.utf8)) }

    /// Imports the users of a source, and collects all outcomes.
    private func run(
        _ source: some UserSource, limit: HashLimit = HashLimit(),
        allowing concessions: UserImport.Concessions = [.leavingOut, .renumbering], isTrial: Bool = false
    ) async throws -> (counts: ImportCounts, notes: [ImportNote]) {
        let clock = clock
        var notes: [ImportNote] = []
        let door = UserImport(into: storage, limit: limit, now: { clock.now })
        let counts = try await door.run(source, allowing: concessions, isTrial: isTrial) { part, _ in notes += part }
        return (counts, notes)
    }

    private func names() async throws -> [String] { try await storage.users(after: 0, limit: 1000).map(\.username) }

    private let hash = Samples.passwordHash
    /// A hash without a comma.
    private let plain = "$5$rounds=1000$K8Vu7XBgEBZF/.d8$XvMPXvmqjv4iUYsqL0QUQMo9/FGhDynyVeZB8xewfG."

    // MARK: JSON lines

    @Test func aLineSaysWhatAnExportSays() async throws {
        let source = try jsonLines(
            """
            {"id":7,"username":"Miguel","created_at":"2026-01-02T03:04:05.25Z","disabled_at":null,"roles":["admin"],\
            "password_hash":"\(hash)","legacy_id":3}
            \r
            {"username":"susan","password_hash":"\(hash)","disabled":true}\r
            {"username":"david","password_hash":"\(hash)","disabled_at":"2026-01-02T03:04:05+01:00"}
            """)
        let (counts, _) = try await run(source)
        #expect(counts.imported == 3)
        let users = try await storage.users(after: 0, limit: 10)
        #expect(users.map(\.id) == [7, 8, 9])
        #expect(users[0].createdAt == Date(timeIntervalSince1970: 1_767_323_045.25))
        #expect(users[0].roles == ["admin"])
        #expect(users.map(\.disabledAt) == [nil, clock.now, Date(timeIntervalSince1970: 1_767_319_445)])
        #expect(users[1].createdAt == clock.now)
        #expect(try await storage.credentials(legacyID: 3)?.user.username == "Miguel")
        #expect(try await storage.credentials(user: 7)?.passwordHash == hash)
    }

    @Test(arguments: [
        "{", "x", "[]", "null", "\"miguel\"", "{}", "\u{0}", "{\"password_hash\":\"HASH\"}",
        "{\"username\":1,\"password_hash\":\"HASH\"}", "{\"username\":\"a\",\"password_hash\":[\"HASH\"]}",
        "{\"username\":null,\"password_hash\":\"HASH\"}",
        "{\"username\":\"a\",\"username\":\"b\",\"password_hash\":\"HASH\"}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\"}}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\"} {\"username\":\"b\",\"password_hash\":\"HASH\"}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\",\"disabledat\":\"2026-01-02T03:04:05Z\"}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\",\"id\":1.0}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\",\"disabled\":false,\"disabled_at\":\"2026-01-02T03:04:05Z\"}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\",\"created_at\":\"yesterday\"}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\",\"roles\":\"admin\"}",
        "{\"username\":\"a\",\"password_hash\":\"HASH\",\"roles\":[1]}",
    ])
    func aDamagedLineIsRefusedAndTheOthersComeIn(line: String) async throws {
        let good = { (name: String) in "{\"username\":\"\(name)\",\"password_hash\":\"\(self.hash)\"}" }
        let text = [good("before"), line.replacing("HASH", with: hash), good("after")].joined(separator: "\n")
        let (counts, notes) = try await run(jsonLines(text))
        #expect(counts.imported == 2)
        #expect(counts.refused == [.unreadable: 1])
        let refused = try #require(notes.first { if case .refused = $0.outcome { true } else { false } })
        #expect(refused.place == .line(2))
        #expect(try await names() == ["before", "after"])
    }

    @Test func bytesThatAreNoTextAndEndlessLinesAreRefused() async throws {
        let good = Data("{\"username\":\"miguel\",\"password_hash\":\"\(hash)\"}\n".utf8)
        let start = Data("{\"username\":\"long\",\"password_hash\":\"\(hash)\",".utf8)
        let long = start + Data(repeating: 0x20, count: 3 << 20) + Data("}".utf8)
        let bytes = Data([0xFF, 0xC0, 0x0A]) + long + Data("\n".utf8) + good + long
        let (counts, notes) = try await run(JSONLines(reading: file(bytes)))
        #expect(counts.imported == 1)
        #expect(notes.map(\.place) == [.line(1), .line(2), .line(4), .line(3)])
    }

    // MARK: Comma-separated values

    @Test func columnsComeInAnyOrderAndQuotesAreTakenAway() async throws {
        let (counts, _) = try await run(
            csv(
                "\u{FEFF}password_hash,\"disabled\",id,username,created_at\r\n"
                    + "\(plain),,9,Miguel,2026-01-02 03:04:05\r\n"
                    + "\"\(hash)\",yes,,\"o'brien\",\"\"\r\n\r\n\(plain),0,,\"a, b\",2026-01-02T03:04:05.5Z"))
        #expect(counts.imported == 3)
        let users = try await storage.users(after: 0, limit: 10)
        #expect(users.map(\.username) == ["Miguel", "o'brien", "a, b"])
        #expect(users.map(\.id) == [9, 10, 11])
        #expect(users.map(\.isDisabled) == [false, true, false])
        #expect(users[0].createdAt == Date(timeIntervalSince1970: 1_767_323_045))
    }

    @Test(arguments: [
        "", "username\n", "password_hash\n", "miguel,HASH\n", "username,password_hash,username\n",
        "username,password_hash,email\n",
        "username:password_hash\n", "username,password_hash,roles\n",
        "username,password_hash,\n", "\"username",
        "username,\"password_hash\"x\n",
    ])
    func aHeaderThatDoesNotNameTheColumnsIsRefused(header: String) async throws {
        let error = #expect(throws: AuthError.self) { try csv(header) }
        #expect(error?.code == .misconfigured)
    }

    @Test(arguments: [
        "a", "a,HASH,x", ",HASH", "a,\"HASH\"x", "a\"b,HASH", "\"a\" ,HASH", "a,HASH,", "\"a\"\"b,HASH\"",
    ])
    func aDamagedRecordIsRefusedAndTheOthersComeIn(record: String) async throws {
        let text = "username,password_hash\nbefore,\(plain)\n\(record.replacing("HASH", with: plain))\nafter,\(plain)\n"
        let (counts, notes) = try await run(csv(text))
        #expect(counts.imported == 2)
        #expect(counts.refusals == 1)
        #expect(notes.map(\.place).contains(.line(3)))
        #expect(try await names() == ["before", "after"])
    }

    @Test(arguments: [
        ("yesterday", "created_at"), ("2026-02-30T00:00:00Z", "created_at"), ("x", "id"), ("1.0", "id"),
        ("maybe", "disabled"),
    ])
    func aFieldThatIsNotWhatItsColumnSaysIsRefused(value: String, column: String) async throws {
        let (counts, notes) = try await run(csv("username,password_hash,\(column)\na,\(plain),\(value)\nb,\(plain),\n"))
        #expect(counts.refused == [.unreadable: 1])
        guard case .refused(let refusal)? = notes.first(where: { $0.place == .line(2) })?.outcome else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.reason.hasPrefix(column))
        #expect(try await names() == ["b"])
    }

    /// A line break in a quoted name must not create another user.
    @Test func aLineInAQuotedNameBeginsNoUser() async throws {
        for evil in [
            "x\nadmin,\(plain)\ny", "x\"\"\nadmin,\(plain)\n", "\nadmin,\(plain)\n\"\"", "x\r\nadmin,\(plain)\r\n",
        ] {
            let (counts, _) = try await run(csv("username,password_hash\n\"\(evil)\",\(plain)\nsusan,\(plain)\n"))
            #expect(counts.refusals == 1)
            #expect(try await names() == ["susan"])
        }
        let long = String(repeating: "x\nadmin,\(plain)\n", count: 20_000)
        #expect(
            try await run(csv("username,password_hash\n\"\(long)\",\(plain)\ndavid,\(plain)\n")).counts.refusals == 1)
        let endless = String(repeating: "x", count: 2 << 20)
        let error = await #expect(throws: AuthError.self) {
            try await run(csv("username,password_hash\n\"\(endless)\nadmin,\(plain)\n\",\(plain)\n"))
        }
        #expect(error?.code == .misconfigured)
        #expect(try await names() == ["susan", "david"])
    }

    @Test func aQuoteThatIsNeverClosedIsSaid() async throws {
        let (counts, notes) = try await run(csv("username,password_hash\nbefore,\(plain)\n\"a,\(plain)\nb,\(plain)\n"))
        #expect(counts.imported == 1)
        guard case .refused(let refusal)? = notes.first(where: { $0.place == .line(3) })?.outcome else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.reason.contains("nothing after it was read"))
    }

    // MARK: Rules

    @Test(arguments: [
        ("a:b", "HASH", ImportRefusal.Kind.name), ("", "HASH", .name), ("<b>", "HASH", .name), (" a", "HASH", .name),
        ("eyJhbGciOiJub25lIn0.e30.", "HASH", .name), ("\\u001b[2J", "HASH", .name), ("\\u202emiguel", "HASH", .name),
        (String(repeating: "x", count: 255), "HASH", .name), ("a", "", .noPassword), ("a", "!", .noPassword),
        ("a", "!x8Yt", .noPassword),
        ("a", "*", .noPassword), ("a", "python", .unknownHash), ("a", "5f4dcc3b5aa765d61d8327deb882cf99", .weakHash),
        ("a", "md5$salt$0123456789abcdef", .unknownHash), ("a", "{noop}python", .unknownHash),
        ("a", "*8C28B4BBC5ABC4BCE7603E36A900A8C6386A53B9", .weakHash), ("a", "*LK*", .noPassword),
        ("a", "!8C28B4BBC5ABC4BCE7603E36A900A8C6386A53B9", .noPassword),
        ("a", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", .unknownHash),
        ("a", "H ASH", .unknownHash), ("a", "\\u00a0HASH", .unknownHash), ("a", "\\n", .noPassword),
        (
            "a", "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0",
            .costlyHash
        ),
    ])
    func whoCouldNotSignInIsRefusedWithTheReason(name: String, stored: String, kind: ImportRefusal.Kind) async throws {
        let line = "{\"username\":\"\(name)\",\"password_hash\":\"\(stored.replacing("HASH", with: hash))\"}"
        let (counts, notes) = try await run(jsonLines(line))
        #expect(counts.refused == [kind: 1])
        #expect(try await names().isEmpty)
        // The hash is never shown.
        #expect(stored.count < 10 || !"\(notes)".contains(stored.replacing("HASH", with: hash)))
    }

    @Test func theLimitSaysWhatAHashMayCost() async throws {
        let line = "{\"username\":\"a\",\"password_hash\":\"\(hash)\"}"
        for limit in [HashLimit(memoryKiB: 8), HashLimit(milliseconds: 0)] {
            let (counts, notes) = try await run(jsonLines(line), limit: limit)
            #expect(counts.refused == [.costlyHash: 1])
            guard case .refused(let refusal)? = notes.first?.outcome else { continue }
            #expect(refusal.reason.contains("the limits are \(limit.memoryKiB) KiB and \(limit.milliseconds) ms"))
        }
        #expect(try await run(jsonLines(line)).counts.imported == 1)
    }

    @Test func rolesThatCouldNotBeGrantedAreRefused() async throws {
        let many = (0..<10).map { "\"\($0)\(String(repeating: "x", count: 60))\"" }.joined(separator: ",")
        for roles in ["\"a b\"", "\"\"", many] {
            let (counts, _) = try await run(
                jsonLines("{\"username\":\"a\",\"password_hash\":\"\(hash)\",\"roles\":[\(roles)]}"))
            #expect(counts.refused == [.roles: 1])
        }
    }

    @Test func ofTwoNamesThatDifferInCaseTheFirstComesInAlsoTheSecondTime() async throws {
        let text = ["Miguel", "susan", "MIGUEL", "miguel"].map {
            "{\"username\":\"\($0)\",\"password_hash\":\"\(hash)\"}\n"
        }.joined()
        for imported in [2, 0] {
            let (counts, notes) = try await run(jsonLines(text))
            #expect(counts.imported == imported)
            #expect(counts.skipped == 2 - imported)
            #expect(counts.refused == [.duplicate: 2])
            for line in [3, 4] {
                guard case .refused(let refusal)? = notes.first(where: { $0.place == .line(line) })?.outcome else {
                    Issue.record("not refused")
                    continue
                }
                #expect(refusal.reason.contains("line 1"))
            }
        }
        #expect(try await names() == ["Miguel", "susan"])
    }

    // MARK: Ids

    @Test func anIdIsKeptWhereItIsFreeAndTheOthersComeAfterAll() async throws {
        for name in ["a", "b", "c"] {
            _ = try await storage.insertUser(Username(name), passwordHash: hash, at: clock.now)
        }
        _ = try await storage.deleteUser(id: 3, at: clock.now)
        let text = (1...9).map { "{\"id\":\($0),\"username\":\"user-\($0)\",\"password_hash\":\"\(hash)\"}\n" }.joined()
        let (counts, notes) = try await run(
            jsonLines(text + "{\"id\":9,\"username\":\"twice\",\"password_hash\":\"\(hash)\"}"))
        #expect(counts.imported == 10)
        #expect(counts.renumbered == 4)
        #expect(notes.contains { $0.outcome == .imported(id: 13, former: 3) })
        #expect(notes.contains { $0.username == "twice" && $0.outcome == .imported(id: 10, former: 9) })
        let users = try await storage.users(after: 2, limit: 100)
        #expect(users.map(\.id) == [4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
        #expect(
            users.map(\.username) == [4, 5, 6, 7, 8, 9].map { "user-\($0)" } + ["twice", "user-1", "user-2", "user-3"])
    }

    /// The id of the next user who registers, which follows all reserved ids.
    private func nextID() async throws -> Int64 {
        try await storage.insertUser(Username("next"), passwordHash: hash, at: clock.now).id
    }

    @Test(arguments: [
        #"{"id":ID,"username":"b","password_hash":"HASH","created_at":"2026-13-02"}"#,
        #"{"id":ID,"username":"b","password_hash":"HASH","disabled":"ja"}"#,
        #"{"id":"ID","username":"b","password_hash":"HASH","disbled":true}"#,
        #"{"id":ID,"username":1,"password_hash":"HASH"}"#, #"{"password_hash":"HASH","id":ID}"#,
        #"{"id":ID,"encrypted_password":"HASH"}"#, #"{"id":ID,"username":"a","password_hash":"HASH"}"#,
        #"{"id":ID,"username":"b","password_hash":"HASH","legacy_id":1}"#,
        #"{"user_id":ID,"email":"b@example.com","created_at":"2026-13-02"}"#,
    ])
    func whoIsLeftOutOfJSONKeepsTheId(line: String) async throws {
        let text = """
            {"id":1,"username":"a","password_hash":"\(hash)","legacy_id":1}
            \(line.replacing("ID", with: "7").replacing("HASH", with: hash))
            """
        let (counts, _) = try await run(jsonLines(text))
        #expect(counts.imported == 1 && counts.refusals == 1 && counts.unknownIDs == 0, "\(counts)")
        #expect(try await nextID() == 8)
    }

    @Test(arguments: [
        "7,b,HASH,2026-13-02,", "7,b,HASH,,ja", "7,b,HASH", "7,b,HASH,,,", "7,\"b\"x,HASH,,", "7,a:b,HASH,,",
    ])
    func whoIsLeftOutOfAListKeepsTheId(record: String) async throws {
        let text =
            "id,username,password_hash,created_at,disabled\n1,a,\(plain),,\n\(record.replacing("HASH", with: plain))\n"
        let (counts, _) = try await run(csv(text))
        #expect(counts.imported == 1 && counts.refusals == 1 && counts.unknownIDs == 0, "\(counts)")
        #expect(try await nextID() == 8)
    }

    /// A legacy id that an existing user has.
    @Test func whoIsLeftOutForTheStorageKeepsTheId() async throws {
        func line(_ id: Int) -> String {
            "{\"id\":\(id),\"username\":\"user-\(id)\",\"password_hash\":\"\(hash)\",\"legacy_id\":1}\n"
        }
        #expect(try await run(jsonLines(line(1))).counts.imported == 1)
        #expect(try await run(jsonLines(line(7))).counts.refused == [.legacyID: 1])
        #expect(try await nextID() == 8)
    }

    @Test func whatHasNoIdThatCanBeReadIsCounted() async throws {
        let good = "{\"id\":1,\"username\":\"a\",\"password_hash\":\"\(hash)\"}\n"
        let lines = ["{", #"{"id":"x","username":"b","password_hash":"!"}"#, #"{"id":7,"username":"c"}"#]
        #expect(try await run(jsonLines(good + lines.joined(separator: "\n"))).counts.unknownIDs == 2)
        let endless = "id,username,password_hash\n2,b,\(plain)\n7,\"c,\(plain)\n8,d,\(plain)\n"
        #expect(try await run(csv(endless)).counts.unknownIDs == 1)
        // A list without ids reserves none.
        #expect(try await run(csv("username,password_hash\ne,\(plain)\n\"f,\(plain)\n")).counts.unknownIDs == 0)
    }

    @Test(arguments: [false, true]) func whoseIdIsNoPossibleOneIsRenumberedToo(isTrial: Bool) async throws {
        let ids: [Int64] = [-5, 0, 1 << 53, 3, 3]
        let text = ids.enumerated().map { "{\"id\":\($1),\"username\":\"user-\($0)\",\"password_hash\":\"\(hash)\"}\n" }
        let (counts, notes) = try await run(jsonLines(text.joined()), isTrial: isTrial)
        #expect(counts.imported == 5 && counts.renumbered == 4)
        let former = notes.compactMap { note in
            if case .imported(_, let former?) = note.outcome { former } else { nil }
        }
        #expect(former == [-5, 0, 1 << 53, 3])
    }

    @Test func aDateOfMongoDBIsReadInEitherFormAndNoOtherObjectIsOne() async throws {
        let dates = [
            #"{"$date":{"$numberLong":"1467225600000"}}"#, #"{"$date":"2016-06-29T18:40:00Z"}"#,
            #"{"$date":1467225600000}"#, #"{"foo":1}"#, "{}",
        ]
        let text = dates.enumerated().map {
            "{\"username\":\"user-\($0)\",\"password_hash\":\"\(hash)\",\"created_at\":\($1)}\n"
        }
        #expect(try await run(jsonLines(text.joined())).counts.refused == [.unreadable: 2])
        let times = try await storage.users(after: 0, limit: 10).map(\.createdAt.timeIntervalSince1970)
        #expect(times == [1_467_225_600, 1_467_225_600, 1_467_225_600])
    }

    @Test func aLegacyIdTwiceIsRefused() async throws {
        let text = ["a", "b"].map { "{\"username\":\"\($0)\",\"password_hash\":\"\(hash)\",\"legacy_id\":4}\n" }
            .joined()
        #expect(try await run(jsonLines(text)).counts.refused == [.legacyID: 1])
        #expect(
            try await run(jsonLines("{\"username\":\"c\",\"password_hash\":\"\(hash)\",\"legacy_id\":4}")).counts
                .refused == [.legacyID: 1])
        #expect(try await names() == ["a"])
    }

    @Test func aTrialWritesNothingAndSaysTheSame() async throws {
        _ = try await storage.insertUser(Username("miguel"), passwordHash: hash, at: clock.now)
        let lines = [(1, "susan"), (2, "Miguel"), (3, "david"), (4, "a:b"), (3, "erin")]
        let text = lines.map { "{\"id\":\($0),\"username\":\"\($1)\",\"password_hash\":\"\(hash)\"}\n" }.joined()
        let trial = try await run(jsonLines(text), isTrial: true)
        #expect(try await names() == ["miguel"])
        let real = try await run(jsonLines(text))
        #expect(trial.counts.refused == real.counts.refused && trial.counts.skipped == real.counts.skipped)
        #expect(trial.counts.imported == 3 && trial.counts.renumbered == 2)
        #expect(!trial.counts.isWritten && real.counts.isWritten)
        #expect(real.counts.imported == 3)
        #expect(real.counts.renumbered == 2)
        #expect(!trial.notes.contains { if case .imported(id: .some, former: _) = $0.outcome { true } else { false } })
    }

    private func numberedUsers(_ numbers: ClosedRange<Int>) -> String {
        numbers.map { "{\"id\":\($0),\"username\":\"user-\($0)\",\"password_hash\":\"\(hash)\"}\n" }.joined()
    }

    @Test func manyBatchesComeInInOrder() async throws {
        let count = 2 * UserImport.batchSize + 1
        let text = numberedUsers(1...count) + "{\"username\":\"USER-1\",\"password_hash\":\"\(hash)\"}\n"
        let (counts, notes) = try await run(jsonLines(text))
        #expect(counts.imported == count)
        #expect(counts.refused == [.duplicate: 1])
        #expect(notes.filter { $0.username != "USER-1" }.map(\.place) == (1...count).map(ImportPlace.line))
        #expect(try await storage.lastUserID() == count)
        #expect(try await run(jsonLines(text)).counts.skipped == count)
    }

    @Test func moreThanABatchGetsOtherIds() async throws {
        let count = UserImport.batchSize + 2
        #expect(try await run(jsonLines(numberedUsers(count...count))).counts.imported == 1)
        let (counts, notes) = try await run(jsonLines(numberedUsers(1...count)))
        #expect(counts.renumbered == count - 1)
        #expect(counts.skipped == 1)
        let outcomes = notes.filter { $0.outcome != .skipped }.map(\.outcome)
        #expect(outcomes == (1..<count).map { .imported(id: Int64(count + $0), former: Int64($0)) })
    }

    // MARK: Export and import

    @Test func whatIsExportedIsImportedAsItWas() async throws {
        let text = """
            {"id":7,"username":"Miguel","created_at":"2026-01-02T03:04:05.250001Z","roles":["b","a"],\
            "password_hash":"\(hash)","legacy_id":3}
            {"id":9,"username":"日本語","disabled_at":"2026-01-02T03:04:05Z","password_hash":"\(hash)"}
            """
        _ = try await run(jsonLines(text))
        let exported = try await export(storage)
        let other = try await SQLiteStorage()
        _ = try await UserImport(into: other).run(JSONLines(reading: file(exported)))
        #expect(try await export(other) == exported)
        #expect(try await other.users(after: 0, limit: 10) == storage.users(after: 0, limit: 10))
        #expect(try await other.credentials(legacyID: 3)?.user.id == 7)
    }

    @Test func anExportHasNoHashesUnasked() async throws {
        _ = try await storage.insertUser(Username("miguel"), passwordHash: hash, at: clock.now)
        let text = String(decoding: try await export(storage, includingPasswordHashes: false), as: UTF8.self)
        #expect(
            text == #"{"id":1,"username":"miguel","created_at":"2027-01-15T08:00:00Z","disabled_at":null,"roles":[]}"#
                + "\n")
    }

    /// An imported user has the first version of the password, so old tokens would be valid again.
    @Test func aLegacyIdIsNotExportedAfterAnotherPassword() async throws {
        _ = try await run(jsonLines("{\"id\":1,\"username\":\"a\",\"password_hash\":\"\(hash)\",\"legacy_id\":1}"))
        #expect(String(decoding: try await export(storage), as: UTF8.self).contains("legacy_id"))
        _ = try await storage.setPasswordHash(hash, user: 1, replacing: nil, beginning: nil, at: clock.now)
        #expect(!String(decoding: try await export(storage), as: UTF8.self).contains("legacy_id"))
    }

    private func export(_ storage: SQLiteStorage, includingPasswordHashes: Bool = true) async throws -> [UInt8] {
        var lines: [UInt8] = []
        try await UserExport(from: storage).run(includingPasswordHashes: includingPasswordHashes) { lines += $0 }
        return lines
    }

    // MARK: Times and names

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59Z", -1), ("2000-02-29 12:00:00", 951_825_600),
        ("2024-12-31T23:59:59.999999Z", 1_735_689_599.999999),
        ("2026-01-02t03:04:05z", 1_767_323_045), ("2026-01-02T03:04:05-0130", 1_767_328_445),
        ("2026-01-02 03:04:05+00", 1_767_323_045),
        ("1900-01-01T00:00:00Z", -2_208_988_800),
    ])
    func aTimeIsReadAndWritten(text: String, seconds: Double) throws {
        let date = try #require(Timestamp.date(text.utf8))
        #expect(date == Date(timeIntervalSince1970: seconds))
        #expect(Timestamp.date(Timestamp.text(date).utf8) == date)
    }

    @Test(arguments: [
        "", "2026", "2026-01-02", "2026-1-2T3:4:5Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-02T24:00:00Z", "2026-01-02T00:60:00Z", "2026-01-02T00:00:61Z", "2026-01-02T00:00:00.Z",
        "2026-01-02T00:00:00Zx",
        "2026-01-02T00:00:00+25:00", "2026-01-02T00:00:00+01:6", " 2026-01-02T00:00:00Z", "-2026-01-02T00:00:00Z",
        "２026-01-02T00:00:00Z",
        "2026-01-02_00:00:00Z",
    ])
    func whatIsNoTimeIsRefused(text: String) {
        #expect(Timestamp.date(text.utf8) == nil)
    }

    /// The fast path for plain names gives the same result as the full rules.
    @Test func aPlainNameIsItsLowerCase() throws {
        for name in ["Miguel", "a.b_c-d@E.com+X", "0", String(repeating: "Z", count: 254), "eyJ", "EYJ.A", "-"] {
            let plain = try Username(name)
            #expect(plain.text == name)
            #expect(plain.canonical == name.lowercased())
        }
        for name in ["eyJhbGciOiJub25lIn0.e30.x", "EYJ.a.b", "eYj.a.b", String(repeating: "Z", count: 255)] {
            #expect(throws: AuthError.self) { try Username(name) }
        }
    }
}

import Foundation
import Support
import Testing

/// Unchanged exports of other systems, in the encodings and dialects that spreadsheets and
/// databases write.
@Suite struct ImportSourcesTests {
    let desk: ImportDesk

    init() async throws { desk = try await ImportDesk() }

    /// Imports these bytes as a list of that kind, and expects `count` users to be imported.
    private func expectImport(
        _ bytes: some Sequence<UInt8>, as kind: String, _ more: String..., count: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let file = try desk.write(bytes, to: "users.\(UUID().uuidString)")
        let outcome = try await runCommand(
            ["users", "import", kind, file] + more + ["--database", desk.database.url],
            environment: desk.database.environment, directory: desk.directory)
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.error)", sourceLocation: sourceLocation)
        #expect(outcome.output.hasPrefix("Imported: \(count)"), "\(outcome.output)", sourceLocation: sourceLocation)
    }

    /// Expects each of them to sign in with the password `python`.
    private func expectSignIns(_ names: String...) async throws {
        let server = try await RunningServer(directory: desk.directory)
        for name in names {
            let answer = try await server.send("GET", "/api/resource", headers: [basic(name, "python")])
            #expect(answer.status == 200, "\(name): \(answer.body)")
        }
        #expect(try await server.stop() == 0)
    }

    // MARK: Comma-separated values

    @Test(arguments: [",", ";", "\t"])
    func theMarkBetweenTheColumnsIsTheHeaders(mark: String) async throws {
        let rows = [
            ["id", "username", "password_hash", "created_at"],
            ["7", "Miguel", PythonHash.bcrypt, "2020-01-02"], ["9", "\"o'brien\"", PythonHash.bcrypt, ""],
        ]
        let text = rows.map { $0.joined(separator: mark) }.joined(separator: "\r\n")
        try await expectImport(text.utf8, as: "--csv", count: 2)
        #expect(try await desk.ids() == ["Miguel": 7, "o'brien": 9])
        #expect(try await desk.times()["Miguel"] == "2020-01-02T00:00:00Z")
    }

    @Test func aListFromExcelIsReadInItsEncodings() async throws {
        func text(_ name: String) -> String { "username;password_hash\r\n\(name);\(PythonHash.bcrypt)\r\n" }
        try await expectImport([0xEF, 0xBB, 0xBF] + Array(text("miguel").utf8), as: "--csv", count: 1)
        try await expectImport([0xFF, 0xFE] + utf16(text("jürgen")), as: "--csv", count: 1)
        try await expectImport([0xFE, 0xFF] + utf16(text("日本語"), isBigEndian: true), as: "--csv", count: 1)
        try await expectImport(("sep=;\r\n" + text("susan")).utf8, as: "--csv", count: 1)
        try await expectImport(utf16(text("dörte")), as: "--csv", count: 1)
        try await expectImport(utf16(text("erin"), isBigEndian: true), as: "--csv", count: 1)
        #expect(try await desk.names() == ["miguel", "jürgen", "日本語", "susan", "dörte", "erin"])
        try await expectSignIns("miguel", "jürgen", "日本語")
    }

    @Test func aListInAnotherEncodingIsRefusedWithWhatToDo() async throws {
        let latin = Array("username,password_hash\nj".utf8) + [0xFC] + Array("rgen,\(PythonHash.bcrypt)\n".utf8)
        let outcome = try await desk.users("import", "--csv", desk.write(latin, to: "latin.csv"))
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("line 2: the record is not UTF-8"))
        #expect(outcome.error.contains("save"), "\(outcome.error)")
    }

    @Test(arguments: [
        ([0x1F, 0x8B, 8, 0, 0], "gunzip"), (Array("PK\u{3}\u{4}\u{14}".utf8), "save"),
        (Array("SQLite format 3\0".utf8), "SQLite"), (Array("username,password_hash\ra,b\r".utf8), "carriage return"),
    ])
    func whatIsNoListSaysWhatItIs(bytes: [UInt8], advice: String) async throws {
        let file = try desk.write(bytes, to: "users")
        let outcome = try await desk.users("import", "--csv", file)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains(file) && outcome.error.contains(advice), "\(outcome.error)")
        #expect(outcome.error.split(separator: "\n").count == 1)
    }

    @Test func rowsOfASpreadsheetWithNothingInThemAreNobody() async throws {
        let text = "username;password_hash;id\r\nmiguel;\(PythonHash.bcrypt);3\r\n;;\r\n;;\r\n\r\n"
        try await expectImport(text.utf8, as: "--csv", count: 1)
    }

    @Test func quotedLineEndsAndBlanksAroundHashesAreNoHindrance() async throws {
        let text = """
            username,password_hash
            miguel,"\(PythonHash.argon2)
            "
            susan,  \(PythonHash.bcrypt)\t
            """
        try await expectImport(text.utf8, as: "--csv", count: 2)
        try await expectSignIns("miguel", "susan")
    }

    @Test func timesAndTruthAreReadAsDatabasesWriteThem() async throws {
        let times = [
            "2020-01-02": "2020-01-02T00:00:00Z", "2020-01-02 03:04": "2020-01-02T03:04:00Z",
            "1577934245": "2020-01-02T03:04:05Z", "1577934245.25": "2020-01-02T03:04:05Z",
            "1577934245000": "2020-01-02T03:04:05Z", "2020-01-02 03:04:05+00": "2020-01-02T03:04:05Z",
            "2020-01-02 03:04:05 UTC": "2020-01-02T03:04:05Z",
        ]
        var text = "username,password_hash,created_at,disabled\n"
        for (number, (time, _)) in times.enumerated() {
            text += "time-\(number),\(PythonHash.bcrypt),\(time),n\n"
        }
        let unknown = ["", "0000-00-00", "0000-00-00 00:00:00", "\\N", "NULL", "0", "0001-01-01T00:00:00Z"]
        for (number, time) in unknown.enumerated() {
            text += "unknown-\(number),\(PythonHash.bcrypt),\(time),f\n"
        }
        let truths = ["Y", "t", "TRUE", "yes", "1"]
        for (number, truth) in truths.enumerated() { text += "off-\(number),\(PythonHash.bcrypt),,\(truth)\n" }
        try await expectImport(text.utf8, as: "--csv", count: times.count + unknown.count + truths.count)
        let made = try await desk.times()
        for (number, (time, expected)) in times.enumerated() { #expect(made["time-\(number)"] == expected, "\(time)") }
        for user in try await desk.listed() {
            let isOff = (user["username"] as? String ?? "").hasPrefix("off-")
            #expect(user["disabled_at"] is String == isOff, "\(user)")
        }
    }

    @Test(arguments: ["tomorrow", "2020-13-01", "20200102", "02.01.2020", "-1", "1e9", "99999999999999999"])
    func whatIsNoTimeIsRefused(time: String) async throws {
        let text = "username,password_hash,created_at\nmiguel,\(PythonHash.bcrypt),\(time)\n"
        let outcome = try await desk.users("import", "--csv", "-", input: text)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("created_at is no time"), "\(outcome.error)")
        #expect(try await desk.names().isEmpty)
    }

    @Test func theColumnThatIsNotUnderstoodIsNamed() async throws {
        let text = "username,password_hash,disabledat\nmiguel,\(PythonHash.bcrypt),\n"
        let outcome = try await desk.users("import", "--csv", "-", input: text)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("\"disabledat\""), "\(outcome.error)")
        #expect(outcome.error.split(separator: "\n").count == 1)
    }

    /// Otherwise a column that disables users, or has their ids, would be ignored.
    @Test(arguments: [
        "username,password_hash,enabled\nmiguel,HASH,0", "user_id,username,password_hash\n7,miguel,HASH",
        "user_id,email,username,Password_Hash,disabledat\n7,a@example.com,miguel,HASH,x",
    ])
    func aListWithOurOwnHashesIsNoOtherSystems(text: String) async throws {
        let hashed = text.replacing("HASH", with: PythonHash.bcrypt)
        let outcome = try await desk.users("import", "--csv", "-", "--without-password", input: hashed)
        #expect(outcome.status == 1)
        let lines = hashed.split(separator: "\n").map { $0.split(separator: ",") }
        let members = zip(lines[0], lines[1]).map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",")
        let again = try await desk.users("import", "--json", "-", "--without-password", input: "{\(members)}")
        #expect(again.status == 1)
        for error in [outcome.error, again.error] {
            #expect(error.contains("\"enabled\"") || error.contains("\"user_id\""), "\(error)")
        }
        #expect(try await !desk.isAnyoneThere())
    }

    @Test func aNumberIsKeptWhateverTheColumnIsCalled() async throws {
        try await expectImport(
            "user_id,email\n7,miguel@example.com\n".utf8, as: "--csv", "--without-password", count: 1)
        try await expectImport(
            "id,email,encrypted_password\n9,susan@example.com,\(PythonHash.bcrypt)\n".utf8, as: "--csv", count: 1)
        #expect(try await desk.ids() == ["miguel@example.com": 7, "susan@example.com": 9])
    }

    /// A name can contain characters that a terminal interprets.
    @Test func whatIsNotUnderstoodIsShownSafely() async throws {
        let name = "\u{9B}2J\u{202E}" + String(repeating: "x", count: 5000)
        let outcome = try await desk.users("import", "--json", "-", input: "{\"\(name)\":1}")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("\\u{9b}2J\\u{202e}xxx"), "\(outcome.error)")
        #expect(outcome.error.utf8.count < 2000)
        #expect(!outcome.error.unicodeScalars.contains("\u{202E}"))
    }

    // MARK: JSON

    @Test func aListOfObjectsIsReadAsLinesAre() async throws {
        func user(_ name: String) -> String { #"{"username":"\#(name)","password_hash":"\#(PythonHash.bcrypt)"}"# }
        try await expectImport("[\(user("a")),\(user("b"))]".utf8, as: "--jsonl", count: 2)
        try await expectImport("\u{FEFF}[\n  \(user("c")),\n  \(user("d"))\n]\n".utf8, as: "--jsonl", count: 2)
        try await expectImport("\u{FEFF}\(user("e"))\n\(user("f"))".utf8, as: "--jsonl", count: 2)
        try await expectImport(
            "{\n \"username\":\n \"g\",\n \"password_hash\": \"\(PythonHash.bcrypt)\"\n}\n\(user("h"))".utf8,
            as: "--jsonl", count: 2)
        for nobody in ["[ ]", "", "\n"] {
            let outcome = try await desk.users("import", "--json", "-", input: nobody)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("there is nobody"), "\(outcome.error)")
        }
        #expect(try await desk.names() == ["a", "b", "c", "d", "e", "f", "g", "h"])
    }

    @Test(arguments: [
        "[{\"username\":\"a\",\"password_hash\":\"HASH\"}", "[{\"username\":\"a\",\"password_hash\":\"HASH\"}}",
        "[{\"username\":\"a\",\"password_hash\":\"HASH\"} {\"username\":\"b\",\"password_hash\":\"HASH\"}]",
        "[{\"username\":\"a\",\"password_hash\":\"HASH\"},]", "[{\"username\":\"a\",\"password_hash\":\"HASH\"}]]",
        "[", "{\"users\":{\"username\":\"a\",\"password_hash\":\"HASH\"}}", "[{\"username\":\"a]",
    ])
    func aDamagedDocumentBringsNobodyIn(text: String) async throws {
        let outcome = try await desk.users(
            "import", "--jsonl", "-", input: text.replacing("HASH", with: PythonHash.bcrypt))
        #expect(outcome.status == 1)
        #expect(!outcome.error.isEmpty)
        #expect(try await !desk.isAnyoneThere())
    }

    // MARK: Other systems

    @Test func auth0sExportComesIn() async throws {
        // A job's export (one a line), and the list with hashes that Auth0's support sends.
        let job = """
            {"Id":"auth0|5f7c8ec7c33c6c004bbafe82","user_id":"auth0|5f7c8ec7c33c6c004bbafe82",\
            "email":"miguel@example.com","email_verified":true,"name":"Miguel","blocked":true,\
            "created_at":"2020-10-06T15:36:07.000Z","updated_at":"2020-10-06T15:36:07.000Z"}
            """
        let hashes = """
            {"_id":{"$oid":"60425dc43519d90068f82973"},"email_verified":false,"email":"susan@example.com",\
            "passwordHash":"\(PythonHash.bcrypt)","password_set_date":{"$date":"2021-03-05T16:34:12.780Z"},\
            "tenant":"dev","connection":"Username-Password-Authentication","_tmp_is_unique":true}
            """
        try await expectImport(job.utf8, as: "--jsonl", "--without-password", count: 1)
        try await expectImport(hashes.utf8, as: "--jsonl", count: 1)
        let users = try await desk.listed()
        #expect(users.compactMap { $0["username"] as? String } == ["miguel@example.com", "susan@example.com"])
        #expect(users.first?["created_at"] as? String == "2020-10-06T15:36:07Z")
        #expect(users.first?["disabled_at"] is String)
        try await expectSignIns("susan@example.com")
    }

    @Test func supabasesUsersComeInFromEitherForm() async throws {
        let json = """
            [{"instance_id":"00000000-0000-0000-0000-000000000000","id":"3d2b8f4e-0000-4000-8000-000000000001",\
            "aud":"authenticated","role":"authenticated","email":"miguel@example.com",\
            "encrypted_password":"\(PythonHash.bcrypt)","created_at":"2023-01-02 03:04:05.123456+00",\
            "banned_until":null,"deleted_at":null,"raw_app_meta_data":{"provider":"email"}}]
            """
        try await expectImport(json.utf8, as: "--jsonl", count: 1)
        let csv = """
            instance_id,id,aud,role,email,encrypted_password,email_confirmed_at,created_at,banned_until,is_sso_user
            0,3d2b8f4e-0000-4000-8000-000000000002,authenticated,authenticated,susan@example.com,\
            \(PythonHash.bcrypt),,2023-01-02 03:04:05.123456+00,9999-12-31 00:00:00+00,f
            """
        try await expectImport(csv.utf8, as: "--csv", count: 1)
        #expect(try await desk.listed().map { $0["disabled_at"] is String } == [false, true])
        try await expectSignIns("miguel@example.com")
    }

    @Test func whatGoTruesAPIAnswersComesInWithoutPasswords() async throws {
        let text = """
            {"users":[{"id":"3d2b8f4e-0000-4000-8000-000000000001","aud":"authenticated","role":"authenticated",\
            "email":"miguel@example.com","phone":"","app_metadata":{"provider":"email"},"user_metadata":{},\
            "created_at":"2023-01-02T03:04:05.123456Z"}],"aud":"authenticated"}
            """
        try await expectImport(text.utf8, as: "--json", "--without-password", count: 1)
        #expect(try await desk.names() == ["miguel@example.com"])
    }

    private let firebaseConfig = """
        hash_config {
          algorithm: SCRYPT,
          base64_signer_key: jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,
          base64_salt_separator: Bw==,
          rounds: 8,
          mem_cost: 4,
        }
        """

    private let firebaseUsers = """
        {"users": [
          {"localId": "a1", "email": "miguel@example.com", "emailVerified": true,
           "passwordHash": "VlRHJEPOQN9XfNfLtZhsdkQNUUa_sgOFwsgYRIyEcQzTVonvn3UHrA90uyoFCywfmvJo_lL_RcpUgl4NVgHs8g==",
           "salt": "obLlsDFIcBer_A==", "lastSignedInAt": "1577934245000", "createdAt": "1577934245000",
           "disabled": false, "providerUserInfo": []}
        ]}
        """

    @Test func firebasesUsersComeInWithTheProjectsParameters() async throws {
        let parameters = try desk.write(firebaseConfig.utf8, to: "hash-config")
        try await expectImport(
            firebaseUsers.utf8, as: "--jsonl", "--firebase-hash-config", parameters, count: 1)
        #expect(try await desk.times() == ["miguel@example.com": "2020-01-02T03:04:05Z"])
        try await expectSignIns("miguel@example.com")
    }

    @Test func firebasesUsersWithoutParametersAreRefusedWithWhatIsMissing() async throws {
        let outcome = try await desk.users("import", "--jsonl", "-", input: firebaseUsers)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("--firebase-hash-config"), "\(outcome.error)")
        for damaged in ["", "hash_config {}", firebaseConfig.replacing("mem_cost: 4", with: "mem_cost: x")] {
            let parameters = try desk.write(damaged.utf8, to: "hash-config")
            let outcome = try await desk.users(
                "import", "--jsonl", "-", "--firebase-hash-config", parameters, input: firebaseUsers)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains(parameters), "\(outcome.error)")
            #expect(!outcome.error.contains("jxspr8Ki0RYycVU8"))
        }
    }

    @Test func keycloaksRealmComesIn() async throws {
        let text = #"""
            {
              "id": "master", "realm": "site", "enabled": true,
              "roles": {"realm": [{"name": "users", "composite": false}]},
              "users": [
                {"id": "9a4c0b9e-0000-4000-8000-000000000001", "createdTimestamp": 1577934245000,
                 "username": "miguel", "enabled": true, "email": "miguel@example.com",
                 "credentials": [{"id": "c", "type": "password", "createdDate": 1577934245000,
                   "secretData": "{\"value\":\#
            \"RNrcNr35JCu0ncfpMSeNWKrmvhp71l8h1kALDUfhw3kqJkTzAEAHK61MYgLqqkBnujOkuVwhnBy0QR1KejWYQA==\",\#
            \"salt\":\"c2FsdHNhbHRzYWx0c2FsdA==\",\"additionalParameters\":{}}",
                   "credentialData": "{\"hashIterations\":1000,\"algorithm\":\"pbkdf2-sha512\",\#
            \"additionalParameters\":{}}"}],
                 "realmRoles": ["default-roles-site"]},
                {"id": "9a4c0b9e-0000-4000-8000-000000000002", "createdTimestamp": 1577934245000,
                 "username": "susan", "enabled": false,
                 "credentials": [{"type": "password",
                   "secretData": "{\"value\":\"bubJPFW3Y1keJKCsMoMp3rKKVaFEDw6G8l2bIbWEIjk=\",\#
            \"salt\":\"ZjrrBfxvbB7B7QmHeAgHpA==\"}",
                   "credentialData": "{\"hashIterations\":2,\"algorithm\":\"argon2\",\#
            \"additionalParameters\":{\"hashLength\":[\"32\"],\"memory\":[\"64\"],\#
            \"type\":[\"id\"],\"version\":[\"1.3\"],\"parallelism\":[\"1\"]}}"}]},
                {"id": "9a4c0b9e-0000-4000-8000-000000000003", "username": "service-account-site", "enabled": true,
                 "serviceAccountClientId": "site", "credentials": []},
                {"id": "9a4c0b9e-0000-4000-8000-000000000004", "username": "david", "enabled": true, "totp": false}
              ]
            }
            """#
        let refused = try await desk.users("import", "--jsonl", "-", input: text)
        #expect(refused.status == 1)
        #expect(refused.output.contains("no usable password 2"), "\(refused.output)")
        try await expectImport(text.utf8, as: "--jsonl", "--without-password", count: 4)
        #expect(try await desk.times()["miguel"] == "2020-01-02T03:04:05Z")
        #expect(try await desk.users("enable", "susan").status == 0)
        try await expectSignIns("miguel", "susan")
    }

    @Test func cognitosUsersComeInWithoutPasswords() async throws {
        let text = """
            {"Users": [{"Username": "3f0a7c1e-0000-4000-8000-000000000001",
              "Attributes": [{"Name": "sub", "Value": "3f0a7c1e-0000-4000-8000-000000000001"},
                {"Name": "email_verified", "Value": "true"}, {"Name": "email", "Value": "miguel@example.com"}],
              "UserCreateDate": 1577934245.123, "UserLastModifiedDate": "2020-01-02T03:04:05.123000+00:00",
              "Enabled": false, "UserStatus": "CONFIRMED"},
             {"Username": "susan", "Attributes": [{"Name": "email", "Value": "susan@example.com"}],
              "UserCreateDate": "2020-01-02T03:04:05.123000+00:00", "Enabled": true, "UserStatus": "CONFIRMED"}]}
            """
        try await expectImport(text.utf8, as: "--jsonl", "--without-password", count: 2)
        let users = try await desk.listed()
        // A name that is the number which Cognito gave is not one that a user types.
        #expect(users.compactMap { $0["username"] as? String } == ["miguel@example.com", "susan"])
        #expect(users.map { $0["disabled_at"] is String } == [true, false])
        #expect(users.map { $0["created_at"] as? String } == Array(repeating: "2020-01-02T03:04:05Z", count: 2))
    }

    // MARK: Flask's PostgreSQL

    @Test(arguments: ["users", "user"])
    func aFlaskServersUsersComeFromPostgreSQL(table: String) async throws {
        let url = try await desk.directory.makePostgresDatabase()
        try await PostgresServer.shared().execute(
            """
            CREATE TABLE "\(table)" (id serial PRIMARY KEY, username varchar(32), password_hash char(80));
            INSERT INTO "\(table)" VALUES (3, 'Miguel', '\(PythonHash.bcrypt)'), (9, 'susan', '\(PythonHash.bcrypt)')
            """, at: url)
        let outcome = try await desk.users(
            "import", "--from-flask", url.replacing("postgres://", with: "postgresql+psycopg2://"))
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.error)")
        #expect(try await desk.ids() == ["Miguel": 3, "susan": 9])
        #expect(try await desk.users("export").output.contains("\"legacy_id\":3"))
        try await expectSignIns("Miguel", "susan")
    }

    @Test func aTimeThatNoClockCanShowIsRefused() async throws {
        let url = try await desk.directory.makePostgresDatabase()
        try await PostgresServer.shared().execute(
            """
            CREATE TABLE auth_user (
                id serial PRIMARY KEY, username text, password text, is_active boolean, date_joined timestamptz);
            INSERT INTO auth_user VALUES (1, 'miguel', '\(PythonHash.bcrypt)', true, 'infinity'),
                (2, 'susan', '\(PythonHash.bcrypt)', true, '0044-03-15 BC'), (3, 'david', '\(PythonHash.bcrypt)', \
            true, now())
            """, at: url)
        let outcome = try await desk.users("import", "--from-django", url, "--skip-refused")
        #expect(outcome.output.contains("Imported: 1; there already: 0; refused: 2"), "\(outcome.error)")
        #expect(outcome.error.contains("between the years 1 and 9999"), "\(outcome.error)")
        let exported = try await desk.users("export")
        #expect(exported.status == 0 && exported.output.contains("david"))
    }

    @Test func whatIsNoTableOfAFlaskServerIsRefusedInOneLine() async throws {
        let url = try await desk.directory.makePostgresDatabase()
        let none = try await desk.users("import", "--from-flask", url)
        #expect(none.status == 1)
        #expect(none.error.contains("has no table users or user with the columns id, username, password_hash"))
        try await PostgresServer.shared().execute(
            "CREATE TABLE users (id uuid PRIMARY KEY, username text, password_hash text)", at: url)
        let other = try await desk.users("import", "--from-flask", url)
        #expect(other.status == 1)
        #expect(other.error.contains("whole number"), "\(other.error)")
        let mysql = try await desk.users("import", "--from-flask", "mysql+pymysql://miguel:secret@localhost/app")
        #expect(mysql.status == 1)
        #expect(mysql.error.contains("--csv") && !mysql.error.contains("secret"), "\(mysql.error)")
    }

    @Test func aFlaskURLOfSQLiteMeansWhatSQLAlchemyMeans() async throws {
        let url = try await desk.users("import", "--from-flask", "sqlite:///data.sqlite")
        #expect(url.error.contains("there is no file data.sqlite"), "\(url.error)")
    }
}

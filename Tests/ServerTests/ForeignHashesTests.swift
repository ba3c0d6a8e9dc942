import Foundation
import GRDB
import Support
import Testing

/// Hashes of other systems, imported by the command from a list or a database, up to a sign-in.
@Suite struct ForeignHashesTests {
    let directory: TemporaryDirectory
    let database: TestDatabase

    private struct Vector: Decodable {
        let password: String
        let hash: String
        let strength: String
        let construction: String?
        let pepper: String?
    }

    init() async throws {
        directory = try TemporaryDirectory()
        database = try await directory.database()
    }

    private func vectors() throws -> [Vector] {
        let file = ExternalProcess.repository.appending(path: "Tests/Vectors/foreign-hashes.json")
        return try JSONDecoder().decode([Vector].self, from: Data(contentsOf: file)).filter { $0.password == "python" }
    }

    private func users(
        _ arguments: String..., input: String? = nil, environment: [String: String] = [:]
    ) async throws -> CommandOutcome {
        try await runCommand(
            ["users"] + arguments + ["--database", database.url],
            environment: database.environment.merging(environment) { $1 }, directory: directory, input: input)
    }

    /// Starts a server on this database, without limits on concurrent sign-ins.
    private func server(environment: [String: String] = [:]) async throws -> RunningServer {
        try await RunningServer(
            ["--throttle", "no", "--hashing-patience", "600"], environment: environment, directory: directory)
    }

    private func list(_ hashes: [String]) throws -> String {
        try hashes.enumerated().map { number, hash in
            let line = ["username": "user-\(number)", "password_hash": hash]
            return String(decoding: try JSONSerialization.data(withJSONObject: line), as: UTF8.self) + "\n"
        }.joined()
    }

    private func status(_ name: String, _ password: String, at server: RunningServer) async throws -> Int {
        try await server.send("GET", "/api/resource", headers: [basic(name, password)]).status
    }

    @Test func whatIsTooFastComesInOnRequestOnlyAndNeverAsItIs() async throws {
        let weak = try vectors().filter { $0.strength == "weak" && $0.pepper == nil }.map(\.hash)
        let input = try list(weak)
        let refused = try await users("import", "--jsonl", "-", input: input)
        #expect(refused.status == 1)
        #expect(refused.output.contains("Nothing was written") && refused.output.contains("too weak \(weak.count)"))
        #expect(refused.error.contains("sha256$ of Werkzeug before 3"), "\(refused.error)")
        #expect(refused.error.contains("--accept-weak-hashes takes it, inside an Argon2id hash"))

        let trial = try await users("import", "--jsonl", "-", "--accept-weak-hashes", "--dry-run", input: input)
        #expect(trial.output.hasPrefix("Nothing was written. Would be imported: \(weak.count);"), "\(trial.error)")
        let taken = try await users("import", "--jsonl", "-", "--accept-weak-hashes", input: input)
        #expect(taken.output == "Imported: \(weak.count); there already: 0; refused: 0.\n", "\(taken.error)")
        let exported = try await users("export", "--include-password-hashes").output
        #expect(exported.split(separator: "\n").count == weak.count)
        for line in exported.split(separator: "\n") {
            #expect(line.contains(#""password_hash":"$wrapped$v=19$m=19456"#))
        }
        for hash in weak { #expect(!exported.contains(hash.suffix(12).lowercased())) }
        // A repeated import hashes nothing, and an export can be imported elsewhere.
        #expect(
            try await users("import", "--jsonl", "-", "--accept-weak-hashes", input: input).output.contains(
                "already: \(weak.count)"))

        let server = try await server()
        for (number, hash) in weak.enumerated() where number.isMultiple(of: 5) {
            #expect(try await status("user-\(number)", "Python", at: server) == 401)
            #expect(try await status("user-\(number)", "python", at: server) == 200, "\(hash)")
            #expect(try await status("user-\(number)", hash, at: server) == 401)
        }
        #expect(try await server.stop() == 0)
        let upgraded = try await users("export", "--include-password-hashes").output
        #expect(upgraded.contains(#""username":"user-0","#) && upgraded.contains(#""password_hash":"$argon2id$v=19"#))
    }

    @Test func whatIsSlowEnoughComesInUnasked() async throws {
        let hashes = try vectors().filter { $0.strength != "weak" && $0.pepper == nil }.map(\.hash)
        let outcome = try await users("import", "--jsonl", "-", input: list(hashes))
        #expect(outcome.output == "Imported: \(hashes.count); there already: 0; refused: 0.\n", "\(outcome.error)")
        let server = try await server()
        for (number, hash) in hashes.enumerated() where number.isMultiple(of: 4) {
            #expect(try await status("user-\(number)", "python", at: server) == 200, "\(hash)")
            #expect(try await status("user-\(number)", "pythoN", at: server) == 401, "\(hash)")
        }
        #expect(try await server.stop() == 0)
    }

    @Test func whatIsNotUnderstoodIsNamedWithWhoHasIt() async throws {
        let outcome = try await users(
            "import", "--jsonl", "-", "--accept-weak-hashes",
            input: list([
                "{noop}python", "$2x$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", "{CRYPT}rl.3StKT.4T8M",
                "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIM", "{SASL}miguel", "$foo$bar$bazbazbaz", "secret-of-miguel",
            ]))
        #expect(outcome.status == 1)
        #expect(outcome.output.contains("Nothing was written") && outcome.output.contains("unknown kind of hash 7"))
        for reason in [
            "the password itself stands there, not a hash", "bcrypt as $2x$: PHP and crypt_blowfish marked with it",
            "DES of crypt(3), of which only eight characters", "bcrypt, which has 60 characters, but is cut off",
            "another system checks the password", "of the kind $foo$, which is not understood",
        ] { #expect(outcome.error.contains(reason), "\(outcome.error)") }
        let passwords = ["Summer$2024$secretlong", "{hunter2}rest", "hunter2$$my password is long", "$Pa$sword"]
        let refused = try await users("import", "--jsonl", "-", input: list(passwords))
        for piece in ["Summer", "hunter2", "2024", "Pa$"] {
            #expect(!refused.error.contains(piece) && !refused.output.contains(piece), "\(refused.error)")
        }
        #expect(!outcome.error.contains("secret-of-miguel") && !outcome.error.contains("bazbaz"))
    }

    /// Flask-Bcrypt returns bytes, and SQLite stores them as bytes.
    @Test func bytesInAFlaskServersColumnAreTheHash() async throws {
        let path = "\(directory.path)/process-data.sqlite"
        let bcrypt = "$2b$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"
        let queue = try DatabaseQueue(path: path)
        try await queue.write { database in
            try database.execute(
                sql: "CREATE TABLE users (id INTEGER PRIMARY KEY, username VARCHAR(32), password_hash VARCHAR(128))")
            try database.execute(
                sql: "INSERT INTO users VALUES (1, 'miguel', ?), (2, 'susan', x'00ff'), (3, 'david', 7)",
                arguments: [Data(bcrypt.utf8)])
        }
        try queue.close()
        let outcome = try await users("import", "--from-flask", path, "--skip-refused")
        #expect(outcome.output.contains("Imported: 1; there already: 0; refused: 2"), "\(outcome.error)")
        #expect(try await users("export", "--include-password-hashes").output.contains(bcrypt))
    }

    // MARK: Pepper

    @Test func aPepperIsGivenToTheImportAndToTheServerUntilAllHaveSignedIn() async throws {
        let peppered = try vectors().filter { $0.construction == "hmac-sha512" }
        let pepper = try #require(peppered.first?.pepper)
        let file = "\(directory.path)/process-pepper"
        try Data("\(pepper)\r\n".utf8).write(to: URL(fileURLWithPath: file))
        let input = try list(peppered.map(\.hash))
        let outcome = try await users(
            "import", "--jsonl", "-", "--pepper", "hmac-sha512", "--pepper-file", file, input: input)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.error.contains("set REST_AUTH_PASSWORD_PEPPER"))
        let exported = try await users("export", "--include-password-hashes").output
        #expect(exported.contains(#""password_hash":"$pepper$hmac-sha512$"#) && !exported.contains(pepper))
        #expect(!outcome.error.contains(pepper) && !outcome.output.contains(pepper))

        let without = try await server()
        #expect(try await status("user-0", "python", at: without) == 401)
        #expect(without.log.contains("2 of 2 users who were looked at came with a pepper (hmac-sha512"))
        #expect(try await without.stop() == 0)
        let with = try await server(environment: ["REST_AUTH_PASSWORD_PEPPER": pepper])
        #expect(!with.log.contains("came with a pepper") && !with.log.contains(pepper))
        for name in ["user-0", "user-1"] {
            #expect(try await status(name, "pythoN", at: with) == 401)
            #expect(try await status(name, "python", at: with) == 200)
        }
        #expect(try await with.stop() == 0)
        let after = try await server()
        #expect(!after.log.contains("came with a pepper"))
        #expect(try await status("user-0", "python", at: after) == 200)
        #expect(try await after.stop() == 0)
        #expect(try await !users("export", "--include-password-hashes").output.contains("$pepper$"))
    }

    /// The import and the server read the same pepper from a file, or both refuse it.
    @Test func aPepperFileIsReadAsTheSettingReadsIt() async throws {
        let file = "\(directory.path)/process-pepper"
        let input = try list(["$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"])
        func outcome(_ bytes: [UInt8], mode: Int = 0o600) async throws -> CommandOutcome {
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
            return try await users(
                "import", "--jsonl", "-", "--pepper", "suffix", "--pepper-file", file, input: input)
        }
        let texts = ["pepper", "pepper\n", "pepper\r\n\n", "\u{FEFF}pepper", "\"pepper\"\n", " pepper\t"]
        for text in texts {
            let outcome = try await outcome(Array(text.utf8))
            #expect(outcome.status == 0 && !outcome.error.contains("others"), "\(outcome.error)")
            // A different pepper in the file is refused beside the setting.
            let both = try await users(
                "import", "--jsonl", "-", "--pepper", "suffix", "--pepper-file", file, input: input,
                environment: ["REST_AUTH_PASSWORD_PEPPER": "pepper"])
            #expect(both.status == 0, "\(text.debugDescription): \(both.error)")
        }
        for (bytes, reason) in [
            (utf16("pepper"), "U+0000"), ([0xFF, 0xFE] + utf16("pepper"), "is not UTF-8"),
            ([0x80, 0x00, 0xFF], "is not UTF-8"), ([0x70, 0x00, 0x70], "U+0000"), (Array("\"\"".utf8), "is empty"),
        ] {
            let outcome = try await outcome(bytes)
            #expect(outcome.status != 0 && outcome.error.contains(reason), "\(outcome.error)")
        }
        let exposed = try await outcome(Array("pepper".utf8), mode: 0o644)
        #expect(exposed.status == 0 && exposed.error.contains("can be read by others"), "\(exposed.error)")
        let directory = try await users(
            "import", "--jsonl", "-", "--pepper", "suffix", "--pepper-file", directory.path, input: input)
        #expect(directory.error.contains("is a directory") && !directory.error.contains("NS"), "\(directory.error)")
    }

    @Test func usersOfAnotherPepperAreNotMixedIn() async throws {
        let input = try list(["$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"])
        let more = input.replacing("user-0", with: "other")
        func outcome(_ pepper: String, _ input: String) async throws -> CommandOutcome {
            try await users(
                "import", "--jsonl", "-", "--pepper", "suffix", input: input,
                environment: ["REST_AUTH_PASSWORD_PEPPER": pepper])
        }
        #expect(try await outcome("pepper", input).status == 0)
        let refused = try await outcome("paprika", more)
        #expect(refused.status != 0)
        #expect(refused.error.contains("1 of 1 users who were looked at came with another pepper (suffix, id "))
        #expect(try await outcome("pepper", more).status == 0)
    }

    @Test func aPepperThatIsNotSaidWhollyIsRefusedAndNobodyComesIn() async throws {
        let (file, empty) = ("\(directory.path)/process-pepper", "\(directory.path)/process-empty")
        try Data("pepper".utf8).write(to: URL(fileURLWithPath: file))
        try Data("\n".utf8).write(to: URL(fileURLWithPath: empty))
        let input = try list(["$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"])
        for (arguments, environment, reason) in [
            (["--pepper-file", file], [:], "--pepper-file goes with --pepper"),
            (["--pepper", "hmac"], [:], "--pepper is one of hmac-sha512"),
            (
                ["--pepper", "suffix"], [:],
                "--pepper suffix needs the pepper: --pepper-file FILE, or REST_AUTH_PASSWORD_PEPPER"
            ),
            (["--pepper", "suffix", "--pepper-file", empty], [:], "is empty"),
            (["--pepper", "suffix", "--pepper-file", "missing"], [:], "missing is empty or cannot be read"),
            (
                ["--pepper", "suffix", "--pepper-file", file], ["REST_AUTH_PASSWORD_PEPPER": "another"],
                "--pepper-file has another pepper than password_pepper"
            ),
        ] as [([String], [String: String], String)] {
            let outcome = try await runCommand(
                ["users", "import", "--jsonl", "-"] + arguments + ["--database", database.url],
                environment: database.environment.merging(environment) { $1 }, directory: directory, input: input)
            #expect(outcome.status != 0)
            #expect(outcome.error.contains(reason), "\(outcome.error)")
        }
        let outcome = try await users(
            "import", "--jsonl", "-", "--pepper", "suffix", input: input,
            environment: ["REST_AUTH_PASSWORD_PEPPER": "pepper"])
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(try await users("export", "--include-password-hashes").output.contains("$pepper$suffix$"))
    }
}

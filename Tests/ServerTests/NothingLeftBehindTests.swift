import Foundation
import Support
import Testing

/// Commands that fail leave the directory as it was.
@Suite struct NothingLeftBehindTests {
    private static let secret = "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"

    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    // MARK: Without a database

    private static let failures: [([String], String)] = [
        (["users", "add", "miguel"], ""), (["users", "add", "miguel", "--password-stdin"], ""),
        (["users", "add", "miguel", "--password-stdin"], "\n"),
        (["users", "add", "a  b", "--password-stdin"], "python\n"),
        (["users", "add", "miguel", "--password-stdin", "--password-policy", "nist"], "python\n"),
        (["clients", "add", "no such id!"], ""),
        (["invitations", "create", "--note", String(repeating: "n", count: 999)], ""),
        (["users", "list"], ""), (["users", "show", "miguel"], ""), (["users", "set-password", "miguel"], ""),
        (["users", "export"], ""), (["keys", "list"], ""), (["secret", "rotate"], ""), (["secret", "status"], ""),
        (["throttle", "list"], ""), (["sessions", "list", "miguel"], ""), (["backup", "copy.sqlite"], ""),
        (["restore", "copy.sqlite"], ""),
        (["users", "import", "--csv", "-", "--report", "report.jsonl"], "nonsense\n"),
        (["users", "import", "--csv", "no.csv", "--report", "report.jsonl"], ""),
        (["users", "import", "--csv", "-", "--report", "nowhere/report.jsonl"], "username,password_hash\n"),
        (["users", "import", "--csv", "-"], "username,password_hash\nmiguel,nonsense\n"),
        (["users", "import", "--jsonl", "-"], "{"), (["users", "import", "--from-flask", "no.sqlite"], ""),
        (["migrate", "--from", "sqlite:no.sqlite", "--to", "sqlite:rest-auth.sqlite"], ""),
        (["serve", "--port", "0", "--secret-key-file", "nowhere/secret"], ""),
        (["serve", "--port", "0", "--tls-certificate", "no.pem", "--tls-key", "no.pem"], ""),
        (["serve", "--port", "0", "--password-policy", "nist", "--breached-passwords", "no.filter"], ""),
        (["serve", "--port", "0", "--database", "sqlite:nowhere/x.sqlite", "--secret-key-file", "x.secret"], ""),
        (["users", "add", "miguel", "--database", "sqlite:nowhere/x.sqlite", "--secret-key-file", "x.secret"], ""),
        (["passwords", "filter", "no.txt", "--output", "filter"], ""), (["schema", "apply"], ""),
        (["config", "check"], ""), (["config", "check", "--config", "no.yaml"], ""),
    ]

    @Test(arguments: failures) func aFailureMakesNothing(arguments: [String], input: String) async throws {
        let outcome = try await runCommand(arguments, directory: directory, input: input)
        if arguments.first != "config" { #expect(outcome.status != 0) }
        #expect(directory.contents.isEmpty, "\(arguments): \(directory.contents)")
    }

    @Test func aPortInUseMakesNothing() async throws {
        let port = try FreePort.next()
        let holder = try ExternalProcess(
            ExternalProcess.testPython(), ["-m", "http.server", "--bind", "127.0.0.1", "\(port)"], directory: directory)
        try await holder.answers(on: port, path: "/")
        let outcome = try await runCommand(["serve", "--port", "\(port)"], directory: directory)
        #expect(outcome.status == 1)
        #expect(directory.contents.isEmpty)
    }

    /// The database can be made, but not its secret.
    @Test func aSecretThatCannotBeMadeLeavesNoDatabase() async throws {
        mkdir("\(directory.path)/closed", 0o700)
        // The command must not replace the dangling link.
        symlink("nowhere", "\(directory.path)/closed/x.secret")
        for command in [["serve", "--port", "0"], ["clients", "add", "gateway"]] {
            let outcome = try await runCommand(
                command + ["--secret-key-file", "closed/x.secret"], directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("closed/x.secret"), "\(outcome.error)")
            #expect(directory.contents == ["closed"])
        }
    }

    /// Room for only a part of what a first start makes.
    @Test(arguments: [0, 8, 64, 128, 160, 192, 224, 256]) func aDiskThatIsFullHalfWayIsLeftAsItWas(room: Int)
        async throws
    {
        let process = try ExternalProcess(
            ExternalProcess.program("unshare"),
            ["--mount"] + (geteuid() == 0 ? [] : ["--map-root-user"]) + [
                "/bin/sh", "-c",
                """
                mkdir full; mount -t tmpfs -o size=512k tmpfs full || exit 9
                head -c $(( (512 - $1) * 1024 )) /dev/zero > full/ballast
                cd full; "$0" clients add gateway > /dev/null; status=$?
                ls; exit $status
                """, ExternalProcess.restAuth.path, "\(room)",
            ], directory: directory)
        let status = try await process.exitStatus()
        #expect(status != 9)
        if status != 0 { #expect(process.outputText == "ballast\n", "\(process.errorText)") }
    }

    // MARK: With a database

    private func databaseWithoutSecret() async throws -> String {
        let server = try await RunningServer(
            directory: TemporaryDirectory(database: "sqlite:\(directory.path)/rest-auth.sqlite"))
        try await server.register("miguel", "python")
        #expect(try await server.stop() == 0)
        try FileManager.default.removeItem(atPath: "\(directory.path)/rest-auth.secret")
        for suffix in ["-wal", "-shm"] { unlink("\(directory.path)/rest-auth.sqlite\(suffix)") }
        return "sqlite:\(directory.path)/rest-auth.sqlite"
    }

    @Test func aBackupWithoutItsSecretGetsNoOther() async throws {
        let url = try await databaseWithoutSecret()
        let before = directory.contents
        for command in [
            ["serve", "--port", "0"], ["users", "list"], ["users", "add", "susan", "--password-stdin"],
            ["secret", "rotate"], ["config", "check"], ["serve", "--port", "0", "--secret-key-file", "given.secret"],
            ["clients", "add", "gateway"],
        ] {
            let outcome = try await runCommand(
                command + ["--database", url], directory: directory, input: "python\n")
            #expect(outcome.status == 1, "\(command)")
            let secret = command.contains("given.secret") ? "given.secret" : "rest-auth.secret"
            #expect(outcome.error.contains("no secret in "), "\(outcome.error)")
            #expect(outcome.error.contains(secret), "\(outcome.error)")
            #expect(directory.contents == before, "\(command): \(directory.contents)")
        }
    }

    @Test func whatFailsOnADatabaseThatIsThereAddsNothing() async throws {
        let server = try await RunningServer(
            directory: TemporaryDirectory(database: "sqlite:\(directory.path)/rest-auth.sqlite"))
        try await server.register("miguel", "python")
        #expect(try await server.stop() == 0)
        let url = "sqlite:\(directory.path)/rest-auth.sqlite"
        _ = try await runCommand(["users", "list", "--database", url], directory: directory)
        let before = directory.contents
        for (command, environment) in [
            (["serve", "--port", "0"], ["SECRET_KEY": Self.secret]), (["users", "list"], ["SECRET_KEY": Self.secret]),
            (["users", "show", "susan"], [:]), (["users", "add", "miguel", "--password-stdin"], [:]),
            (["users", "add", "susan"], [:]), (["clients", "delete", "gateway"], [:]), (["users", "list"], [:]),
            (["serve", "--port", "0", "--secret-key-file", "other.secret"], [:]), (["config", "check"], [:]),
            (["sessions", "list", "susan"], [:]), (["backup", "nowhere/copy.sqlite"], [:]),
            (["restore", "rest-auth.secret", "--force"], [:]), (["keys", "revoke", "nonsense"], [:]),
            (["migrate", "--from", "sqlite:rest-auth.sqlite", "--to", "sqlite:rest-auth.secret"], [:]),
        ] as [([String], [String: String])] {
            _ = try await runCommand(
                command.first == "migrate" ? command : command + ["--database", url], environment: environment,
                directory: directory, input: "python\n")
            #expect(directory.contents == before, "\(command): \(directory.contents)")
        }
        // The users are still there.
        let list = try await runCommand(["users", "list", "--database", url], directory: directory)
        #expect(list.output.contains("miguel"))
    }

    /// A connection that only reads a database with a write-ahead log makes the log, and leaves it.
    @Test(arguments: ["CREATE TABLE t (x)", "CREATE TABLE users (id, username, password_hash)"])
    func aDatabaseOfAnotherProgramIsLeftAlone(schema: String) async throws {
        let maker = try ExternalProcess(
            ExternalProcess.testPython(),
            [
                "-c",
                """
                import sqlite3, sys
                database = sqlite3.connect("app.sqlite")
                database.execute("PRAGMA journal_mode = WAL")
                database.execute(sys.argv[1])
                database.close()
                """, schema,
            ], directory: directory)
        #expect(try await maker.exitStatus() == 0)
        let file = URL(fileURLWithPath: "\(directory.path)/app.sqlite")
        let before = try Data(contentsOf: file)
        for command in [
            ["serve", "--port", "0", "--database", "sqlite:app.sqlite"],
            ["config", "check", "--database", "sqlite:app.sqlite"],
            ["users", "list", "--database", "sqlite:app.sqlite"],
            ["backup", "copy.sqlite", "--database", "sqlite:app.sqlite"], ["restore", "app.sqlite"],
            ["restore", "app.sqlite", "--force", "--database", "sqlite:app.sqlite"],
            ["migrate", "--from", "sqlite:app.sqlite", "--to", "sqlite:rest-auth.sqlite"],
            ["users", "import", "--from-django", "app.sqlite"],
        ] {
            let outcome = try await runCommand(command, directory: directory)
            #expect(outcome.status == 1, "\(command)")
            #expect(directory.contents == ["app.sqlite"], "\(command): \(directory.contents)")
        }
        #expect(try Data(contentsOf: file) == before)
    }

    /// One command fails while another uses the files that it made.
    @Test func aFailureTakesNothingFromWhoCameInBetween() async throws {
        let (first, second) = (directory, directory)
        for round in 0..<Soak.count(4, soak: 40) {
            async let failure = runCommand(
                ["users", "add", "a  b", "--password-stdin"], directory: first, input: "python\n")
            async let success = runCommand(
                ["users", "add", "miguel\(round)", "--password-stdin"], directory: second, input: "python\n")
            let (failed, added) = try await (failure, success)
            #expect(failed.status == 1)
            #expect(added.status == 0, "\(added.error)")
            let list = try await runCommand(["users", "list"], directory: directory)
            #expect(list.output.contains("miguel\(round)"), "\(list.error)")
            for name in directory.contents { unlink("\(directory.path)/\(name)") }
        }
    }
}

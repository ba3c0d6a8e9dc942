import Foundation
import Support
import Testing

/// Output that cannot be written: closed, full, or a pipe that nobody reads.
@Suite struct OutputTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Runs a shell command, with the program as `$0`.
    private func shell(_ command: String) async throws -> CommandOutcome {
        try await ExternalProcess(
            ExternalProcess.program("bash"), ["-c", command, ExternalProcess.restAuth.path], directory: directory
        ).outcome()
    }

    // MARK: A server

    @Test(arguments: [
        ">&-", ">/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full", "> >(true)", "2> >(true)", "<&- >&- 2>&-",
    ])
    func aServerServesWhateverBecomesOfItsOutput(output: String) async throws {
        let port = try FreePort.next()
        let process = try ExternalProcess(
            ExternalProcess.program("bash"),
            ["-c", "exec \"$0\" serve --port \(port) \(output)", ExternalProcess.restAuth.path], directory: directory)
        defer { process.kill() }
        try await process.answers(on: port, path: "/health/live")
        // Log lines are lost, and above all do not go into the database.
        for _ in 0..<20 { _ = try await HTTPConnection(port: port).send("GET", "/nothing") }
        let answer = try await HTTPConnection(port: port).send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: #"{"username":"miguel","password":"python"}"#)
        #expect(answer.status == 201)
        process.send(SIGTERM)
        #expect(try await process.exitStatus() == 0)
        let list = try await runCommand(["users", "list"], directory: directory)
        #expect(list.output.hasPrefix("1\tmiguel\t"))
        #expect(directory.contents == ["rest-auth.secret", "rest-auth.sqlite"])
    }

    // MARK: Commands with essential output

    @Test(arguments: [">/dev/full", ">&-", "> >(true); sleep 0"])
    func aClientWhoseSecretNobodySawIsNotThere(output: String) async throws {
        for flag in ["", "--json"] {
            // A pipe accepts output until its reader has gone.
            let command =
                output.hasPrefix("> >")
                ? """
                trap '' PIPE; (sleep 0.5; "$0" clients add gateway \(flag); echo $? >process-status) | true; \
                exit $(cat process-status)
                """
                : "\"$0\" clients add gateway \(flag) \(output)"
            let outcome = try await shell(command)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("standard output cannot be written"))
            #expect(outcome.error.contains("the client gateway was not added"))
            #expect(try await runCommand(["clients", "list"], directory: directory).output.isEmpty)
        }
        #expect(try await runCommand(["clients", "add", "gateway"], directory: directory).status == 0)
        // A client that exists already is not removed.
        #expect(try await shell("\"$0\" clients add gateway >/dev/full").status == 1)
        #expect(try await runCommand(["clients", "list"], directory: directory).output.hasPrefix("gateway\t"))
    }

    @Test func anInvitationWhoseCodeNobodySawIsNotThere() async throws {
        let outcome = try await shell("\"$0\" invitations create --count 3 >/dev/full")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("no invitation was made"))
        #expect(try await runCommand(["invitations", "list"], directory: directory).output.isEmpty)
    }

    @Test(arguments: [
        "users export", "users list", "users list --json", "users show miguel", "keys list", "secret status --json",
        "config check", "sessions list miguel", "--help", "--version", "users --help",
    ])
    func aCommandThatIsRunForItsOutputFailsWithoutIt(command: String) async throws {
        let added = try await runCommand(
            ["users", "add", "miguel", "--password-stdin"], directory: directory, input: "python\n")
        #expect(added.status == 0)
        let server = try await RunningServer(directory: directory)
        _ = try await server.token("miguel", "python")
        #expect(try await server.stop() == 0)
        let arguments = "--database sqlite:\(server.databasePath)"
        let options = command.contains("-h") || command.contains("--v") ? "" : arguments
        for (output, reason) in [(">/dev/full", "No space"), (">&-", "it is closed"), ("<&- >&-", "it is closed")] {
            let outcome = try await shell("\"$0\" \(command) \(options) \(output)")
            #expect(outcome.status == 1, "\(command)")
            let beginning = "rest-auth: standard output cannot be written: \(reason)"
            #expect(outcome.error.hasPrefix(beginning), "\(outcome.error)")
            #expect(outcome.error.split(separator: "\n").count == 1)
        }
        #expect(try await shell("\"$0\" \(command) \(options)").status == 0)
    }

    /// The command still does its work completely, and reports it where it can.
    @Test func aCommandThatOnlyReportsDoesItsWorkAndFails() async throws {
        let add = "echo python | \"$0\" users add miguel --password-stdin"
        let outcome = try await shell("\(add) >/dev/full")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("Added miguel with id 1."))
        #expect(outcome.error.contains("standard output cannot be written"))
        let before = try await runCommand(["keys", "list"], directory: directory).output
        let rotated = try await shell("\"$0\" secret rotate --revoke-keys >/dev/full")
        #expect(rotated.status == 1)
        let after = try await runCommand(["keys", "list"], directory: directory).output
        #expect(before.split(separator: "\t").first != after.split(separator: "\t").first)
        let backup = try await shell("\"$0\" backup copy.sqlite >/dev/full")
        #expect(backup.status == 1)
        #expect(backup.error.contains("Backed up "))
        #expect(directory.contents.contains("copy.sqlite"))
    }

    @Test func errorsThatCannotBeWrittenAreAnExitStatusStill() async throws {
        for output in ["2>&-", "2>/dev/full"] {
            #expect(try await shell("\"$0\" users show nobody \(output)").status == 1)
            #expect(try await shell("\"$0\" nonsense \(output)").status == 64)
        }
    }
}

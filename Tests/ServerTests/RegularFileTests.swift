import Foundation
import Support
import Testing

/// Files in settings that are not regular files: pipes, which would be read without end,
/// directories, devices, sockets, and paths below a file.
@Suite struct RegularFileTests {
    let directory: TemporaryDirectory
    private var path: String { directory.path + "/process-x" }

    init() throws { directory = try TemporaryDirectory() }

    private static let uses: [(arguments: [String], environment: [String: String])] = [
        (["--secret-key-file", "process-x"], [:]), ([], ["REST_AUTH_LEGACY_SECRET_FILE": "process-x"]),
        ([], ["DATABASE_URL_FILE": "process-x"]), (["--config", "process-x"], [:]),
        (["--tls-certificate", "process-x", "--tls-key", "process-x"], [:]),
        (["--breached-passwords", "process-x", "--password-policy", "nist"], [:]),
    ]

    private func expectRefusal(saying reason: String) async throws {
        for use in Self.uses {
            for command in [["serve", "--port", "0"], ["config", "check", "--port", "0"], ["doctor", "--port", "0"]] {
                let outcome = try await runCommand(
                    command + use.arguments, environment: use.environment, directory: directory)
                let text = outcome.output + outcome.error
                #expect(outcome.status == 1, "\(command) \(use)")
                #expect(text.contains(reason), "\(command) \(use): \(text)")
                #expect(directory.contents.isEmpty)
            }
        }
    }

    @Test func aPipeIsRefusedAtOnce() async throws {
        #expect(mkfifo(path, 0o600) == 0)
        try await expectRefusal(saying: "it is a pipe")
    }

    @Test func aDirectoryIsRefused() async throws {
        #expect(mkdir(path, 0o700) == 0)
        try await expectRefusal(saying: "it is a directory")
    }

    @Test func aDeviceIsRefused() async throws {
        #expect(symlink("/dev/zero", path) == 0)
        try await expectRefusal(saying: "it is a device")
    }

    @Test func whatAShellPassesAsAPipeIsRefusedAndNotReadTwice() async throws {
        for option in ["--secret-key-file", "--config"] {
            let process = try ExternalProcess(
                ExternalProcess.program("bash"),
                [
                    "-c", "\"$0\" serve --port 0 \(option) <(echo nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo)",
                    ExternalProcess.restAuth.path,
                ], directory: directory)
            let outcome = try await process.outcome()
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("it is a pipe"), "\(outcome.error)")
            #expect(directory.contents.isEmpty)
        }
    }

    @Test(arguments: ["process-x/", "process-x/key"]) func whatLiesBelowAFileIsRefused(name: String) async throws {
        try Data("nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo".utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o600)
        for command in [["serve", "--port", "0"], ["config", "check", "--port", "0"]] {
            let outcome = try await runCommand(command + ["--secret-key-file", name], directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("is a file, and no directory"), "\(outcome.error)")
            #expect(directory.contents.isEmpty)
        }
    }

    @Test func aDirectoryThatIsNotThereIsNamed() async throws {
        for command in [["serve", "--port", "0"], ["config", "check", "--port", "0"]] {
            let outcome = try await runCommand(
                command + ["--secret-key-file", "/nonexistent/key"], directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("there is no directory /nonexistent"), "\(outcome.error)")
            #expect(directory.contents.isEmpty)
        }
    }
}

import Foundation
import Support
import Testing

/// Installation, and the result on a machine: files, a unit, the first process of a container.
@Suite struct DeploymentTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ program: URL, _ arguments: [String], environment: [String: String] = [:]) async throws
        -> CommandOutcome
    {
        try await ExternalProcess(program, arguments, environment: environment, directory: directory).outcome()
    }

    private func file(_ path: String) -> URL { ExternalProcess.repository.appendingPathComponent(path) }

    // MARK: Files

    @Test func whatIsInstalledIsWhatIsTakenAway() async throws {
        let environment = [
            "DESTDIR": directory.path + "/root", "PREFIX": "/opt/auth", "BINARY": ExternalProcess.restAuth.path,
        ]
        let installed = try await run(file("dev/deploy"), ["install"], environment: environment)
        #expect(installed.status == 0, "\(installed.error)")
        let root = directory.path + "/root/opt/auth/"
        let unit = try String(contentsOfFile: root + "lib/systemd/system/rest-auth.service", encoding: .utf8)
        #expect(unit.contains("ExecStart=/opt/auth/bin/rest-auth serve "))
        #expect(FileManager.default.isExecutableFile(atPath: root + "bin/rest-auth"))
        let removed = try await run(file("dev/deploy"), ["uninstall"], environment: environment)
        #expect(removed.status == 0)
        let files = FileManager.default.enumerator(atPath: directory.path + "/root")?.compactMap { $0 as? String } ?? []
        #expect(files.allSatisfy { FileManager.default.fileExists(atPath: directory.path + "/root/" + $0 + "/.") })
    }

    @Test func theManualPageHasEveryCommand() async throws {
        let page = try await run(file("dev/manual-page"), [ExternalProcess.restAuth.path])
        #expect(page.status == 0, "\(page.error)")
        #expect(page.output.hasPrefix(".TH REST"))
        let help = try await runCommand(["--help"], directory: directory).output
        let commands = help.matches(of: /\n  ([a-z]+) {2,}/).map(\.output.1)
        #expect(commands.count > 10)
        for command in commands { #expect(page.output.contains(".SS rest\\-auth \(command)\n"), "\(command)") }
        #expect(page.output.contains(".SS rest\\-auth clients add\n"))
        #expect(page.output.contains("\\fB\\-\\-wait\\-for\\-database\\fR"))
        // Every line that formats is one that is meant to.
        let requests = Set(page.output.matches(of: /(?:^|\n)([.'][^ \n]*)/).map(\.output.1))
        #expect(requests == [".TH", ".SH", ".SS", ".TP", ".PP", ".nf", ".fi", ".B", ".I", ".RI"])
    }

    /// A terminal breaks longer lines, and then half of a command is copied.
    @Test func examplesFitATerminal() async throws {
        let dump = try await runCommand(["--experimental-dump-help"], directory: directory).output
        let root = try #require(JSONSerialization.jsonObject(with: Data(dump.utf8)) as? [String: Any])
        var commands = [try #require(root["command"] as? [String: Any])]
        var examples: [Substring] = []
        while let command = commands.popLast() {
            commands += command["subcommands"] as? [[String: Any]] ?? []
            let lines = (command["discussion"] as? String ?? "").split(separator: "\n")
            examples += lines.filter { $0.hasPrefix("  ") }
        }
        #expect(examples.count > 30)
        #expect(examples.filter { $0.count > 80 }.isEmpty)
    }

    // MARK: systemd

    /// A copy of the unit that runs the program under test.
    private func unit() throws -> String {
        let path = directory.path + "/rest-auth.service"
        let text = try String(contentsOf: file("Examples/systemd/rest-auth.service"), encoding: .utf8)
            .replacingOccurrences(of: "/usr/local/bin/rest-auth", with: ExternalProcess.restAuth.path)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func theUnitIsOneThatSystemdUnderstands() async throws {
        let socket = file("Examples/systemd/rest-auth.socket").path
        let verified = try await run(
            ExternalProcess.program("systemd-analyze"), ["verify", "--man=no", unit(), socket])
        #expect(verified.status == 0)
        #expect((verified.output + verified.error).isEmpty, "\(verified.error)")
    }

    @Test func theUnitExposesLittle() async throws {
        let rated = try await run(
            ExternalProcess.program("systemd-analyze"),
            ["security", "--offline=yes", "--threshold=20", "--no-pager", unit()])
        // The exit status is 1 above 2.0.
        #expect(rated.status == 0, "\(rated.output.suffix(200))")
        #expect(rated.output.contains("Overall exposure level"))
    }

    // MARK: Containers

    /// Runs as in an image: the first process of its namespace, run as nobody, with one writable
    /// directory, and an empty environment.
    @Test func itRunsAsTheFirstProcessOfAContainer() async throws {
        let port = try FreePort.next()
        let data = directory.path + "/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
        let container = try ExternalProcess(
            ExternalProcess.program("unshare"),
            [
                "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c",
                """
                set -e
                mount --bind "$1" "$1"
                mount -o remount,bind,ro /
                cd "$1"
                ! touch ../elsewhere 2>/dev/null
                exec env -i REST_AUTH_HOSTNAME='*' REST_AUTH_PORT=\(port) \
                REST_AUTH_DATABASE_URL="sqlite:$1/rest-auth.sqlite" \
                    unshare --user --map-user=65534 --map-group=65534 "$0" serve
                """, ExternalProcess.restAuth.path, data,
            ], directory: directory)
        defer { container.kill() }
        try await container.answers(on: port, path: "/health/ready")
        #expect(container.outputText.contains("listens on http://[::]:\(port)"))
        #expect(try await runCommand(["health", "--port", "\(port)"], directory: directory).status == 0)
        let children = try String(
            contentsOfFile: "/proc/\(container.id)/task/\(container.id)/children", encoding: .utf8)
        let server = try #require(Int32(children.split(separator: " ").first ?? ""))
        let status = try String(contentsOfFile: "/proc/\(server)/status", encoding: .utf8)
        #expect(status.contains(/NSpid:.*\t1\n/))
        // An unhandled signal does nothing to a first process.
        kill(server, SIGTERM)
        #expect(try await container.exitStatus() == 0)
        #expect(container.errorText.contains("stopped"))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: data).sorted() == [
                "rest-auth.secret", "rest-auth.sqlite",
            ])
    }

    // MARK: Health

    @Test func healthAsksWhereTheServerListens() async throws {
        let server = try await RunningServer(["--hostname", "0.0.0.0"], directory: directory)
        for arguments in [
            ["--port", "\(server.port)"], ["--port", "\(server.port)", "--hostname", "0.0.0.0", "--live"],
        ] {
            try await wait(for: "readiness") {
                try await runCommand(["health"] + arguments, directory: directory).status == 0
            }
        }
        server.pause()
        let waiting = try await runCommand(
            ["health", "--port", "\(server.port)", "--timeout", "1"], directory: directory)
        #expect(waiting.status == 1)
        #expect(waiting.error.contains("no answer from 127.0.0.1:\(server.port) in 1 seconds"), "\(waiting.error)")
        server.resume()
        #expect(try await server.stop() == 0)
        let nobody = try await runCommand(["health", "--port", "\(server.port)"], directory: directory)
        #expect(nobody.status == 1)
        #expect(nobody.error.hasPrefix("rest-auth: nothing listens on 127.0.0.1:\(server.port)"))
        #expect(directory.contents == ["rest-auth.secret", "rest-auth.sqlite"])
    }

    /// Answers of other programs, with bytes that a terminal would interpret.
    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n\r\n\u{1B}[31mhello\u{1B}]0;x\u{7}", #"HTTP/1.1 200 OK\#r\#n\#r\#n{"status":"UP"}"#,
        "HTTP/1.1 404 No\u{1B}[31m\r\n\r\n<html>", "HTTP/1.0 503 Busy\r\n\r\n{\"code\":7}", "HTTP/1.1 2\u{7}0\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n", "",
    ])
    func anotherProgramIsTakenForNoServerOfOursAndNotRepeated(answer: String) async throws {
        let port = try FreePort.next()
        let script = """
            import socket, sys
            server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
            while True:
                client, _ = server.accept()
                client.recv(4096)
                client.sendall(sys.argv[2].encode())
                client.close()
            """
        let other = try ExternalProcess(
            ExternalProcess.program("python3"), ["-c", script, "\(port)", answer], directory: directory)
        defer { other.kill() }
        try await wait(for: "the other program") { (try? await HTTPConnection(port: port)) != nil }
        for command in [["health"], ["health", "--live"], ["doctor"]] {
            let outcome = try await runCommand(command + ["--port", "\(port)"], directory: directory)
            let text = outcome.output + outcome.error
            #expect(outcome.status == 1, "\(command)")
            #expect(text.contains("is no rest-auth"), "\(text)")
            #expect(!text.contains("hello") && !text.contains("html") && !text.contains("SSH"), "\(text)")
            #expect(text.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0A }, "\(Array(text.utf8))")
        }
    }

    @Test func healthSpeaksTLSAndToUnixSockets() async throws {
        let secure = try await SecureServer([])
        let files = ["key", "certificate"].map { "\(secure.directory.path)/process-\($0).pem" }
        let overTLS = ["health", "--port", "\(secure.port)", "--tls-key", files[0], "--tls-certificate", files[1]]
        try await wait(for: "readiness") { try await runCommand(overTLS, directory: directory).status == 0 }
        let plain = try await runCommand(["health", "--port", "\(secure.port)"], directory: directory)
        #expect(plain.status == 1)
        let socket = directory.path + "/process-auth.sock"
        let server = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--hostname", "unix:\(socket)"], directory: directory)
        defer { server.kill() }
        try await server.writes("listens on")
        try await wait(for: "readiness") {
            try await runCommand(["health", "--hostname", "unix:\(socket)"], directory: directory).status == 0
        }
    }
}

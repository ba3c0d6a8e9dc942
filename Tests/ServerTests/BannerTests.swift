import Foundation
import Support
import Testing

/// The suggestions of the banner work under the settings in force.
@Suite struct BannerTests {
    /// Runs the suggested commands one after the other and returns the output of each. A password
    /// that is asked for is `typed`.
    private func followed(_ server: RunningServer, typed: String = "") async throws -> [String] {
        // The server answers before it prints the banner.
        try await wait(for: "the banner") { server.output.contains("Try it:\n") }
        let block = try #require(server.output.components(separatedBy: "Try it:\n").dropFirst().first)
        let commands = block.components(separatedBy: "\n\n")[0].components(separatedBy: "\n").filter { !$0.isEmpty }
        #expect(!commands.isEmpty)
        var outputs: [String] = []
        let environment = try await server.directory.database().environment
        var invitation = ""
        for command in commands {
            var line = command.replacing("CODE", with: invitation)
            // There is no terminal to ask on.
            if line.contains(" users add ") { line += " --password-stdin" }
            if line.contains("curl ") { line = line.replacing("-u miguel ", with: "-u miguel:\(typed) ") }
            let process = try ExternalProcess(
                URL(fileURLWithPath: "/bin/sh"), ["-c", line],
                environment: environment, directory: server.directory,
                input: .text(typed + "\n"))
            _ = try await process.exitStatus()
            if line.contains("invitations create") {
                invitation = process.outputText.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            outputs.append(process.outputText + process.errorText)
        }
        return outputs
    }

    private func expectSignedIn(_ outputs: [String]) throws {
        for output in outputs.suffix(2) { #expect(output.contains(" 200"), "\(outputs)") }
        #expect(outputs.last?.contains("Hello, miguel!") == true, "\(outputs)")
    }

    @Test(arguments: [
        [], ["--password-policy", "nist"], ["--public-url", "https://auth.example.com/prefix"],
        ["--hostname", "0.0.0.0"], ["--hostname", "::1"], ["--hostname", "localhost"],
        ["--registration", "invitation"],
    ])
    func aNewcomerRegistersAndSignsIn(arguments: [String]) async throws {
        let server = try await Self.started(arguments)
        let outputs = try await followed(server)
        #expect(outputs.contains { $0.contains(" 201") }, "\(outputs)")
        try expectSignedIn(outputs)
        if arguments.contains("invitation") { #expect(outputs.count == 4) } else { #expect(outputs.count == 3) }
    }

    @Test(arguments: [
        ["--registration", "closed"], ["--registration-challenge", "20"],
        ["--registration", "closed", "--password-policy", "nist"],
    ])
    func whereNobodyRegistersByCurlTheCommandAddsAUser(arguments: [String]) async throws {
        let server = try await Self.started(arguments)
        let outputs = try await followed(server, typed: "seven-green-bottles-hum")
        #expect(outputs.first?.contains("Added miguel") == true, "\(outputs)")
        #expect(!server.output.contains("-X POST"))
        try expectSignedIn(outputs)
    }

    @Test func overTLSTheCertificateIsTrustedByName() async throws {
        let directory = try TemporaryDirectory()
        let files = ["key", "certificate"].map { "\(directory.path)/process-\($0).pem" }
        try await SecureServer.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj",
                "/CN=auth.example.com", "-addext", "subjectAltName=DNS:auth.example.com", "-keyout", files[0], "-out",
                files[1],
            ], in: directory)
        let server = try await RunningServer(
            ["--tls-key", files[0], "--tls-certificate", files[1]], directory: directory, scheme: "https")
        let outputs = try await followed(server)
        #expect(outputs.first?.contains(" 201") == true, "\(outputs)")
        try expectSignedIn(outputs)
        #expect(!server.output.contains("curl -k") && !server.output.contains("--insecure"))
    }

    /// The name is taken by then, and only its owner knows the password.
    @Test func atTheNextStartTheUserWhoIsThereSignsIn() async throws {
        let server = try await RunningServer()
        try await server.register("miguel", "secret-of-mine")
        #expect(try await server.stop() == 0)
        let again = try await RunningServer(directory: server.directory)
        #expect(!again.output.contains("POST"))
        try expectSignedIn(try await followed(again, typed: "secret-of-mine"))
    }

    /// Starts a server that may listen on IPv6 only, where `RunningServer` cannot ask it.
    private static func started(_ arguments: [String]) async throws -> RunningServer {
        try await RunningServer(arguments, scheme: arguments.contains("::1") ? "https" : "http")
    }
}

import Foundation
import Support

/// A server with its own certificate, which tests use with curl. It has one hashing thread, so that
/// hashes wait for each other.
final class SecureServer: Sendable {
    /// Shared by the tests that do not read its log.
    static let shared = Task { try await SecureServer() }

    private let server: RunningServer

    /// - Parameter key: the arguments of `openssl req` for the key.
    init(
        _ arguments: [String], key: [String] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    ) async throws {
        let directory = try TemporaryDirectory()
        let files = ["key", "certificate"].map { "\(directory.path)/process-\($0).pem" }
        try await Self.makePair(files, kind: key, in: directory)
        server = try await RunningServer(
            [
                "--tls-key", files[0], "--tls-certificate", files[1], "--throttle", "no", "--hashing-threads", "1",
                "--hashing-patience", "600",
            ] + arguments, directory: directory, scheme: "https")
    }

    /// Makes a key and a certificate for it, in these files.
    static func makePair(
        _ files: [String], kind: [String] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        in directory: TemporaryDirectory
    ) async throws {
        try await run(
            "openssl",
            ["req", "-x509"] + kind + [
                "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                "-keyout", files[0], "-out", files[1],
            ], in: directory)
    }

    var directory: TemporaryDirectory { server.directory }
    var port: Int { server.port }
    var url: String { "https://localhost:\(server.port)" }
    var log: String { server.log }

    /// Adds a client and returns its secret.
    func addClient(_ id: String) async throws -> String { try await server.addClient(id) }

    func stop() async throws -> Int32 { try await server.stop() }
    func send(signal: Int32) { server.send(signal: signal) }

    /// A new connection, on which nothing has been sent.
    func connect() async throws -> HTTPConnection { try await server.connect() }

    convenience init(_ arguments: String...) async throws { try await self.init(arguments) }

    /// The head and body of the answer to a request that curl sends to a path or a URL.
    func curl(_ path: String, _ options: String..., input: String? = nil) async throws -> String {
        try await curl(path, options: options, input: input)
    }

    func curl(_ path: String, options: [String], input: String? = nil) async throws -> String {
        let common = [
            "-sS", "-i", "--cacert", "\(directory.path)/process-certificate.pem", "--resolve",
            "localhost:\(port):127.0.0.1", "-H", "Content-Type: application/json",
            path.hasPrefix("/") ? url + path : path,
        ]
        return try await Self.run("curl", common + options, in: directory, input: input)
    }

    /// The output of a system command.
    @discardableResult
    static func run(
        _ command: String, _ arguments: [String], in directory: TemporaryDirectory, input: String? = nil
    ) async throws -> String {
        let process = try ExternalProcess(
            ExternalProcess.program(command), arguments, directory: directory,
            input: input.map { .text($0) } ?? .nothing)
        _ = try await process.exitStatus()
        return process.outputText + process.errorText
    }
}

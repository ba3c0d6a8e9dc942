import Foundation

/// The real binary, serving from its own directory, which is removed with this object.
public final class RunningServer: Sendable {
    public let directory: TemporaryDirectory
    public let port: Int
    private let process: ExternalProcess

    /// Starts `rest-auth serve` and waits until it answers.
    /// - Parameters:
    ///   - arguments: flags after `serve`; hostname, port and database are given already.
    ///   - directory: an existing one, to start again, or to start another node, on the same data.
    ///   - port: the port of a server that has ended, for clients that keep using it.
    public init(
        _ arguments: [String] = [], environment: [String: String] = [:], directory: TemporaryDirectory? = nil,
        port: Int? = nil,
        scheme: String = "http"
    ) async throws {
        self.directory = try directory ?? TemporaryDirectory()
        self.port = try port ?? FreePort.next()
        let database = try await self.directory.database()
        let isSecretGiven = environment.keys.contains { $0.hasSuffix("SECRET_KEY") }
        process = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--port", "\(self.port)", "--database", database.url] + arguments,
            environment: (isSecretGiven ? [:] : database.environment).merging(environment) { $1 },
            directory: self.directory)
        let (process, port) = (process, self.port)
        try await wait(for: "the server to answer") {
            guard process.isRunning else { throw ServerEnded(log: process.errorText) }
            if scheme == "https" { return process.outputText.contains("listens on") }
            return (try? await HTTPConnection(port: port).send("GET", "/health/live"))?.status == 200
        }
    }

    deinit { process.kill() }

    public var processID: Int32 { process.id }
    public var isRunning: Bool { process.isRunning }
    /// Everything that it has written to standard error.
    public var log: String { process.errorText }
    public var output: String { process.outputText }
    public var databasePath: String { "\(directory.path)/rest-auth.sqlite" }

    /// Opens a connection, which keeps the server running.
    public func connect() async throws -> HTTPConnection { try await HTTPConnection(port: port, server: self) }

    /// Sends one request on a new connection.
    @discardableResult
    public func send(
        _ method: String, _ path: String, headers: [String] = [], body: String? = nil
    ) async throws -> HTTPAnswer {
        try await connect().send(method, path, headers: headers, body: body)
    }

    @discardableResult
    public func register(_ username: String, _ password: String) async throws -> HTTPAnswer {
        try await send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": username, "password": password]))
    }

    /// A token for that user.
    public func token(_ username: String, _ password: String) async throws -> String {
        let answer = try await send("GET", "/api/token", headers: [basic(username, password)])
        guard let token = answer.json["token"] as? String else { throw UnexpectedAnswer(answer: answer) }
        return token
    }

    /// Sends a signal to stop it and returns the exit status.
    public func stop(_ signal: Int32 = SIGTERM) async throws -> Int32 {
        process.send(signal)
        return try await process.exitStatus()
    }

    public func send(signal: Int32) { process.send(signal) }

    /// Suspends it: it still exists, and does not answer.
    public func pause() { process.send(SIGSTOP) }
    public func resume() { process.send(SIGCONT) }

    public func kill() async throws {
        process.kill()
        _ = try await process.exitStatus()
    }
}

extension RunningServer {
    /// Runs `rest-auth` with these arguments on this server's database, until it ends.
    public func run(_ arguments: [String], input: String? = nil, bytes: [UInt8]? = nil) async throws -> CommandOutcome {
        let database = try await directory.database()
        return try await runCommand(
            arguments + ["--database", database.url], environment: database.environment, directory: directory,
            input: input, bytes: bytes)
    }
}

/// The status and output of a command that has ended.
public struct CommandOutcome: Sendable {
    public let status: Int32
    public let output: String
    public let error: String
}

/// Runs `rest-auth` with these arguments in `directory`, until it ends.
public func runCommand(
    _ arguments: [String], environment: [String: String] = [:], directory: TemporaryDirectory, input: String? = nil,
    bytes: [UInt8]? = nil
) async throws -> CommandOutcome {
    let process = try ExternalProcess(
        ExternalProcess.restAuth, arguments, environment: environment, directory: directory,
        input: input.map { .text($0) } ?? bytes.map { .bytes($0) } ?? .nothing)
    return try await process.outcome()
}

public struct UnexpectedAnswer: Error {
    public let answer: HTTPAnswer
}

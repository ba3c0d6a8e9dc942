import Foundation
import Synchronization

/// The real binary, serving from a directory of its own that vanishes with it.
public final class RunningServer: Sendable {
    public let directory: TemporaryDirectory
    public let port: Int
    private let process: ExternalProcess

    /// Starts `rest-auth serve` and waits until it answers.
    /// - Parameters:
    ///   - arguments: flags after `serve`; hostname, port and database are given already.
    ///   - directory: an existing one, to start again, or another node, over the same data.
    ///   - port: that of one that has ended, for who goes on asking there.
    public init(
        _ arguments: [String] = [], environment: [String: String] = [:], directory: TemporaryDirectory? = nil,
        port: Int? = nil,
        scheme: String = "http"
    ) async throws {
        self.directory = try directory ?? TemporaryDirectory()
        self.port = try port ?? FreePort.next()
        let database = try self.directory.database()
        let isSecretGiven = environment.keys.contains { $0.hasSuffix("SECRET_KEY") }
        process = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--port", "\(self.port)", "--database", database.url] + arguments,
            environment: (isSecretGiven ? [:] : database.environment).merging(environment) { $1 },
            directory: self.directory)
        let (process, port) = (process, self.port)
        try await wait(seconds: 20, for: "the server to answer") {
            guard process.isRunning else { throw ServerEnded(log: process.errorText) }
            if scheme == "https" { return process.outputText.contains("listens on") }
            return (try? HTTPConnection(port: port).send("GET", "/health/live"))?.status == 200
        }
    }

    deinit { process.kill() }

    public var processID: Int32 { process.id }
    public var isRunning: Bool { process.isRunning }
    /// What it has written to standard error.
    public var log: String { process.errorText }
    public var output: String { process.outputText }
    public var databasePath: String { "\(directory.path)/rest-auth.sqlite" }

    /// A new connection.
    public func connect() throws -> HTTPConnection { try HTTPConnection(port: port) }

    /// One request on a connection of its own.
    @discardableResult
    public func send(_ method: String, _ path: String, headers: [String] = [], body: String? = nil) throws -> HTTPAnswer
    {
        try connect().send(method, path, headers: headers, body: body)
    }

    public func register(_ username: String, _ password: String) throws -> HTTPAnswer {
        try send(
            "POST", "/api/users", headers: ["Content-Type: application/json"],
            body: json(["username": username, "password": password]))
    }

    /// A token for that user.
    public func token(_ username: String, _ password: String) throws -> String {
        let answer = try send("GET", "/api/token", headers: [basic(username, password)])
        guard let token = answer.json["token"] as? String else { throw UnexpectedAnswer(answer: answer) }
        return token
    }

    /// Asks it to stop and returns the exit status.
    public func stop(_ signal: Int32 = SIGTERM) async throws -> Int32 {
        process.send(signal)
        return try await process.exitStatus()
    }

    /// Stops it in the middle of whatever it does: it is there and does not answer.
    public func pause() { process.send(SIGSTOP) }
    public func resume() { process.send(SIGCONT) }

    public func kill() async throws {
        process.kill()
        _ = try await process.exitStatus()
    }
}

extension RunningServer {
    /// Runs `rest-auth` with these arguments to its end, on this server's database.
    public func run(_ arguments: [String], input: String? = nil) async throws -> CommandOutcome {
        let database = try directory.database()
        return try await runCommand(
            arguments + ["--database", database.url], environment: database.environment, directory: directory,
            input: input)
    }
}

/// The binary run as a command to its end.
public struct CommandOutcome: Sendable {
    public let status: Int32
    public let output: String
    public let error: String
}

/// Runs `rest-auth` with these arguments in `directory`.
public func runCommand(
    _ arguments: [String], environment: [String: String] = [:], directory: TemporaryDirectory, input: String? = nil
) async throws -> CommandOutcome {
    let process = try ExternalProcess(
        ExternalProcess.restAuth, arguments, environment: environment, directory: directory,
        input: input.map { .text($0) } ?? .nothing)
    let status = try await process.exitStatus()
    return CommandOutcome(status: status, output: process.outputText, error: process.errorText)
}

public struct UnexpectedAnswer: Error {
    public let answer: HTTPAnswer
}

/// A directory that is removed with the last reference to it.
public final class TemporaryDirectory: Sendable {
    public let path: String

    private let databaseURL: String?

    /// - Parameter database: of the servers in it; `nil` for one of the kind that is tested.
    public init(database: String? = nil) throws {
        databaseURL = database
        var template = Array("/tmp/rest-auth-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for url in postgresDatabases.withLock({ $0 }) { try? PostgresServer.shared.get().takeBack(url) }
        remove()
    }

    /// Removes it now, when nothing will let go of the last reference.
    func remove() { try? FileManager.default.removeItem(atPath: path) }

    private let postgresDatabases = Mutex<[String]>([])

    /// A new database of the tests' PostgreSQL, which goes back with this directory.
    public func makePostgresDatabase() throws -> String {
        let url = try PostgresServer.shared.get().makeDatabase()
        postgresDatabases.withLock { $0.append(url) }
        return url
    }

    private let madeDatabase = Mutex<TestDatabase?>(nil)

    /// The one database of the servers in this directory.
    public func database() throws -> TestDatabase {
        try madeDatabase.withLock { made in
            let database = try made ?? TestDatabase(in: self, url: databaseURL)
            made = database
            return database
        }
    }

    /// The names of what lies in it, sorted, without the tests' own files.
    public var contents: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix("process-") }
            .sorted()
    }
}

/// Waits for a condition, not for a time.
public func wait(seconds: Double, for what: String, until condition: () async throws -> Bool) async throws {
    let limit = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard ContinuousClock.now < limit else { throw TimedOut(what: what) }
        // Between two looks at the condition: what another process does cannot be awaited.
        try await Task.sleep(for: .milliseconds(5))
    }
}

public struct TimedOut: Error, CustomStringConvertible {
    let what: String
    public var description: String { "waited in vain for \(what)" }
}

public enum FreePort {
    /// A port that nothing listens on; each is given once.
    public static func next() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in.loopback(port: 0)
        guard address.withSocketAddress({ bind(descriptor, $0, $1) }) == 0 else { throw POSIXError(.EADDRINUSE) }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

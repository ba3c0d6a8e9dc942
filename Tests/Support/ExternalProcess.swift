import Foundation

/// A program that runs in a directory of the test, with its output in files there.
public final class ExternalProcess: Sendable {
    /// The source of its standard input.
    public enum Input: Sendable {
        case nothing
        case text(String)
        case bytes([UInt8])
        /// Lines from ``ExternalProcess/send(line:)``.
        case lines
    }

    /// The environment of every program: the search path, and the file for its profile when
    /// coverage is measured.
    private static let inherited = ["PATH": "/usr/bin:/bin"].merging(
        ProcessInfo.processInfo.environment.filter { $0.key == "LLVM_PROFILE_FILE" }
    ) { $1 }

    private let process: Process
    private let outputFile: String
    private let errorFile: String
    /// The test's end of its standard input.
    private let input: Int32?

    public init(
        _ executable: URL, _ arguments: [String], environment: [String: String] = [:], directory: TemporaryDirectory,
        input: Input = .nothing
    ) throws {
        let name = "\(directory.path)/process-\(UUID().uuidString.prefix(8))"
        (outputFile, errorFile) = (name + ".out", name + ".err")
        process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
        process.environment = Self.inherited.merging(environment) { $1 }
        let (output, error) = (try Self.file(outputFile), try Self.file(errorFile))
        process.standardOutput = output
        process.standardError = error
        switch input {
        case .nothing:
            process.standardInput = FileHandle.nullDevice
            self.input = nil
        case .text(let text):
            process.standardInput = try Self.file(name + ".in", with: Array(text.utf8))
            self.input = nil
        case .bytes(let bytes):
            process.standardInput = try Self.file(name + ".in", with: bytes)
            self.input = nil
        case .lines:
            // A socket pair, not a pipe: writing to a process that has ended is then an error, and
            // no signal.
            var ends: [Int32] = [-1, -1]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
                throw POSIXError(.EMFILE)
            }
            process.standardInput = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
            self.input = ends[0]
        }
        try process.run()
        Leftovers.add(process: process.processIdentifier)
        // The process has its own descriptors by now, and Foundation's process object may outlive
        // this one.
        for file in [output, error] { try file.close() }
    }

    deinit {
        if let input { close(input) }
        if !process.isRunning { Leftovers.remove(process: process.processIdentifier) }
    }

    // MARK: Programs

    /// The rest-auth binary beside the test bundle: the shipped one, in a release build.
    public static let restAuth: URL = {
        let own = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        return own.deletingLastPathComponent().appendingPathComponent("rest-auth")
    }()

    /// Finds a program of the system.
    public static func program(_ name: String) throws -> URL {
        let places = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        // Debian keeps nginx in /usr/sbin.
        for place in places + ["/usr/bin", "/usr/sbin"]
        where FileManager.default.isExecutableFile(atPath: "\(place)/\(name)") {
            return URL(fileURLWithPath: "\(place)/\(name)")
        }
        throw MissingProgram(name: name)
    }

    /// The Python with the packages of `Tests/requirements.txt`.
    public static func testPython() throws -> URL { try python(of: "test-venv") }

    /// The Python with the packages of `Tests/requirements-passkeys.txt`.
    public static func passkeyPython() throws -> URL { try python(of: "passkey-venv") }

    private static func python(of environment: String) throws -> URL {
        let python = repository.appendingPathComponent(".build/\(environment)/bin/python3")
        guard FileManager.default.isExecutableFile(atPath: python.path) else { throw MissingProgram(name: python.path) }
        return python
    }

    /// The directory with `Package.swift`.
    public static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../..").standardizedFileURL

    // MARK: Running

    public var id: Int32 { process.processIdentifier }
    public var isRunning: Bool { ending == nil }
    public var outputBytes: [UInt8] { Array((try? Data(contentsOf: URL(fileURLWithPath: outputFile))) ?? Data()) }
    public var outputText: String { (try? String(contentsOfFile: outputFile, encoding: .utf8)) ?? "" }
    public var errorText: String { (try? String(contentsOfFile: errorFile, encoding: .utf8)) ?? "" }
    /// The complete lines of its output.
    public var outputLines: [String] { Array(outputText.components(separatedBy: "\n").dropLast()) }

    /// The code of its exit, or the number of the signal that ended it; `nil` while it runs.
    ///
    /// The kernel is asked as well. `Process` waits for the end of a socket, which programs that
    /// are started at the same moment may hold open.
    private var ending: Int32? {
        guard process.isRunning else { return process.terminationStatus }
        var info = siginfo_t()
        let status = waitid(P_PID, id_t(process.processIdentifier), &info, WEXITED | WNOHANG | WNOWAIT)
        return status == 0 && info.si_signo == SIGCHLD ? info._sifields._sigchld.si_status : nil
    }

    private var name: String { process.executableURL?.lastPathComponent ?? "the process" }

    public func send(_ signal: Int32) { if isRunning { Foundation.kill(process.processIdentifier, signal) } }
    /// Kills it, and every process that it has started.
    public func kill() { if isRunning { Foundation.kill(-process.processIdentifier, SIGKILL) } }

    /// Sends a signal and waits until the process has ended: for programs that have to end their
    /// own processes and remove files.
    public func end(_ signal: Int32 = SIGTERM) async throws {
        send(signal)
        _ = try await exitStatus()
    }

    /// Waits until the process has ended.
    public func exitStatus() async throws -> Int32 {
        var status: Int32?
        try await wait(for: "\(name) to end") {
            status = self.ending
            return status != nil
        }
        return status ?? 0
    }

    /// Waits until the process has ended, and returns its status and output.
    public func outcome() async throws -> CommandOutcome {
        let status = try await exitStatus()
        return CommandOutcome(status: status, output: outputText, error: errorText)
    }

    /// Waits until the process has written this text to its standard output.
    public func writes(_ text: String) async throws {
        try await wait(for: text) {
            guard self.isRunning else { throw ServerEnded(log: self.errorText) }
            return self.outputText.contains(text)
        }
    }

    /// Waits until an HTTP server answers on that port, with any status.
    public func answers(on port: Int, path: String = "/ready") async throws {
        try await wait(for: "\(name) to answer") {
            guard self.isRunning else { throw ServerEnded(log: self.errorText) }
            return (try? await HTTPConnection(port: port).send("GET", path))?.status ?? 0 > 0
        }
    }

    // MARK: Standard input

    /// Writes a line to its standard input, when it was started with ``Input/lines``.
    public func send(line: String) {
        guard let input else { return }
        var rest = Array((line + "\n").utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.send(input, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Closes its standard input.
    public func finishLines() { if let input { shutdown(input, Int32(SHUT_WR)) } }

    private static func file(_ path: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }

    /// A file with these bytes, opened for reading.
    private static func file(_ path: String, with bytes: [UInt8]) throws -> FileHandle {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    }
}

public struct MissingProgram: Error, CustomStringConvertible {
    let name: String
    public var description: String { "there is no \(name), which these tests need; dev/test installs it" }
}

public struct ServerEnded: Error, CustomStringConvertible {
    let log: String
    public var description: String { "the server ended: \(log)" }
}

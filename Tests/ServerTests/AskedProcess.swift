import Foundation
import Support
import Synchronization

/// A program that reads requests as lines of JSON, and writes a line of JSON for each.
final class AskedProcess: Sendable {
    private let process: ExternalProcess
    /// The directory with its output.
    private let directory: TemporaryDirectory
    /// The number of lines that were read.
    private let count = Atomic(0)

    /// Starts a script of `Tests/Scripts`.
    init(_ program: URL, _ script: String, _ arguments: [String], directory: TemporaryDirectory) throws {
        let path = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/\(script)").path
        self.directory = directory
        process = try ExternalProcess(
            program, [path] + arguments, environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: directory,
            input: .lines)
    }

    deinit { process.kill() }

    /// The next line that it writes.
    func next() async throws -> Any {
        let index = count.add(1, ordering: .relaxed).oldValue
        try await wait(for: "a line of the program") {
            guard process.isRunning || process.outputLines.count > index else {
                throw ProgramEnded(error: process.errorText)
            }
            return process.outputLines.count > index
        }
        return try JSONSerialization.jsonObject(
            with: Data(process.outputLines[index].utf8), options: .fragmentsAllowed)
    }

    /// Sends a request and waits for its answer.
    func ask(_ request: [String: Any]) async throws -> Any {
        process.send(line: json(request))
        return try await next()
    }
}

struct ProgramEnded: Error {
    let error: String
}

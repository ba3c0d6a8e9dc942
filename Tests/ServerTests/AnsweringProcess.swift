import Foundation
import Support
import Synchronization

/// A program that answers each line of its input with a line, in the same order. Many tests may use
/// it at the same time.
final class AnsweringProcess: Sendable {
    private let process: ExternalProcess
    private let directory: TemporaryDirectory
    /// The number of lines that were sent to it.
    private let asked = Mutex(0)

    /// - Parameters:
    ///   - process: a process that was started with ``ExternalProcess/Input/lines``.
    ///   - directory: the directory in which it was started.
    init(_ process: ExternalProcess, in directory: TemporaryDirectory) {
        self.process = process
        self.directory = directory
    }

    deinit { process.kill() }

    /// Sends the line and returns the answer to it.
    func answer(to line: String) async throws -> String {
        let number = asked.withLock { asked in
            process.send(line: line)
            defer { asked += 1 }
            return asked
        }
        var lines: [String] = []
        try await wait(for: "an answer") {
            guard process.isRunning else { throw Ended(text: process.errorText) }
            lines = process.outputLines
            return lines.count > number
        }
        return lines[number]
    }

    struct Ended: Error {
        let text: String
    }
}

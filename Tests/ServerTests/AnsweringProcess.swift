import Foundation
import Support
import Synchronization

/// A program that answers each line of its input with a line, in their order: many tests may ask it
/// at once.
final class AnsweringProcess: Sendable {
    private let process: ExternalProcess
    private let directory: TemporaryDirectory
    /// How many lines it was sent.
    private let asked = Mutex(0)

    /// - Parameters:
    ///   - process: one that was started with ``ExternalProcess/Input/lines``.
    ///   - directory: that it was started in.
    init(_ process: ExternalProcess, in directory: TemporaryDirectory) {
        self.process = process
        self.directory = directory
    }

    deinit { process.kill() }

    /// What it says of that line.
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

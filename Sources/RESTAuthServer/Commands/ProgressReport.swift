import Foundation
import Synchronization

/// Shows the progress of a long command on standard error: a bar on a terminal, otherwise a line
/// for each tenth.
final class ProgressReport: Sendable {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let shown = Mutex("")

    /// - Parameters:
    ///   - step: name of the present step.
    ///   - part: subject of the step, shown after the bar.
    ///   - done: the part of `total` that is done.
    ///   - total: the whole, in any unit.
    func show(_ step: String, part: String = "", done: Int, total: Int) {
        guard total > 0 else { return }
        let percent = min(100, done * 100 / total)
        let text = isTerminal ? bar(step, part, percent) : "\(step), \(percent / 10 * 10) %"
        shown.withLock { shown in
            guard text != shown else { return }
            shown = text
            write(isTerminal ? "\r\(text)\u{1B}[K" : text + "\n")
        }
    }

    /// Ends the line of the bar, so that the next output begins on a new line.
    func end() {
        shown.withLock { shown in
            if isTerminal, !shown.isEmpty { write("\n") }
            shown = ""
        }
    }

    private func bar(_ step: String, _ part: String, _ percent: Int) -> String {
        let filled = percent * 30 / 100
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: 30 - filled)
        return "\(step) [\(bar)] \(percent) % \(part)"
    }

    private func write(_ text: String) { Output.note(text) }
}

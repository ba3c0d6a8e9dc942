import Foundation
import Synchronization

/// Says on standard error how far a long command is: a bar on a terminal, elsewhere a line for each
/// tenth.
final class ProgressReport: Sendable {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let shown = Mutex("")

    /// - Parameters:
    ///   - step: what is being done.
    ///   - part: of what, for the bar.
    ///   - done: how much of `total`.
    ///   - total: in whatever unit.
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

    /// Ends the line of the bar, so that what comes next has one of its own.
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

import DequeModule
import Synchronization

/// Where guesses at one subject stand in line, so that no more are tried at once than would be one
/// after the other.
///
/// A guess that is being tried may turn out wrong. Until that is known, those who come after it
/// take it for a failure: they go forward as long as all together are within what the limit still
/// lets through, and otherwise wait for one of those before them. So who has the right password
/// waits a little, and a burst of guesses gets no more tries than it would have had one by one.
package final class GuessLine: Sendable {
    private struct Line {
        /// Those that are tried now.
        var tried = 0
        /// Whether somebody finds out whether to go forward: one at a time, in the order in which
        /// they came.
        var isAsking = false
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
        /// The one who asks, once the answer was to wait for somebody to leave.
        var held: CheckedContinuation<Void, Never>?

        var isIdle: Bool { tried == 0 && !isAsking }
    }

    private let lines = Mutex<[ThrottleSubject: Line]>([:])

    /// How many may wait at one subject.
    private static let capacity = 1000

    package init() {}

    /// Returns when it is this one's turn to be tried. ``leave(_:)`` has to follow.
    /// - Parameters:
    ///   - subject: what is guessed at, or from where.
    ///   - hasRoom: looks into the storage, given how many are tried already; throws to refuse.
    /// - Throws: `overloaded` when too many wait; what `hasRoom` throws.
    package func enter(_ subject: ThrottleSubject, hasRoom: (_ tried: Int) async throws -> Bool) async throws {
        try await beginAsking(subject)
        var isTried = false
        defer { endAsking(subject, isTried: isTried) }
        while true {
            // Before the storage is looked into: who leaves in between is counted twice, never not
            // at all.
            let tried = lines.withLock { $0[subject]?.tried ?? 0 }
            if try await hasRoom(tried) { break }
            await somebodyLeaves(subject, of: tried)
        }
        isTried = true
    }

    /// To be called when the storage has what became of the guess.
    package func leave(_ subject: ThrottleSubject) {
        change(subject) { line in
            line.tried -= 1
            defer { line.held = nil }
            return line.held
        }
    }

    private func beginAsking(_ subject: ThrottleSubject) async throws {
        let isFull = lines.withLock { ($0[subject]?.waiting.count ?? 0) >= Self.capacity }
        guard !isFull else {
            throw AuthError(.overloaded, "too many sign-ins at the moment, try again later", retryAfter: 1)
        }
        await withCheckedContinuation { continuation in
            change(subject) { line in
                guard line.isAsking else {
                    line.isAsking = true
                    return continuation
                }
                line.waiting.append(continuation)
                return nil
            }
        }
    }

    private func endAsking(_ subject: ThrottleSubject, isTried: Bool) {
        change(subject) { line in
            if isTried { line.tried += 1 }
            let next = line.waiting.popFirst()
            line.isAsking = next != nil
            return next
        }
    }

    private func somebodyLeaves(_ subject: ThrottleSubject, of tried: Int) async {
        await withCheckedContinuation { continuation in
            change(subject) { line in
                guard line.tried == tried else { return continuation }
                line.held = continuation
                return nil
            }
        }
    }

    /// Changes a line and lets go on whom `change` returns. Nothing stays of a line in which nobody
    /// is.
    private func change(_ subject: ThrottleSubject, _ change: (inout Line) -> CheckedContinuation<Void, Never>?) {
        let continuation = lines.withLock { lines in
            var line = lines[subject] ?? Line()
            defer { lines[subject] = line.isIdle ? nil : line }
            return change(&line)
        }
        continuation?.resume()
    }
}

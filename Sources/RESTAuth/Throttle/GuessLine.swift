import DequeModule
import Synchronization

/// Queues of concurrent guesses, one a subject: a burst of guesses gets no more tries than the same
/// guesses one after the other.
///
/// A guess that is being compared is taken for a failure until the outcome is known. The next one
/// is admitted while the limit has room for all of these, and otherwise waits until one of them
/// ends. The right password in the middle of an attack waits a little.
package final class GuessLine: Sendable {
    private struct Line {
        /// The number of guesses that are being compared.
        var tried = 0
        /// Whether a guess is finding out whether it is admitted: one at a time, in the order of
        /// arrival.
        var isAsking = false
        var waiting: Deque<CheckedContinuation<Void, Never>> = []
        /// The guess that is finding out, when it has to wait for another one to end.
        var held: CheckedContinuation<Void, Never>?

        var isIdle: Bool { tried == 0 && !isAsking }
    }

    private let lines = Mutex<[ThrottleSubject: Line]>([:])

    /// The most guesses that may wait at one subject.
    private static let capacity = 1000

    package init() {}

    /// Waits until a guess is admitted. A call of ``leave(_:)`` must follow.
    /// - Parameters:
    ///   - subject: the account or network that the guess is counted by.
    ///   - hasRoom: reads the counter in the storage, given the number of guesses that are being
    ///     compared; throws to refuse.
    /// - Throws: `overloaded` when too many wait; what `hasRoom` throws.
    package func enter(_ subject: ThrottleSubject, hasRoom: (_ tried: Int) async throws -> Bool) async throws {
        try await beginAsking(subject)
        var isTried = false
        defer { endAsking(subject, isTried: isTried) }
        while true {
            // This is read before the storage: a guess that ends in between is counted twice, and
            // never missed.
            let tried = lines.withLock { $0[subject]?.tried ?? 0 }
            if try await hasRoom(tried) { break }
            await somebodyLeaves(subject, of: tried)
        }
        isTried = true
    }

    /// Ends a guess whose outcome is stored.
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

    /// Changes a queue, resumes the guess that `change` returns, and removes the queue when it is
    /// empty.
    private func change(_ subject: ThrottleSubject, _ change: (inout Line) -> CheckedContinuation<Void, Never>?) {
        let continuation = lines.withLock { lines in
            var line = lines[subject] ?? Line()
            defer { lines[subject] = line.isIdle ? nil : line }
            return change(&line)
        }
        continuation?.resume()
    }
}

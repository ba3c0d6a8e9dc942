import RESTAuth
import Synchronization

/// Lines between the task that reads them and the one that works on them, which is slower: the
/// reader waits while there are as many as may wait. The other one takes all that there are, so the
/// more there is to do, the more is done at once.
final class LineQueue: Sendable {
    private struct State {
        var lines: [LineSplitter.Line] = []
        var bytes = 0
        var isFinished = false
        /// Whether nobody takes lines any more.
        var isClosed = false
        var failure: (any Error)?
        var reader: CheckedContinuation<Void, Never>?
        var worker: CheckedContinuation<Void, Never>?

        var isFull: Bool { lines.count >= LineQueue.mostLines || bytes >= LineQueue.mostBytes }
    }

    /// Lines, and bytes in them, from which on the reader waits.
    private static let mostLines = 1000
    private static let mostBytes = 1 << 20

    private let state = Mutex(State())

    /// Adds lines, and waits until there is room for more.
    /// - Returns: whether anybody takes them.
    func put(_ lines: [LineSplitter.Line]) async -> Bool {
        let worker = state.withLock { state in
            state.lines += lines
            state.bytes += lines.reduce(0) { $0 + $1.bytes.count }
            return state.lines.isEmpty ? nil : state.worker.take()
        }
        worker?.resume()
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.isFull, !state.isClosed else { return true }
                state.reader = continuation
                return false
            }
            if isOver { continuation.resume() }
        }
        return state.withLock { !$0.isClosed }
    }

    /// Ends the lines.
    /// - Parameter failure: the reason why they are not whole. Then those that wait are dropped.
    func finish(_ failure: (any Error)? = nil) {
        state.withLock { state in
            (state.isFinished, state.failure) = (true, failure)
            return state.worker.take()
        }?.resume()
    }

    /// Ends the taking of lines.
    func close() {
        state.withLock { state in
            state.isClosed = true
            return state.reader.take()
        }?.resume()
    }

    /// The lines that wait, at least one; none at the end.
    /// - Throws: the failure that ``finish(_:)`` was given.
    func next() async throws -> [LineSplitter.Line] {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                guard state.lines.isEmpty, !state.isFinished else { return true }
                state.worker = continuation
                return false
            }
            if isThere { continuation.resume() }
        }
        let (lines, failure, reader) = state.withLock { state in
            defer { (state.lines, state.bytes) = ([], 0) }
            return (state.lines, state.failure, state.reader.take())
        }
        reader?.resume()
        if let failure { throw failure }
        return lines
    }
}

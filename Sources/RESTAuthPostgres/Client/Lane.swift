import DequeModule
import Foundation
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A queue of transactions and the connections that serve it, each with a thread of its own.
///
/// Transactions are served in the order in which they come. The queue is bounded, and none waits in
/// it beyond its deadline. A lost connection is opened again at once, and then less and less often.
final class Lane: Sendable {
    private struct State {
        var waiting: Deque<Transaction> = []
        /// Wake-up calls of the connections that wait for work.
        var parked: [WakeUpCall] = []
        var openCount = 0
        /// Whether the last attempt to connect failed.
        var isFailing = false
        var isClosed = false
        var hasTimer = false
    }

    private static let closed = PostgresError.connectionLost("the storage is not used any more")
    /// Number of transactions sent together at most; their answers come together, too.
    private static let longestFlight = 16
    private static let longestPause: Duration = .milliseconds(500)
    private static let idleBetweenPings: Duration = .seconds(15)

    private let state = Mutex(State())
    private let connector: Connector
    /// Number of transactions that may be under way on one connection.
    private let depth: Int
    private let logger = Logger(label: "rest-auth.postgres")

    /// Starts the threads.
    /// - Parameters:
    ///   - calls: a wake-up call for each connection.
    ///   - depth: the transactions that may be under way on one connection. For reads it may be
    ///     large, as they wait for no lock and no disk. For writes it is one: a transaction behind
    ///     another would wait for its commit, and the server commits together what comes on
    ///     different connections.
    ///   - name: the name of the threads.
    init(_ connector: Connector, calls: [WakeUpCall], depth: Int, name: String) {
        self.connector = connector
        self.depth = depth
        for (number, call) in calls.enumerated() {
            let thread = Thread { [self] in run(call) }
            thread.name = "\(name)-\(number + 1)"
            thread.start()
        }
    }

    // MARK: The queue

    /// Adds a transaction to the queue.
    /// - Throws: `queueFull`.
    func add(_ transaction: Transaction) throws(PostgresError) {
        guard enqueue(transaction, isFirst: false) else { throw .queueFull }
    }

    /// Puts transactions that were not run back at the front of the queue, in their order.
    private func putBack(_ transactions: [Transaction]) {
        for transaction in transactions.reversed() where !enqueue(transaction, isFirst: true) {
            transaction.finish(.failure(Self.closed))
        }
    }

    /// Puts a transaction into the queue, at the front if `isFirst`, even when the queue is full.
    /// - Returns: whether there was room for it.
    private func enqueue(_ transaction: Transaction, isFirst: Bool) -> Bool {
        let (hasRoom, call) = state.withLock { state -> (Bool, WakeUpCall?) in
            guard !state.isClosed, isFirst || state.waiting.count < connector.configuration.queue else {
                return (false, nil)
            }
            if isFirst { state.waiting.prepend(transaction) } else { state.waiting.append(transaction) }
            if !state.hasTimer {
                state.hasTimer = true
                expireLater()
            }
            return (true, state.parked.popLast())
        }
        call?.ring()
        return hasRoom
    }

    /// Takes at most `count` waiting transactions to be sent together. When there are none, `call`
    /// rings as soon as one comes.
    private func next(_ count: Int, _ call: WakeUpCall) -> [Transaction] {
        state.withLock { state in
            state.parked.removeAll { $0 === call }
            var next: [Transaction] = []
            while next.count < count, next.last?.travelsAlone != true, let transaction = state.waiting.first {
                if transaction.travelsAlone, !next.isEmpty { break }
                state.waiting.removeFirst()
                if transaction.beginAttempt() { next.append(transaction) }
            }
            if next.isEmpty { state.parked.append(call) }
            return next
        }
    }

    /// Checks for overdue transactions every 100 ms, while any wait.
    private func expireLater() {
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(100)) { [weak self] in self?.expire() }
    }

    private func expire() {
        let now = ContinuousClock.now
        let overdue = state.withLock { state in
            let overdue = state.waiting.filter { $0.deadline <= now || $0.isAnswered }
            if !overdue.isEmpty { state.waiting.removeAll { $0.deadline <= now || $0.isAnswered } }
            state.hasTimer = !state.waiting.isEmpty
            if state.hasTimer { expireLater() }
            return overdue
        }
        for transaction in overdue { transaction.finish(.failure(PostgresError.timedOut)) }
    }

    /// Ends the threads. Transactions that wait are answered with an error.
    func close() {
        let (waiting, parked) = state.withLock { state in
            defer { (state.isClosed, state.waiting, state.parked) = (true, [], []) }
            return (state.waiting, state.parked)
        }
        for transaction in waiting { transaction.finish(.failure(Self.closed)) }
        for call in parked { call.ring() }
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }
    /// Whether no connection is open and the last attempt failed; `false` before the first attempt.
    var isCutOff: Bool { state.withLock { $0.openCount == 0 && $0.isFailing } }

    // MARK: A connection's thread

    private func run(_ call: WakeUpCall) {
        var pause: Duration = .zero
        var reported: String?
        while !isClosed {
            let start = ContinuousClock.now
            do {
                try connectAndServe(call) {
                    if reported != nil { logger.notice("connected to the database again") }
                    reported = nil
                }
            } catch {
                state.withLock { $0.isFailing = true }
                // Each reason is logged once, not at every attempt to connect.
                if "\(error)" != reported {
                    logger.warning("a connection to the database was lost", metadata: ["error": "\(error)"])
                }
                reported = "\(error)"
            }
            passOn(call)
            // A server that accepts connections and does nothing with them is tried less and less
            // often, too.
            if .now - start > .seconds(1) { pause = .zero }
            call.wait(pause * Double.random(in: 0.5...1))
            pause = min(max(pause * 2, .milliseconds(20)), Self.longestPause)
        }
    }

    /// Passes a call, which may have rung for work, on to another connection that waits for work.
    private func passOn(_ call: WakeUpCall) {
        let other = state.withLock { state in
            state.parked.removeAll { $0 === call }
            return state.waiting.isEmpty ? nil : state.parked.popLast()
        }
        other?.ring()
    }

    private func connectAndServe(_ call: WakeUpCall, hasAnswered: () -> Void) throws {
        let pipeline = try Pipeline(connector.connect())
        state.withLock { ($0.openCount, $0.isFailing) = ($0.openCount + 1, false) }
        defer { state.withLock { $0.openCount -= 1 } }
        do {
            try serve(pipeline, call, hasAnswered: hasAnswered)
            giveBack(pipeline.takeUnanswered(), Self.closed)
        } catch {
            giveBack(pipeline.takeUnanswered(), error)
            throw error
        }
    }

    private func serve(_ pipeline: Pipeline, _ call: WakeUpCall, hasAnswered: () -> Void) throws {
        while !isClosed {
            while pipeline.depth < depth {
                let transactions = next(min(depth - pipeline.depth, Self.longestFlight), call)
                guard !transactions.isEmpty else { break }
                try pipeline.send(transactions)
            }
            if pipeline.hasUnsentBytes { try pipeline.flush() }
            let hasSpoken = call.wait(Self.patience(pipeline), for: pipeline.socket, toWrite: pipeline.hasUnsentBytes)
            try receive(from: pipeline, hasAnswered: hasAnswered)
            let now = ContinuousClock.now
            pipeline.expire(at: now)
            guard pipeline.silence(at: now) < .seconds(connector.configuration.timeout + 1) else {
                throw PostgresError.connectionLost("the server does not answer")
            }
            guard !hasSpoken, pipeline.depth == 0 else { continue }
            // Until this connection is known to be alive, others get the work.
            passOn(call)
            try pipeline.ping()
        }
    }

    /// The time to wait for the server or for work.
    private static func patience(_ pipeline: Pipeline) -> Duration {
        guard pipeline.depth > 0 else { return idleBetweenPings }
        guard let deadline = pipeline.firstDeadline, deadline > .now else { return .milliseconds(100) }
        return deadline - .now
    }

    /// Handles what the server has sent: answers transactions, or puts them back to be tried again.
    /// - Throws: the reason why this connection cannot be used any more.
    private func receive(from pipeline: Pipeline, hasAnswered: () -> Void) throws {
        var unusable: PostgresError?
        var again: [Transaction] = []
        defer { putBack(again) }
        try pipeline.receive { transaction, outcome in
            switch outcome {
            case .success(let rows):
                hasAnswered()
                transaction.finish(.success(rows))
            case .failure(.abandoned):
                transaction.wasAbandoned()
                again.append(transaction)
            case .failure(let error) where error.asksForAnotherTry: again.append(transaction)
            case .failure(let error) where pipeline.isSpent(by: error):
                again.append(transaction)
                unusable = error
            case .failure(let error): transaction.finish(.failure(error))
            }
        }
        guard let unusable else { return }
        if unusable.state?.isSignOfPooler == true, connector.noteSignOfPooler() {
            logger.warning(
                """
                a pooler stands between that was not recognised: statements are not prepared any more; set \
                database_pooler to yes
                """
            )
        }
        throw unusable
    }

    private func giveBack(_ transactions: [Transaction], _ error: any Error) {
        for transaction in transactions where !transaction.isRepeatable { transaction.finish(.failure(error)) }
        let repeated = transactions.filter(\.isRepeatable)
        for transaction in repeated { transaction.lostAnswer() }
        putBack(repeated)
    }
}

import CLibpq
import Crypto
import DequeModule
import Foundation

/// A connection on which transactions are sent without waiting for the answers to those before
/// (libpq's pipeline mode).
///
/// Answers come in the order of the questions. What was sent together ends with a synchronisation
/// point: what fails takes nothing of the next with it.
final class Pipeline {
    /// What was sent together and has not been answered.
    private struct Flight {
        /// None for a question whose point is only whether it is answered.
        let transactions: [Transaction]
        /// What the server will answer.
        var replies: Deque<Reply> = []
        /// Of each transaction.
        var results: [[Rows]]
        var failure: PostgresError?
        /// The transaction that failed; those after it were not run because of it.
        var failed = 0
        /// The transaction that is answered next.
        var current = 0

        init(_ transactions: [Transaction]) {
            self.transactions = transactions
            results = transactions.map { _ in [] }
        }

        mutating func take(_ rows: Rows) {
            results[current].append(rows)
            moveOn()
        }

        mutating func fail(_ error: PostgresError) {
            guard failure == nil else { return }
            // What fails after the last answer is the commit.
            (failure, failed) = (error, min(current, transactions.count - 1))
        }

        /// Whether everything in it has been answered, once: also for what failed, the rest was
        /// said not to have been run.
        var isAnswered: Bool { replies.isEmpty && (failure != nil || current == transactions.count) }

        private mutating func moveOn() {
            while current < transactions.count, results[current].count == transactions[current].statements.count {
                current += 1
            }
        }

        /// What became of each. A failure undoes all that was sent together: for what only reads
        /// that is no loss.
        func outcome(of index: Int) -> Result<[Rows], PostgresError> {
            guard let failure, index >= failed else { return .success(results[index]) }
            return .failure(index == failed ? failure : .abandoned)
        }
    }

    /// What the server will answer next.
    private enum Reply {
        case prepared(Prepared)
        case rows(Prepared)
    }

    /// What a statement is, whatever its values.
    private struct Shape: Hashable {
        let sql: String
        let types: [Oid]

        /// Says all of it. Where a connection turns out to be somebody else's too, the name of one
        /// statement is never another's.
        var name: String {
            var digest = SHA256()
            digest.update(data: Array(sql.utf8) + [0])
            for type in types { withUnsafeBytes(of: type.bigEndian) { digest.update(bufferPointer: $0) } }
            let digits = digest.finalize().prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            return "rest_auth_" + digits.joined()
        }
    }

    /// A statement that the server is to parse, for as long as the connection lives.
    private final class Prepared {
        let shape: Shape
        let name: String
        /// Whether the server has said that it has it.
        var isKnown = false
        var columns: Columns?

        init(_ shape: Shape, name: String) {
            self.shape = shape
            self.name = name
        }
    }

    private let connection: Connection
    private let preparesStatements: Bool
    private var prepared: [Shape: Prepared] = [:]
    private var flights: Deque<Flight> = []
    /// When the server was last heard, or was first owed to be.
    private var heardAt = ContinuousClock.now
    private(set) var hasUnsentBytes = false

    init(_ connection: Connection) throws(PostgresError) {
        self.connection = connection
        preparesStatements = !connection.isThroughPooler
        guard PQsetnonblocking(connection.handle, 1) == 0, PQenterPipelineMode(connection.handle) == 1 else {
            throw connection.lost
        }
    }

    var socket: Int32 { PQsocket(connection.handle) }
    /// How many answers are owed.
    private(set) var depth = 0

    // MARK: Sending

    /// Puts transactions on the way: one that writes, or several that only read. Also when this
    /// throws they count as sent.
    func send(_ transactions: [Transaction]) throws(PostgresError) {
        if flights.isEmpty { heardAt = .now }
        flights.append(Flight(transactions))
        depth += max(1, transactions.count)
        for transaction in transactions {
            for statement in transaction.statements { try send(statement) }
        }
        guard PQpipelineSync(connection.handle) == 1 else { throw connection.lost }
        try flush()
    }

    /// Asks for nothing but an answer.
    func ping() throws(PostgresError) { try send([]) }

    private func send(_ statement: Statement) throws(PostgresError) {
        let (known, isNew) = prepared(statement)
        let count = Int32(statement.types.count)
        let formats = [Int32](repeating: 1, count: statement.types.count)
        if isNew, preparesStatements {
            flights[flights.count - 1].replies.append(.prepared(known))
            guard PQsendPrepare(connection.handle, known.name, statement.sql, count, statement.types) == 1 else {
                throw connection.lost
            }
        }
        flights[flights.count - 1].replies.append(.rows(known))
        let isSent = statement.withParameters { parameters in
            preparesStatements
                ? PQsendQueryPrepared(connection.handle, known.name, count, parameters, statement.lengths, formats, 1)
                : PQsendQueryParams(
                    connection.handle, statement.sql, count, statement.types, parameters, statement.lengths, formats, 1)
        }
        guard isSent == 1 else { throw connection.lost }
    }

    private func prepared(_ statement: Statement) -> (Prepared, isNew: Bool) {
        let shape = Shape(sql: statement.sql, types: statement.types)
        if let known = prepared[shape] { return (known, false) }
        let new = Prepared(shape, name: preparesStatements ? shape.name : "")
        prepared[shape] = new
        return (new, true)
    }

    /// Sends what the socket did not take before.
    func flush() throws(PostgresError) {
        let outcome = PQflush(connection.handle)
        guard outcome >= 0 else { throw connection.lost }
        hasUnsentBytes = outcome == 1
    }

    // MARK: Receiving

    /// Takes what the server has sent.
    /// - Parameter settle: is called for each transaction that is over, with its rows or why there
    ///   are none.
    /// - Throws: `connectionLost`; ``takeUnanswered()`` has what was on the way.
    func receive(_ settle: (Transaction, Result<[Rows], PostgresError>) -> Void) throws(PostgresError) {
        guard PQconsumeInput(connection.handle) == 1 else { throw connection.lost }
        throwAwayNotifications()
        var ends = 0
        while !flights.isEmpty, PQisBusy(connection.handle) == 0 {
            guard let result = PQgetResult(connection.handle) else {
                // The end of one statement's results, or of everything.
                guard PQstatus(connection.handle) == CONNECTION_OK else { throw connection.lost }
                ends += 1
                guard ends < Self.mostEnds else { throw .misunderstood }
                continue
            }
            ends = 0
            heardAt = .now
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC {
                PQclear(result)
                // Otherwise what follows would be taken for the answers to the next.
                guard let flight = flights.first, flight.isAnswered else { throw .misunderstood }
                flights.removeFirst()
                depth -= max(1, flight.transactions.count)
                for (index, transaction) in flight.transactions.enumerated() {
                    settle(transaction, flight.outcome(of: index))
                }
            } else {
                try take(result)
            }
        }
    }

    /// libpq says once that a statement's results are over. Asked on and on it would say so for
    /// ever, when the server has said that all is over and something is still owed.
    private static let mostEnds = 8

    /// Nobody listens here. A connection on which somebody did would fill the memory.
    private func throwAwayNotifications() {
        while let notification = PQnotifies(connection.handle) { PQfreemem(notification) }
    }

    /// - Throws: `connectionLost` for what is no answer to what was asked: then nobody knows whose
    ///   answer comes next.
    private func take(_ result: OpaquePointer) throws(PostgresError) {
        switch (PQresultStatus(result), flights[0].replies.popFirst()) {
        case (PGRES_TUPLES_OK, .rows(let statement)), (PGRES_COMMAND_OK, .rows(let statement)):
            guard flights[0].failure == nil, let columns = columns(of: result, statement) else {
                PQclear(result)
                throw .misunderstood
            }
            flights[0].take(Rows(result, columns: columns))
            return
        case (PGRES_COMMAND_OK, .prepared(let statement)): statement.isKnown = true
        case (PGRES_FATAL_ERROR, let reply):
            if case .prepared(let statement) = reply { forget(statement) }
            flights[0].fail(reason(result, reply))
        case (PGRES_PIPELINE_ABORTED, let reply?):
            // What comes after a failure fails because of it.
            if case .prepared(let statement) = reply { forget(statement) }
            flights[0].fail(.misunderstood)
        default:
            PQclear(result)
            throw .misunderstood
        }
        PQclear(result)
    }

    private func columns(of result: OpaquePointer, _ statement: Prepared) -> Columns? {
        if let columns = statement.columns, columns.fit(result) { return columns }
        statement.columns = Columns(of: result)
        return statement.columns
    }

    private func forget(_ statement: Prepared) {
        if prepared[statement.shape] === statement { prepared[statement.shape] = nil }
    }

    private func reason(_ result: OpaquePointer, _ reply: Reply?) -> PostgresError {
        let failure = connection.failure(result)
        // It was to be prepared with what was sent before it, which failed.
        if case .rows(let statement) = reply, !statement.isKnown, failure.state == .unknownPreparedStatement {
            return preparesStatements ? .abandoned : failure
        }
        return failure
    }

    /// Whether the connection is of no more use because of that, and the same may succeed on
    /// another: the server that was the primary is a standby, or a prepared statement is not what
    /// it was, because the schema has changed or the server's connection is another one.
    func isSpent(by error: PostgresError) -> Bool {
        guard let state = error.state else { return false }
        return switch state {
        case .readOnlyTransaction: true
        case .cachedPlanChanged: preparesStatements
        default: preparesStatements && state.isSignOfPooler
        }
    }

    /// Answers those whose time is over; what the server says to them later is nobody's.
    func expire(at now: ContinuousClock.Instant) {
        for transaction in flights.lazy.flatMap(\.transactions) where transaction.deadline <= now {
            transaction.finish(.failure(PostgresError.timedOut))
        }
    }

    /// For how long the server has been silent although it owes an answer.
    func silence(at now: ContinuousClock.Instant) -> Duration {
        flights.isEmpty ? .zero : now - heardAt
    }

    /// When the first of those on the way is overdue.
    var firstDeadline: ContinuousClock.Instant? { flights.first?.transactions.first?.deadline }

    /// What was on the way when the connection was lost.
    func takeUnanswered() -> [Transaction] {
        defer { (flights, depth) = ([], 0) }
        return flights.flatMap(\.transactions)
    }
}

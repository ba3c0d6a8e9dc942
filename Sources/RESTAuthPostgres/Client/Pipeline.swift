import CLibpq
import Crypto
import DequeModule
import Foundation

/// A connection on which transactions are sent without waiting for earlier answers (libpq's
/// pipeline mode).
///
/// Answers come in the order of sending. Transactions that are sent together end with a
/// synchronisation point, so a failure does not affect those sent after it.
final class Pipeline {
    /// Transactions that were sent together and are not answered yet.
    private struct Flight {
        /// The transactions; none for a ping.
        let transactions: [Transaction]
        /// The replies that the server still owes.
        var replies: Deque<Reply> = []
        /// The rows of each transaction's statements so far.
        var results: [[Rows]]
        var failure: PostgresError?
        /// Index of the transaction that failed; those after it were not run because of it.
        var failed = 0
        /// Index of the transaction that is answered next.
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
            // A failure after the last answer is that of the commit.
            (failure, failed) = (error, min(current, transactions.count - 1))
        }

        /// Whether everything in it has been answered. After a failure the server reports the rest
        /// as not run.
        var isAnswered: Bool { replies.isEmpty && (failure != nil || current == transactions.count) }

        private mutating func moveOn() {
            while current < transactions.count, results[current].count == transactions[current].statements.count {
                current += 1
            }
        }

        /// The outcome of a transaction. A failure undoes all that was sent together; transactions
        /// that only read lose nothing by that.
        func outcome(of index: Int) -> Result<[Rows], PostgresError> {
            guard let failure, index >= failed else { return .success(results[index]) }
            return .failure(index == failed ? failure : .abandoned)
        }
    }

    /// A reply that the server owes.
    private enum Reply {
        case prepared(Prepared)
        case rows(Prepared)
    }

    /// The text and parameter types of a statement, without its values.
    private struct Shape: Hashable {
        let sql: String
        let types: [Oid]

        /// A name made of a digest of text and types. Even if other clients share the connection,
        /// two different statements never have the same name.
        var name: String {
            var digest = SHA256()
            digest.update(data: Array(sql.utf8) + [0])
            for type in types { withUnsafeBytes(of: type.bigEndian) { digest.update(bufferPointer: $0) } }
            let digits = digest.finalize().prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            return "rest_auth_" + digits.joined()
        }
    }

    /// A statement that the server parses once for the life of the connection.
    private final class Prepared {
        let shape: Shape
        let name: String
        /// Whether the server has confirmed it.
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
    /// Time of the server's last answer, or of sending when it owed none before.
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
    /// The number of transactions whose answers are owed; a ping counts as one.
    private(set) var depth = 0

    // MARK: Sending

    /// Sends transactions: one that writes, or several that only read. They count as sent even when
    /// this throws.
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

    /// Sends a synchronisation point only, to get an answer.
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

    /// Sends the bytes that the socket did not take before.
    func flush() throws(PostgresError) {
        let outcome = PQflush(connection.handle)
        guard outcome >= 0 else { throw connection.lost }
        hasUnsentBytes = outcome == 1
    }

    // MARK: Receiving

    /// Handles what the server has sent.
    /// - Parameter settle: is called for each finished transaction, with its rows or its error.
    /// - Throws: `connectionLost`; ``takeUnanswered()`` then has the transactions under way.
    func receive(_ settle: (Transaction, Result<[Rows], PostgresError>) -> Void) throws(PostgresError) {
        guard PQconsumeInput(connection.handle) == 1 else { throw connection.lost }
        throwAwayNotifications()
        var ends = 0
        while !flights.isEmpty, PQisBusy(connection.handle) == 0 {
            guard let result = PQgetResult(connection.handle) else {
                // The end of one statement's results, or of all results.
                guard PQstatus(connection.handle) == CONNECTION_OK else { throw connection.lost }
                ends += 1
                guard ends < Self.mostEnds else { throw .misunderstood }
                continue
            }
            ends = 0
            heardAt = .now
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC {
                PQclear(result)
                // Otherwise the following results would be taken for answers to the next
                // transactions.
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

    /// Number of ends in a row that is still plausible. libpq reports the end of a statement's
    /// results once; if the server ended everything while answers are owed, libpq would report it
    /// for ever.
    private static let mostEnds = 8

    /// Discards notifications. Nothing listens on this connection, and unread notifications would
    /// fill the memory.
    private func throwAwayNotifications() {
        while let notification = PQnotifies(connection.handle) { PQfreemem(notification) }
    }

    /// Handles one result.
    /// - Throws: `connectionLost` for a result that does not fit what was sent, as later results
    ///   could not be assigned either.
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
            // A statement after a failed one fails because of it.
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
        // The statement should have been prepared together with one before it that failed.
        if case .rows(let statement) = reply, !statement.isKnown, failure.state == .unknownPreparedStatement {
            return preparesStatements ? .abandoned : failure
        }
        return failure
    }

    /// Whether the error makes the connection unusable while another connection may succeed: the
    /// former primary is a standby now, or a prepared statement is not valid any more, because the
    /// schema has changed or the server's connection is another one.
    func isSpent(by error: PostgresError) -> Bool {
        guard let state = error.state else { return false }
        return switch state {
        case .readOnlyTransaction: true
        case .cachedPlanChanged: preparesStatements
        default: preparesStatements && state.isSignOfPooler
        }
    }

    /// Answers overdue transactions with an error; the server's later answers to them are
    /// discarded.
    func expire(at now: ContinuousClock.Instant) {
        for transaction in flights.lazy.flatMap(\.transactions) where transaction.deadline <= now {
            transaction.finish(.failure(PostgresError.timedOut))
        }
    }

    /// The time for which the server has been silent although it owes an answer.
    func silence(at now: ContinuousClock.Instant) -> Duration {
        flights.isEmpty ? .zero : now - heardAt
    }

    /// The deadline of the first transaction under way.
    var firstDeadline: ContinuousClock.Instant? { flights.first?.transactions.first?.deadline }

    /// Takes the transactions that were under way when the connection was lost.
    func takeUnanswered() -> [Transaction] {
        defer { (flights, depth) = ([], 0) }
        return flights.flatMap(\.transactions)
    }
}

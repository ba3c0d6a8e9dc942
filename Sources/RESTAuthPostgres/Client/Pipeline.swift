import CLibpq
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

    /// A statement that the server has parsed, for as long as the connection lives.
    private final class Prepared {
        let sql: String
        let name: String
        var columns: Columns?

        init(sql: String, name: String) {
            self.sql = sql
            self.name = name
        }
    }

    private let connection: Connection
    private let preparesStatements: Bool
    private var prepared: [String: Prepared] = [:]
    /// A name is used once, also when its statement could not be prepared.
    private var nameCount = 0
    private var flights: Deque<Flight> = []
    /// When the server was last heard, or was first owed to be.
    private var heardAt = ContinuousClock.now
    private(set) var hasUnsentBytes = false

    init(_ connection: Connection, preparesStatements: Bool) throws(PostgresError) {
        self.connection = connection
        self.preparesStatements = preparesStatements
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
        if let known = prepared[statement.sql] { return (known, false) }
        nameCount += 1
        let new = Prepared(sql: statement.sql, name: "rest_auth_\(nameCount)")
        prepared[statement.sql] = new
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
        while !flights.isEmpty, PQisBusy(connection.handle) == 0 {
            guard let result = PQgetResult(connection.handle) else {
                // The end of one statement's results, or of everything.
                guard PQstatus(connection.handle) == CONNECTION_OK else { throw connection.lost }
                continue
            }
            heardAt = .now
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC {
                PQclear(result)
                let flight = flights.removeFirst()
                depth -= max(1, flight.transactions.count)
                for (index, transaction) in flight.transactions.enumerated() {
                    settle(transaction, flight.outcome(of: index))
                }
            } else {
                take(result)
            }
        }
    }

    private func take(_ result: OpaquePointer) {
        switch (PQresultStatus(result), flights[0].replies.popFirst()) {
        case (PGRES_TUPLES_OK, .rows(let statement)), (PGRES_COMMAND_OK, .rows(let statement)):
            let columns = statement.columns ?? Columns(of: result)
            statement.columns = columns
            flights[0].take(Rows(result, columns: columns))
            return
        case (PGRES_COMMAND_OK, .prepared): break
        case (let status, let reply):
            if case .prepared(let statement) = reply { prepared[statement.sql] = nil }
            // What comes after a failure fails because of it.
            if status != PGRES_PIPELINE_ABORTED { flights[0].fail(connection.failure(result)) }
        }
        PQclear(result)
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

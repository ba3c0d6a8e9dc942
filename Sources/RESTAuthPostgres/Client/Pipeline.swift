import CLibpq
import DequeModule
import Foundation

/// A connection on which transactions are sent without waiting for the answers to those before (libpq's pipeline mode).
///
/// Answers come in the order of the questions. After each transaction stands a synchronisation point: what fails takes nothing else with it.
final class Pipeline {
    /// What has been sent and not been answered.
    private struct Flight {
        /// `nil` for a question whose point is only whether it is answered.
        let transaction: Transaction?
        var results: [Rows] = []
        var failure: PostgresError?
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
    private var replies: Deque<Reply> = []
    /// When the server was last heard, or was first owed to be.
    private var heardAt = ContinuousClock.now
    private(set) var hasUnsentBytes = false

    init(_ connection: Connection, preparesStatements: Bool) throws(PostgresError) {
        self.connection = connection
        self.preparesStatements = preparesStatements
        guard PQsetnonblocking(connection.handle, 1) == 0, PQenterPipelineMode(connection.handle) == 1 else { throw connection.lost }
    }

    var socket: Int32 { PQsocket(connection.handle) }
    /// How many answers are owed.
    var depth: Int { flights.count }

    // MARK: Sending

    /// Puts a transaction on the way. Also when this throws it counts as sent.
    func send(_ transaction: Transaction) throws(PostgresError) {
        begin(Flight(transaction: transaction))
        for statement in transaction.statements { try send(statement) }
        try endTransaction()
    }

    /// Asks for nothing but an answer.
    func ping() throws(PostgresError) {
        begin(Flight(transaction: nil))
        try endTransaction()
    }

    private func begin(_ flight: Flight) {
        if flights.isEmpty { heardAt = .now }
        flights.append(flight)
    }

    private func send(_ statement: Statement) throws(PostgresError) {
        let (known, isNew) = prepared(statement)
        let count = Int32(statement.types.count)
        let formats = [Int32](repeating: 1, count: statement.types.count)
        if isNew, preparesStatements {
            replies.append(.prepared(known))
            guard PQsendPrepare(connection.handle, known.name, statement.sql, count, statement.types) == 1 else { throw connection.lost }
        }
        replies.append(.rows(known))
        let isSent = statement.withParameters { parameters in
            preparesStatements
                ? PQsendQueryPrepared(connection.handle, known.name, count, parameters, statement.lengths, formats, 1)
                : PQsendQueryParams(connection.handle, statement.sql, count, statement.types, parameters, statement.lengths, formats, 1)
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

    private func endTransaction() throws(PostgresError) {
        guard PQpipelineSync(connection.handle) == 1 else { throw connection.lost }
        try flush()
    }

    /// Sends what the socket did not take before.
    func flush() throws(PostgresError) {
        let outcome = PQflush(connection.handle)
        guard outcome >= 0 else { throw connection.lost }
        hasUnsentBytes = outcome == 1
    }

    // MARK: Receiving

    /// Takes what the server has sent.
    /// - Parameter settle: is called for each transaction that is over, with its rows or why there are none.
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
                guard let transaction = flight.transaction else { continue }
                settle(transaction, flight.failure.map { .failure($0) } ?? .success(flight.results))
            } else {
                take(result)
            }
        }
    }

    private func take(_ result: OpaquePointer) {
        switch (PQresultStatus(result), replies.popFirst()) {
        case (PGRES_TUPLES_OK, .rows(let statement)), (PGRES_COMMAND_OK, .rows(let statement)):
            let columns = statement.columns ?? Columns(of: result)
            statement.columns = columns
            flights[0].results.append(Rows(result, columns: columns))
            return
        case (PGRES_COMMAND_OK, .prepared): break
        case (let status, let reply):
            if case .prepared(let statement) = reply { prepared[statement.sql] = nil }
            // What comes after a failure fails because of it.
            if status != PGRES_PIPELINE_ABORTED, flights[0].failure == nil { flights[0].failure = connection.failure(result) }
        }
        PQclear(result)
    }

    /// Answers those whose time is over; what the server says to them later is nobody's.
    func expire(at now: ContinuousClock.Instant) {
        for flight in flights {
            guard let transaction = flight.transaction, transaction.deadline <= now else { continue }
            transaction.finish(.failure(PostgresError.timedOut))
        }
    }

    /// For how long the server has been silent although it owes an answer.
    func silence(at now: ContinuousClock.Instant) -> Duration {
        flights.isEmpty ? .zero : now - heardAt
    }

    /// When the first of those on the way is overdue.
    var firstDeadline: ContinuousClock.Instant? { flights.first?.transaction?.deadline }

    /// What was on the way when the connection was lost.
    func takeUnanswered() -> [Transaction] {
        defer { flights = [] }
        return flights.compactMap(\.transaction)
    }
}

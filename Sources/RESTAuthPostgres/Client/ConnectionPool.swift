import RESTAuth

/// The rows that each statement of a committed transaction returned.
struct Written: Sendable {
    fileprivate let rows: [Rows]
    /// Whether an earlier attempt, whose answer was lost, may have been committed as well.
    let isRepeated: Bool

    subscript(index: Int) -> Rows { rows[index] }
}

/// The connections of one process to the database: one for all reads, several for writes, and one
/// that listens, if the database supports it.
final class ConnectionPool: Sendable {
    private let configuration: PostgresConfiguration
    private let reading: Lane
    private let writing: Lane
    private let listener: Listener?

    /// Number of transactions that may be under way on the reading connection.
    private static let readingDepth = 256

    /// Starts the connections.
    /// - Parameter channel: the channel on which the database announces revocation log entries;
    ///   `nil` when it cannot.
    /// - Throws: `misconfigured` when the process may open no more files; no thread was started
    ///   then.
    init(_ configuration: PostgresConfiguration, channel: String?) throws(AuthError) {
        self.configuration = configuration
        let connector = Connector(configuration)
        let listening = try WakeUpCall()
        let toRead = try WakeUpCall.several(1)
        let toWrite = try WakeUpCall.several(configuration.writers)
        listener = channel.map { Listener(connector, channel: $0, call: listening) }
        reading = Lane(connector, calls: toRead, depth: Self.readingDepth, name: "postgres-read")
        writing = Lane(connector, calls: toWrite, depth: 1, name: "postgres-write")
    }

    deinit {
        reading.close()
        writing.close()
        listener?.close()
    }

    /// Waits until the database announces revocation log entries, and no longer than `duration`.
    func news(within duration: Duration) async throws {
        guard let listener else { return try await Task.sleep(for: duration) }
        try await listener.news(within: duration)
    }

    /// Runs one statement that changes nothing.
    func read(_ statement: Statement) async throws -> Rows {
        let rows = try await run([statement], on: reading, isRepeatable: true)
        return rows[0]
    }

    /// Runs statements as one transaction, which is durable when this returns.
    /// - Parameter isRepeatable: whether running it twice has the same result. Then a connection
    ///   that is lost before the answer is no failure: the transaction is sent again.
    func write(_ statements: [Statement], isRepeatable: Bool) async throws -> Written {
        try await run(statements, on: writing, isRepeatable: isRepeatable)
    }

    private func run(_ statements: [Statement], on lane: Lane, isRepeatable: Bool) async throws -> Written {
        // If it were sent, it would fail everything that is sent with it.
        guard statements.allSatisfy(\.isStorable) else {
            throw PostgresError.refused(.characterNotInRepertoire, "a text has a NUL byte")
        }
        // When nothing is connected, a short wait may bring a connection back; a longer one would
        // only let callers pile up.
        let patience: Duration = lane.isCutOff ? .seconds(1) : .seconds(configuration.timeout)
        return try await withCheckedThrowingContinuation { continuation in
            let transaction = Transaction(statements, isRepeatable: isRepeatable, deadline: .now + patience) {
                let isRepeated = $1
                continuation.resume(with: $0.map { Written(rows: $0, isRepeated: isRepeated) })
            }
            do {
                try lane.add(transaction)
            } catch {
                transaction.finish(.failure(error))
            }
        }
    }
}

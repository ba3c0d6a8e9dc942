import Foundation
import Logging
public import RESTAuth

/// Storage in a PostgreSQL database, for any number of nodes.
///
/// Every method is one transaction that is sent to the database as a whole. None waits for this
/// process halfway, so no lock is held for longer than one round trip. Durability is the
/// database's: with the default `synchronous_commit`, acknowledged writes survive a crash and a
/// power loss.
///
/// The storage keeps no secret: every node needs the same one in its configuration.
public struct PostgresStorage: Storage {
    let pool: ConnectionPool
    let configuration: PostgresConfiguration
    let counting = CountingRounds()
    private let metrics = StorageMetrics()
    /// Name of the database, without a password.
    package let transferName: String
    /// Expression in statements that write revocation log entries, which notifies other nodes of
    /// them; may be empty.
    let announcement: String

    /// Connects, and brings the schema up to date if it is not and the role has the right to.
    /// - Parameters:
    ///   - configuration: the address of the database.
    ///   - createsMissing: whether to make the tables when there are none.
    /// - Throws: `misconfigured` when the database cannot be reached or used, with what to do about
    ///   it.
    public init(_ configuration: PostgresConfiguration, createsMissing: Bool = true) async throws {
        try await self.init(configuration, createsMissing: createsMissing, isFilled: false)
    }

    /// Opens a database that is to be filled by a transfer, or is partly filled.
    package init(filling configuration: PostgresConfiguration) async throws {
        try await self.init(configuration, createsMissing: true, isFilled: true)
    }

    private init(_ configuration: PostgresConfiguration, createsMissing: Bool, isFilled: Bool) async throws {
        try configuration.validate()
        let database = try await Self.onThread {
            try Schema.prepare(configuration, createsMissing: createsMissing, isFilled: isFilled)
        }
        announcement = database.announces ? ", pg_notify('\(Self.revocationChannel)', '')" : ""
        transferName = database.name
        self.configuration = configuration
        if database.isThroughPooler, configuration.pooler == .auto {
            Logger.current.notice(
                "a pooler stands between, so nothing is prepared or set up on a connection (database_pooler is auto)")
        }
        let canListen = database.announces && !database.isThroughPooler && !isFilled
        pool = try ConnectionPool(configuration, channel: canListen ? Self.revocationChannel : nil)
    }

    /// Brings the schema up to date as its owner, so that nodes do not need the right to.
    /// - Parameters:
    ///   - configuration: the connection, signed in as the owner.
    ///   - role: the role of the nodes, which gets rights on the rows, and none to change tables.
    ///     `nil` for none.
    ///   - caller: the caller, for the event.
    /// - Throws: `misconfigured`, with what to do about it.
    public static func applySchema(
        _ configuration: PostgresConfiguration, grantingRowsTo role: String? = nil, by caller: Caller = .application
    ) async throws {
        try configuration.validate()
        try await onThread {
            _ = try Schema.prepare(configuration, createsMissing: true, isFilled: false, by: caller)
            if let role { try Schema.grantRows(to: role, configuration) }
        }
    }

    /// Checks that ``init(_:createsMissing:)`` would succeed, as far as this can be told without
    /// changing anything.
    /// - Returns: the stored signing keys, if the schema is of this version; otherwise none.
    /// - Throws: `misconfigured`, with what to do about it.
    package static func checkUsable(
        _ configuration: PostgresConfiguration
    ) async throws -> (keys: [StoredSigningKey], boundRelyingParty: String?) {
        try configuration.validate()
        return try await onThread { try Schema.look(configuration) }
    }

    /// Whether a server takes connections, or refuses this one for a reason that stays, such as a
    /// wrong password. A server that is starting, or cannot be found or reached, may answer later.
    package static func isAnswering(_ configuration: PostgresConfiguration) async -> Bool {
        (try? await onThread { Connection.isAnswered(configuration) }) ?? false
    }

    /// Always `nil`: a secret stored in the database would lie beside the keys that it encrypts.
    public func instanceSecrets() throws -> InstanceSecrets? { nil }

    /// Runs `work` on a thread of its own: connecting blocks, which the threads of tasks must not
    /// do.
    static func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result(catching: work)) }.start()
        }
    }
}

// MARK: - Statements

extension PostgresStorage {
    /// Runs one statement that changes nothing, and returns its rows.
    func read(_ sql: String, _ parameters: [any PostgresParameter] = []) async throws -> Rows {
        do {
            return try await metrics.measure(.read) { try await pool.read(Statement(sql, parameters)) }
        } catch {
            throw Self.unavailable(error)
        }
    }

    /// Runs statements as one transaction, which is on disk when this returns.
    /// - Parameter isRepeatable: whether running it twice has the same result; then it is sent
    ///   again when its answer was lost.
    func write(isRepeatable: Bool = false, _ statements: Statement...) async throws -> Written {
        try await write(statements, isRepeatable: isRepeatable)
    }

    func write(_ statements: [Statement], isRepeatable: Bool = false) async throws -> Written {
        do {
            return try await metrics.measure(.write) {
                try await pool.write(statements, isRepeatable: isRepeatable)
            }
        } catch {
            throw Self.unavailable(error)
        }
    }

    /// Deletes rows that are not needed any more, skipping those that others are changing.
    /// - Parameters:
    ///   - table: the table.
    ///   - key: the column of the primary key.
    ///   - condition: the condition of rows to delete; `$1` is the date.
    ///   - limit: the number of rows to delete at most.
    /// - Returns: the number of deleted rows.
    func delete(
        from table: String, by key: String, where condition: String, _ date: Date, limit: Int
    ) async throws -> Int {
        try await write(
            isRepeatable: true,
            Statement(
                """
                DELETE FROM \(table) WHERE \(key) = ANY (ARRAY(
                    SELECT \(key) FROM \(table) WHERE \(condition) LIMIT $2 FOR UPDATE SKIP LOCKED))
                """, [date, limit])
        )[0].changedCount
    }

    static func unavailable(_ error: any Error) -> any Error {
        // The method that sent the statement knows what this error means.
        if let error = error as? PostgresError, error.state?.isIntegrityViolation == true { return error }
        StorageMetrics.countError()
        let answer = AuthError(.storageUnavailable, "the storage does not answer at the moment", retryAfter: 1)
        switch error as? PostgresError {
        case .refused(.diskFull, _):
            Shortage.noticeDisk()
            return answer
        case .connectionLost where Shortage.isOutOfFiles: return answer
        default: break
        }
        // The reason is logged only, as it can name tables and hosts.
        Logger.current.error("the database failed", metadata: ["error": "\(error)"])
        return answer
    }
}

import Foundation
import Logging
public import RESTAuth

/// The storage in a PostgreSQL database, for as many nodes as there are.
///
/// Every verb is one transaction that is sent to the database in one piece; none waits for this
/// process in the middle, so no lock outlives a trip. Durability is the database's: with its usual
/// `synchronous_commit`, what was acknowledged survives a crash and a loss of power.
///
/// It keeps no secret of its own: every node needs the same one by configuration.
public struct PostgresStorage: Storage {
    let pool: ConnectionPool
    let configuration: PostgresConfiguration
    let counting = CountingRounds()
    private let metrics = StorageMetrics()
    /// Where it is, without a password.
    package let transferName: String
    /// What a statement that logs revocations says beside, so that other nodes hear of them.
    let announcement: String

    /// Connects, and brings the schema up to date where it is not and the role may.
    /// - Parameters:
    ///   - configuration: where the database is.
    ///   - createsMissing: whether to make the tables when there are none.
    /// - Throws: `misconfigured` when the database cannot be reached or used, with what to do about
    ///   it.
    public init(_ configuration: PostgresConfiguration, createsMissing: Bool = true) async throws {
        try await self.init(configuration, createsMissing: createsMissing, isFilled: false)
    }

    /// Opens a database that a transfer fills, or goes on to fill.
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
        pool = ConnectionPool(configuration, channel: canListen ? Self.revocationChannel : nil)
    }

    /// Brings the schema up to date as its owner, so that nodes need no right to.
    /// - Parameters:
    ///   - configuration: signs in as the owner.
    ///   - role: whom the nodes sign in as; it is given the rows, and nothing that changes tables.
    ///     `nil` for nobody.
    ///   - caller: who does it.
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

    /// Makes sure that ``init(_:createsMissing:)`` would succeed, as far as can be told without
    /// changing anything.
    /// - Returns: the signing keys that are there, as far as the schema is of this version.
    /// - Throws: `misconfigured`, with what to do about it.
    package static func checkUsable(_ configuration: PostgresConfiguration) async throws -> [StoredSigningKey] {
        try configuration.validate()
        return try await onThread { try Schema.look(configuration) }
    }

    /// Whether a server is there and takes connections, or refuses this one for good: a wrong
    /// password, say. One that starts, or cannot be reached or found, may do so later.
    package static func isAnswering(_ configuration: PostgresConfiguration) async -> Bool {
        (try? await onThread { Connection.isAnswered(configuration) }) ?? false
    }

    /// `nil`: what is beside the data is the database's, and a secret there would lie beside the
    /// keys that it seals.
    public func instanceSecrets() throws -> InstanceSecrets? { nil }

    /// Connecting waits for the network, which no task's thread may do.
    static func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result(catching: work)) }.start()
        }
    }
}

// MARK: - Statements

extension PostgresStorage {
    /// The rows of one statement that changes nothing.
    func read(_ sql: String, _ parameters: [any PostgresParameter] = []) async throws -> Rows {
        do {
            return try await metrics.measure(.read) { try await pool.read(Statement(sql, parameters)) }
        } catch {
            throw Self.unavailable(error)
        }
    }

    /// Writes all or nothing, on disk when it returns.
    /// - Parameter isRepeatable: whether it comes to the same when it is done twice; then an answer
    ///   that was lost is asked for again.
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

    /// Deletes rows that are of no use any more, but for those that somebody else is changing.
    /// - Parameters:
    ///   - table: whose rows.
    ///   - key: the column that tells them apart.
    ///   - condition: when a row is of no use; `$1` is the date.
    ///   - limit: how many at most.
    /// - Returns: how many there were.
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
        // For the verb to say what it means.
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
        // The reason stays here: it can name tables and hosts.
        Logger.current.error("the database failed", metadata: ["error": "\(error)"])
        return answer
    }
}

import Foundation
package import RESTAuth

extension PostgresStorage {
    /// Reads the condition of a database, without changing it.
    /// - Throws: the error that the database answers, or that it does not answer.
    package static func condition(_ configuration: PostgresConfiguration) async throws -> DatabaseCondition {
        try await onThread { try Schema.condition(configuration) }
    }
}

extension Schema {
    fileprivate static func condition(_ configuration: PostgresConfiguration) throws -> DatabaseCondition {
        var configuration = configuration
        // Nothing is set up on a connection that other clients may share.
        configuration.pooler = .yes
        let connection = try Connection(configuration)
        let profile = try ServerProfile(connection)
        var condition = DatabaseCondition()
        (condition.obstacles, condition.isThroughPooler) = (profile.obstacles, profile.isThroughPooler)
        let asked = Date.now
        let clock = try connection.query(Statement("SELECT clock_timestamp() AS now")).first
        let answered = Date.now
        condition.roundTrip = answered.timeIntervalSince(asked)
        if let now: Date = try clock?["now"] {
            // The time of the answer is taken as the middle of the round trip.
            condition.clockOffset = now.timeIntervalSince(asked + condition.roundTrip / 2)
        }
        condition.unsafeSettings = try connection.query(
            Statement(
                """
                SELECT (name || ' = ' || setting)::text AS setting FROM pg_settings
                WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off' ORDER BY name
                """)
        ).map { try $0["setting"] }
        let connections = try connection.query(
            Statement(
                """
                SELECT (SELECT sum(setting::bigint * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END)
                        FROM pg_settings WHERE name IN ('max_connections', 'superuser_reserved_connections'))::bigint
                    - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS free
                """)
        ).first
        condition.freeConnections = try connections?["free"]
        guard try profile.closedTables.isEmpty && isOfThisVersion(connection) else { return condition }
        condition.hashSample = try connection.query(
            Statement(PostgresStorage.sampleOfHashes, [MissingPepper.sampleSize])
        ).map { try $0["password_hash"] }
        condition.newestRow = try connection.query(
            Statement(
                """
                SELECT greatest((SELECT created_at FROM users ORDER BY id DESC LIMIT 1),
                    (SELECT created_at FROM sessions ORDER BY id DESC LIMIT 1),
                    (SELECT at FROM revocations ORDER BY number DESC LIMIT 1)) AS newest
                """)
        ).first?["newest"]
        return condition
    }
}

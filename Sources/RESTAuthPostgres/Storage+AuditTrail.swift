import Foundation
public import RESTAuth

extension AuditRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            11, "seals of events",
            """
            -- Where the trail of sealed events ends and where it begins. One row, replaced as a whole.
            CREATE TABLE audit_chain (
                is_the_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_the_only_row),
                number bigint NOT NULL,
                digest bytea NOT NULL,
                pruned_number bigint NOT NULL CHECK (pruned_number BETWEEN 0 AND number),
                pruned_digest bytea NOT NULL,
                sealed_at timestamptz NOT NULL,
                seal bytea NOT NULL
            );
            """)
    ]
}

extension PostgresStorage {
    public func auditChain() async throws -> AuditChain? {
        try await read(
            "SELECT number, digest, pruned_number, pruned_digest, sealed_at, seal FROM audit_chain"
        ).first.map { row in
            AuditChain(
                head: AuditLink(number: try row["number"], digest: try row["digest"]),
                anchor: AuditLink(number: try row["pruned_number"], digest: try row["pruned_digest"]),
                sealedAt: try row["sealed_at"], seal: try row["seal"])
        }
    }

    public func unsealedEvents(limit: Int) async throws -> [StoredEvent] {
        try await read(
            "SELECT \(StoredEvent.columns) FROM audit_events WHERE number IS NULL ORDER BY id LIMIT $1", [limit]
        ).map(StoredEvent.init)
    }

    public func sealedEvents(after number: Int64?, limit: Int) async throws -> [StoredEvent] {
        let (condition, parameters): (String, [any PostgresParameter]) =
            if let number { ("number > $2", [number]) } else { ("number IS NOT NULL", []) }
        return try await read(
            "SELECT \(StoredEvent.columns) FROM audit_events WHERE \(condition) ORDER BY number LIMIT $1",
            [limit] + parameters
        ).map(StoredEvent.init)
    }

    public func lastEventNumber() async throws -> Int64? {
        try await read("SELECT number FROM audit_events WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1")
            .first?["number"]
    }

    public func seal(
        _ seals: [EventSeal], replacing present: AuditChain?, with chain: AuditChain
    ) async throws -> Bool {
        let change = """
            UPDATE audit_events SET number = $8 + place, seal = given.seal
            FROM unnest($9::bigint[], $10::bytea[]) WITH ORDINALITY AS given (id, seal, place)
            WHERE audit_events.id = given.id AND audit_events.number IS NULL AND EXISTS (SELECT FROM changed)
            """
        // Locked in the order of ids: another process that seals the same rows waits for the first.
        let condition = """
            (SELECT count(*) FROM (
                SELECT FROM audit_events WHERE id = ANY ($9) AND number IS NULL ORDER BY id FOR NO KEY UPDATE
            ) AS found) = cardinality($9)
            """
        return try await replacing(
            present, with: chain, if: condition, and: change,
            [present?.head.number ?? 0, PostgresArray(seals.map(\.id)), PostgresArray(seals.map(\.seal))])
    }

    public func restartTrail(
        replacing present: AuditChain?, with chain: AuditChain, recording event: AuthEvent
    ) async throws -> Bool {
        try await replacing(
            present, with: chain,
            and: """
                UPDATE audit_events SET number = NULL, seal = NULL
                WHERE number IS NOT NULL AND EXISTS (SELECT FROM changed)
                """, [], recording: event)
    }

    public func pruneEvents(replacing present: AuditChain, with chain: AuditChain) async throws -> Bool {
        try await replacing(
            present, with: chain, and: "DELETE FROM audit_events WHERE number <= $8 AND EXISTS (SELECT FROM changed)",
            [chain.anchor.number])
    }

    /// Replaces the chain if it is still `present`, and makes the change with it. A node that seals
    /// at the same time waits for this row, which nothing else locks, and then finds another chain
    /// in it.
    /// - Parameters:
    ///   - condition: a further condition for replacing the chain.
    ///   - change: the statement, which asks whether there is a row in `changed`.
    ///   - parameters: the parameters of condition and change, from `$8` on.
    ///   - event: recorded when the chain is replaced.
    private func replacing(
        _ present: AuditChain?, with chain: AuditChain, if condition: String = "true", and change: String,
        _ parameters: [any PostgresParameter], recording event: AuthEvent? = nil
    ) async throws -> Bool {
        let row: [any PostgresParameter] = [
            chain.head.number, chain.head.digest, chain.anchor.number, chain.anchor.digest, chain.sealedAt, chain.seal,
            present?.seal,
        ]
        let recorded = Statement.recorded(event.map { [($0, .once)] } ?? [], after: row.count + parameters.count)
        // The very first row is inserted; the second node to do so conflicts with it and finds
        // another seal.
        return try await write(
            Statement(
                """
                WITH changed AS (
                    INSERT INTO audit_chain (number, digest, pruned_number, pruned_digest, sealed_at, seal)
                    SELECT $1, $2, $3, $4, $5, $6
                    WHERE ($7 IS NULL OR EXISTS (SELECT FROM audit_chain)) AND \(condition)
                    ON CONFLICT (is_the_only_row) DO UPDATE SET
                        number = excluded.number, digest = excluded.digest, pruned_number = excluded.pruned_number,
                        pruned_digest = excluded.pruned_digest, sealed_at = excluded.sealed_at, seal = excluded.seal
                    WHERE audit_chain.seal = $7
                    RETURNING seal
                ), followed AS (\(change))\(recorded.sql)
                SELECT FROM changed
                """, row + parameters + recorded.parameters))[0].count == 1
    }

    public func events(matching query: EventQuery, limit: Int) async throws -> [StoredEvent] {
        var (conditions, parameters): ([String], [any PostgresParameter]) = ([], [limit])
        func require(_ condition: (_ place: String) -> String, _ parameter: any PostgresParameter) {
            parameters.append(parameter)
            conditions.append(condition("$\(parameters.count)"))
        }
        if let user = query.userID { require({ "user_id = \($0)" }, user) }
        if !query.names.isEmpty {
            require({ "name = ANY (\($0))" }, PostgresArray(query.names.map(\.rawValue).sorted()))
        }
        if let since = query.since { require({ "at >= \($0)" }, since) }
        if let until = query.until { require({ "at < \($0)" }, until) }
        let order: String
        switch query.order {
        case .newestFirst(let id):
            if let id { require({ "id < \($0)" }, id) }
            order = "id DESC"
        case .byNumber(let first, let last):
            require({ "number > \($0)" }, first)
            require({ "number <= \($0)" }, last)
            order = "number"
        case .beyond(let number, let id):
            require({ "(number IS NULL OR number > \($0))" }, number)
            require({ "id > \($0)" }, id)
            order = "id"
        }
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return try await read(
            "SELECT \(StoredEvent.columns) FROM audit_events \(condition) ORDER BY \(order) LIMIT $1", parameters
        ).map(StoredEvent.init)
    }
}

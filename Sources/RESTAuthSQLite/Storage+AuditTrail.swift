import Foundation
import GRDB
public import RESTAuth

extension AuditRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            11, "seals of events",
            """
            -- Where the trail of sealed events ends and where it begins. One row, replaced as a whole.
            CREATE TABLE audit_chain (
                is_the_only_row INTEGER PRIMARY KEY CHECK (is_the_only_row = 1),
                number INTEGER NOT NULL,
                digest BLOB NOT NULL,
                pruned_number INTEGER NOT NULL CHECK (pruned_number BETWEEN 0 AND number),
                pruned_digest BLOB NOT NULL,
                sealed_at REAL NOT NULL,
                seal BLOB NOT NULL
            ) STRICT;
            """)
    ]
}

extension SQLiteStorage {
    public func auditChain() async throws -> AuditChain? {
        try read { try $0.auditChain() }
    }

    public func unsealedEvents(limit: Int) async throws -> [StoredEvent] {
        try read { database in
            try database.rows(
                "SELECT \(StoredEvent.columns) FROM audit_events WHERE number IS NULL ORDER BY id LIMIT ?", [limit]
            ) { try StoredEvent($0) }
        }
    }

    public func sealedEvents(after number: Int64?, limit: Int) async throws -> [StoredEvent] {
        let (condition, arguments): (String, StatementArguments) =
            if let number { ("number > ?", [number]) } else { ("number IS NOT NULL", []) }
        return try read { database in
            try database.rows(
                "SELECT \(StoredEvent.columns) FROM audit_events WHERE \(condition) ORDER BY number LIMIT ?",
                arguments + [limit]
            ) { try StoredEvent($0) }
        }
    }

    public func lastEventNumber() async throws -> Int64? {
        try read { database in
            try database.row(
                "SELECT number FROM audit_events WHERE number IS NOT NULL ORDER BY number DESC LIMIT 1", []
            ) { try $0["number"] }
        }
    }

    public func seal(
        _ seals: [EventSeal], replacing present: AuditChain?, with chain: AuditChain
    ) async throws -> Bool {
        do {
            return try await write { database in
                guard try database.replace(present, with: chain) else { return false }
                var number = present?.head.number ?? 0
                for seal in seals {
                    number += 1
                    try database.run(
                        "UPDATE audit_events SET number = ?, seal = ? WHERE id = ? AND number IS NULL",
                        [number, Data(seal.seal), seal.id])
                    guard database.changesCount == 1 else { throw RowMissing() }
                }
                return true
            }
        } catch is RowMissing {
            return false
        }
    }

    public func restartTrail(
        replacing present: AuditChain?, with chain: AuditChain, recording event: AuthEvent
    ) async throws -> Bool {
        try await write { database in
            guard try database.replace(present, with: chain) else { return false }
            try database.run("UPDATE audit_events SET number = NULL, seal = NULL WHERE number IS NOT NULL")
            try database.append(event)
            return true
        }
    }

    public func pruneEvents(replacing present: AuditChain, with chain: AuditChain) async throws -> Bool {
        try await write { database in
            guard try database.replace(present, with: chain) else { return false }
            try database.run("DELETE FROM audit_events WHERE number <= ?", [chain.anchor.number])
            return true
        }
    }

    public func events(matching query: EventQuery, limit: Int) async throws -> [StoredEvent] {
        var (conditions, arguments): ([String], StatementArguments) = ([], [])
        func require(_ condition: String, _ values: StatementArguments) {
            conditions.append(condition)
            arguments += values
        }
        if let user = query.userID { require("user_id = ?", [user]) }
        if !query.names.isEmpty {
            let places = query.names.map { _ in "?" }.joined(separator: ", ")
            require("name IN (\(places))", StatementArguments(query.names.map(\.rawValue).sorted()))
        }
        if let since = query.since { require("at >= ?", [since.timeIntervalSince1970]) }
        if let until = query.until { require("at < ?", [until.timeIntervalSince1970]) }
        let order: String
        switch query.order {
        case .newestFirst(let id):
            if let id { require("id < ?", [id]) }
            order = "id DESC"
        case .byNumber(let first, let last):
            require("number > ? AND number <= ?", [first, last])
            order = "number"
        case .beyond(let number, let id):
            require("(number IS NULL OR number > ?) AND id > ?", [number, id])
            order = "id"
        }
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return try read { [arguments] database in
            try database.rows(
                "SELECT \(StoredEvent.columns) FROM audit_events \(condition) ORDER BY \(order) LIMIT ?",
                arguments + [limit]
            ) { try StoredEvent($0) }
        }
    }
}

/// Thrown to roll back the seals when a row is gone or has a number already.
private struct RowMissing: Error {}

extension Database {
    fileprivate func auditChain() throws -> AuditChain? {
        try row("SELECT number, digest, pruned_number, pruned_digest, sealed_at, seal FROM audit_chain", []) { row in
            try AuditChain(
                head: AuditLink(number: row["number"], digest: row["digest"]),
                anchor: AuditLink(number: row["pruned_number"], digest: row["pruned_digest"]),
                sealedAt: row["sealed_at"], seal: row["seal"])
        }
    }

    /// Replaces the stored chain if it is `present`.
    /// - Returns: whether it was replaced.
    fileprivate func replace(_ present: AuditChain?, with chain: AuditChain) throws -> Bool {
        guard try auditChain()?.seal == present?.seal else { return false }
        try run(
            """
            INSERT OR REPLACE INTO audit_chain (
                is_the_only_row, number, digest, pruned_number, pruned_digest, sealed_at, seal)
            VALUES (1, ?, ?, ?, ?, ?, ?)
            """,
            [
                chain.head.number, Data(chain.head.digest), chain.anchor.number, Data(chain.anchor.digest),
                chain.sealedAt.timeIntervalSince1970, Data(chain.seal),
            ])
        return true
    }
}

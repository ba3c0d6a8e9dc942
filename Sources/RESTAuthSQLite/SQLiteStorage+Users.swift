public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func insertUser(_ name: Username, passwordHash: String, at now: Date) async throws -> User {
        let id = try await write { database in
            do {
                try database.run(
                    """
                    INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                    VALUES (?, ?, ?, ?, ?)
                    """,
                    [name.text, name.canonical, passwordHash, now.timeIntervalSince1970, now.timeIntervalSince1970])
                return database.lastInsertedRowID
            } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
                // Thrown, so that all is rolled back: ON CONFLICT DO NOTHING would use an id up.
                throw AuthError(.userAlreadyExists, "existing user", field: "username")
            }
        }
        return User(id: id, username: name.text, createdAt: now, disabledAt: nil)
    }

    public func user(id: User.ID) async throws -> User? {
        try read { try $0.row("SELECT id, username, created_at, disabled_at FROM users WHERE id = ?", [id], User.init) }
    }

    public func credentials(canonicalUsername: String) async throws -> StoredCredentials? {
        try read { database in
            try database.row(
                """
                SELECT id, username, created_at, disabled_at, password_hash FROM users WHERE canonical_username = ?
                """, [canonicalUsername]
            ) { StoredCredentials(user: User($0), passwordHash: $0["password_hash"]) }
        }
    }

    public func users(after id: User.ID, limit: Int) async throws -> [User] {
        try read { database in
            try database.rows(
                "SELECT id, username, created_at, disabled_at FROM users WHERE id > ? ORDER BY id LIMIT ?", [id, limit], User.init)
        }
    }

    public func setPasswordHash(_ hash: String, user id: User.ID, at now: Date) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE users SET password_hash = ?, password_changed_at = ? WHERE id = ?", [hash, now.timeIntervalSince1970, id])
            return database.changesCount == 1
        }
    }

    public func disableUser(id: User.ID, at now: Date) async throws -> Revocation? {
        try await revoke(
            id, isRefused: true, at: now,
            "UPDATE users SET disabled_at = coalesce(disabled_at, ?) WHERE id = ?", [now.timeIntervalSince1970, id])
    }

    public func enableUser(id: User.ID, at now: Date) async throws -> Revocation? {
        try await revoke(id, isRefused: false, at: now, "UPDATE users SET disabled_at = NULL WHERE id = ?", [id])
    }

    public func deleteUser(id: User.ID, at now: Date) async throws -> Revocation? {
        try await revoke(id, isRefused: true, at: now, "DELETE FROM users WHERE id = ?", [id])
    }

    /// Runs `sql` and, when it changed the user's row, writes the line of the log in the same transaction.
    private func revoke(
        _ id: User.ID, isRefused: Bool, at now: Date, _ sql: String, _ arguments: StatementArguments
    ) async throws -> Revocation? {
        try await write { database in
            try database.run(sql, arguments)
            guard database.changesCount == 1 else { return nil }
            return try database.appendRevocation(of: id, isRefused: isRefused, at: now)
        }
    }
}

extension User {
    init(_ row: Row) {
        self.init(
            id: row["id"], username: row["username"], createdAt: Date(timeIntervalSince1970: row["created_at"]),
            disabledAt: (row["disabled_at"] as Double?).map(Date.init(timeIntervalSince1970:)))
    }
}

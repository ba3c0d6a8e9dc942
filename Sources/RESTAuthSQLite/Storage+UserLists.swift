public import Foundation
import GRDB
public import RESTAuth

extension UsersRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            19, "lists of users",
            """
            CREATE INDEX users_by_creation ON users (created_at, id);
            CREATE INDEX user_roles_by_role ON user_roles (role, user_id);
            """),
        SchemaChange(
            20, "lists of disabled users",
            """
            -- Few users are disabled: one index for each order of their list.
            CREATE INDEX disabled_users ON users (id) WHERE disabled_at IS NOT NULL;
            CREATE INDEX disabled_users_by_name ON users (canonical_username) WHERE disabled_at IS NOT NULL;
            CREATE INDEX disabled_users_by_creation ON users (created_at, id) WHERE disabled_at IS NOT NULL;
            """),
    ]
}

extension SQLiteStorage {
    public func users(matching query: UserQuery, limit: Int, window: Int) async throws -> UserPage {
        var values: [any DatabaseValueConvertible] = []
        let sql = query.statement(columns: User.columns, limit: limit, window: window) { value in
            values.append(value.ofSQLite)
            return "?\(values.count)"
        }
        let rows = try read { database in
            try database.rows(sql, StatementArguments(values)) { row in
                try UserQuery.Row(
                    user: User(row), canonical: row["canonical_username"], isMatch: row["is_match"],
                    isEnd: row["is_end"])
            }
        }
        return query.page(rows, limit: limit)
    }

    public func account(of id: User.ID, at now: Date) async throws -> UserAccount? {
        try read { database in
            try database.row(
                """
                SELECT \(User.columns), nullif(password_hash, '!') IS NOT NULL AS has_password, password_changed_at,
                    (SELECT count(*) FROM sessions WHERE user_id = ?1 AND expires_at > ?2) AS session_count
                FROM users WHERE id = ?1
                """, [id, now.timeIntervalSince1970]
            ) { row in
                try UserAccount(
                    user: User(row), hasPassword: row["has_password"], passwordChangedAt: row["password_changed_at"],
                    sessions: row["session_count"])
            }
        }
    }
}

extension UserQuery.Value {
    fileprivate var ofSQLite: any DatabaseValueConvertible {
        switch self {
        case .text(let text): text
        case .integer(let number): number
        case .time(let date): date.timeIntervalSince1970
        }
    }
}

extension Database {
    /// Refuses to lose the only operator who is enabled and can sign in.
    /// - Throws: `last_operator`.
    func refuseLastOperator(_ id: User.ID) throws {
        let isLast = try row(
            """
            SELECT 1 FROM user_roles JOIN users ON users.id = user_id
            WHERE user_id = ?1 AND role = ?2 AND disabled_at IS NULL AND NOT EXISTS (
                SELECT 1 FROM user_roles AS others JOIN users AS other ON other.id = others.user_id
                WHERE others.role = ?2 AND others.user_id <> ?1 AND other.disabled_at IS NULL
                    AND (nullif(other.password_hash, '!') IS NOT NULL
                    OR EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = other.id)))
            """, [id, Role.operator]
        ) { _ in true }
        if isLast == true { throw AuthError.lastOperator }
    }
}

public import Foundation
public import RESTAuth

extension UsersRoom: PostgresRoom {
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

extension PostgresStorage {
    public func users(matching query: UserQuery, limit: Int, window: Int) async throws -> UserPage {
        var parameters: [any PostgresParameter] = []
        let sql = query.statement(columns: User.columns, limit: limit, window: window) { value in
            parameters.append(value.ofPostgres)
            return "$\(parameters.count)"
        }
        let rows = try await read(sql, parameters).map { row in
            try UserQuery.Row(
                user: User(row), canonical: row["canonical_username"], isMatch: row["is_match"], isEnd: row["is_end"])
        }
        return query.page(rows, limit: limit)
    }

    public func account(of id: User.ID, at now: Date) async throws -> UserAccount? {
        try await read(
            """
            SELECT \(User.columns), nullif(password_hash, '!') IS NOT NULL AS has_password, password_changed_at,
                (SELECT count(*) FROM sessions WHERE user_id = $1 AND expires_at > $2) AS session_count
            FROM users WHERE id = $1
            """, [id, now]
        ).first.map { row in
            try UserAccount(
                user: User(row), hasPassword: row["has_password"], passwordChangedAt: row["password_changed_at"],
                sessions: row["session_count"])
        }
    }
}

extension UserQuery.Value {
    fileprivate var ofPostgres: any PostgresParameter {
        switch self {
        case .text(let text): text
        case .integer(let number): number
        case .time(let date): date
        }
    }
}

// MARK: - The last operator

/// The statements of a change that must not take the last operator away, if it is so required. The
/// user, whom `$1` names in each, is locked first.
struct KeptOperator {
    /// Locks the rows of all operators, in one order, so that of several that change each other one
    /// comes after the other.
    let locking: Statement
    /// Condition that the user may be changed.
    let condition: String
    /// Returns a row when the change was refused: after it, the user is still the last.
    let refusal: Statement

    init(_ isRequired: Bool, user id: User.ID) {
        let isOwn = "EXISTS (SELECT FROM user_roles AS own WHERE own.user_id = $1 AND own.role = '\(Role.operator)')"
        locking = Statement(
            """
            SELECT user_id FROM user_roles
            WHERE role = '\(Role.operator)' AND \(isRequired ? isOwn : "user_id = $1 AND FALSE")
            ORDER BY user_id FOR UPDATE
            """, [id])
        let isLast = """
            (EXISTS (SELECT FROM user_roles AS own JOIN users AS owner ON owner.id = own.user_id
                    WHERE own.user_id = $1 AND own.role = '\(Role.operator)' AND owner.disabled_at IS NULL)
                AND NOT EXISTS (SELECT FROM user_roles AS others JOIN users AS other ON other.id = others.user_id
                    WHERE others.user_id <> $1 AND others.role = '\(Role.operator)' AND other.disabled_at IS NULL
                    AND (nullif(other.password_hash, '!') IS NOT NULL
                    OR EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = other.id))))
            """
        condition = isRequired ? "NOT \(isLast)" : "TRUE"
        refusal = Statement("SELECT id FROM users WHERE id = $1 AND \(isRequired ? isLast : "FALSE")", [id])
    }
}

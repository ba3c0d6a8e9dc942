public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func insertServiceAccount(_ account: ServiceAccount, recording event: AuthEvent) async throws {
        let rows = try await write(
            Statement("SELECT FROM users WHERE id = $1 FOR KEY SHARE", [account.ownerID]),
            Statement(
                """
                INSERT INTO service_accounts (id, owner_id, note, created_at)
                SELECT $1, $2, $3, $4 WHERE $2::bigint IS NULL OR EXISTS (SELECT FROM users WHERE id = $2)
                ON CONFLICT (id) DO NOTHING RETURNING id
                """, [account.id, account.ownerID, account.note, account.createdAt], recording: event),
            Statement("SELECT FROM service_accounts WHERE id = $1", [account.id]))
        guard rows[1].count == 0 else { return }
        throw rows[2].count == 1 ? AuthError.serviceAccountAlreadyExists(account.id) : .ownerNotFound
    }

    public func serviceAccount(id: ServiceAccount.ID) async throws -> ServiceAccount? {
        try await read("SELECT * FROM service_accounts WHERE id = $1", [id]).first.map { try ServiceAccount($0) }
    }

    public func serviceAccounts(after id: ServiceAccount.ID?, limit: Int) async throws -> [ServiceAccount] {
        try await read("SELECT * FROM service_accounts WHERE id > $1 ORDER BY id LIMIT $2", [id ?? "", limit])
            .map { try ServiceAccount($0) }
    }

    public func deleteServiceAccount(
        id: ServiceAccount.ID, at now: Date, recording event: AuthEvent
    ) async throws -> [Revocation]? {
        let rows = try await write(
            Self.locking(.service(id)) + [
                loggingRevocations(
                    of: "session_id", at: "$1",
                    """
                    DELETE FROM program_tokens WHERE service_id = $2
                    RETURNING id AS session_id, \(Self.tokenExpiry(at: "$1")) AS expires_at
                    """, [now, id]),
                Statement("DELETE FROM service_accounts WHERE id = $1 RETURNING id", [id], recording: event),
            ])
        return rows[3].count == 1 ? try rows[2].map(Revocation.init) : nil
    }
}

// MARK: - Rows

extension ServiceAccount {
    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row["id"], ownerID: try row["owner_id"], note: try row["note"], createdAt: try row["created_at"])
    }
}

public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func insertServiceAccount(_ account: ServiceAccount, recording event: AuthEvent) async throws {
        try await write { database in
            try database.run(
                """
                INSERT INTO service_accounts (id, owner_id, note, created_at)
                SELECT ?1, ?2, ?3, ?4 WHERE ?2 IS NULL OR EXISTS (SELECT 1 FROM users WHERE id = ?2)
                ON CONFLICT (id) DO NOTHING
                """, [account.id, account.ownerID, account.note, account.createdAt.timeIntervalSince1970])
            guard try !database.recordChange(event) else { return }
            let isTaken = try database.row("SELECT 1 FROM service_accounts WHERE id = ?", [account.id]) { _ in true }
            throw isTaken == true ? AuthError.serviceAccountAlreadyExists(account.id) : .ownerNotFound
        }
    }

    public func serviceAccount(id: ServiceAccount.ID) async throws -> ServiceAccount? {
        try read { try $0.row("SELECT * FROM service_accounts WHERE id = ?", [id]) { try ServiceAccount($0) } }
    }

    public func serviceAccounts(after id: ServiceAccount.ID?, limit: Int) async throws -> [ServiceAccount] {
        try read { database in
            try database.rows("SELECT * FROM service_accounts WHERE id > ? ORDER BY id LIMIT ?", [id ?? "", limit]) {
                try ServiceAccount($0)
            }
        }
    }

    public func deleteServiceAccount(
        id: ServiceAccount.ID, at now: Date, recording event: AuthEvent
    ) async throws -> [Revocation]? {
        try await write { database in
            let tokens = try database.rows("SELECT id FROM program_tokens WHERE service_id = ?", [id]) {
                try $0["id"] as ProgramToken.ID
            }
            try database.run("DELETE FROM service_accounts WHERE id = ?", [id])
            guard try database.recordChange(event) else { return nil }
            return try tokens.map { try database.appendRevocation(ofToken: $0, at: now) }
        }
    }
}

// MARK: - Rows

extension ServiceAccount {
    fileprivate init(_ row: Row) throws {
        try self.init(id: row["id"], ownerID: row["owner_id"], note: row["note"], createdAt: row["created_at"])
    }
}

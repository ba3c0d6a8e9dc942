public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func insertTrustedDevice(
        _ device: TrustedDevice, digest: [UInt8], passwordVersion version: Int, limit: Int, recording event: AuthEvent
    ) async throws -> Bool {
        try await write { database in
            try database.run(
                """
                INSERT INTO trusted_devices (
                    id, user_id, digest, password_version, address, user_agent, created_at, last_used_at, expires_at)
                SELECT ?1, id, ?3, password_version, ?5, ?6, ?7, ?8, ?9 FROM users
                WHERE id = ?2 AND password_version = ?4 AND disabled_at IS NULL
                """,
                [
                    device.id, device.userID, Data(digest), version, device.origin.address, device.origin.userAgent,
                    device.createdAt.timeIntervalSince1970, device.lastUsedAt.timeIntervalSince1970,
                    device.expiresAt.timeIntervalSince1970,
                ])
            guard try database.recordChange(event) else { return false }
            try database.run(
                """
                DELETE FROM trusted_devices WHERE id IN (
                    SELECT id FROM trusted_devices WHERE user_id = ?1 AND id <> ?2
                    ORDER BY created_at DESC, id LIMIT -1 OFFSET ?3)
                """, [device.userID, device.id, limit - 1])
            return true
        }
    }

    public func trustedDevice(digest: [UInt8], of user: User.ID, at now: Date) async throws -> TrustedDevice? {
        try read { database in
            try database.row(
                "SELECT * FROM trusted_devices WHERE digest = ?3 AND \(TrustedDevice.isTrusted)",
                [user, now.timeIntervalSince1970, Data(digest)]
            ) { try TrustedDevice($0) }
        }
    }

    public func useTrustedDevice(digest: [UInt8], of user: User.ID, at now: Date) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE trusted_devices SET last_used_at = ?2 WHERE digest = ?3 AND \(TrustedDevice.isTrusted)",
                [user, now.timeIntervalSince1970, Data(digest)])
            return database.changesCount == 1
        }
    }

    public func trustedDevices(of user: User.ID, at now: Date) async throws -> [TrustedDevice] {
        try read { database in
            try database.rows(
                "SELECT * FROM trusted_devices WHERE \(TrustedDevice.isTrusted) ORDER BY created_at DESC, id",
                [user, now.timeIntervalSince1970]
            ) { try TrustedDevice($0) }
        }
    }

    public func removeTrustedDevices(
        id: TrustedDevice.ID?, of user: User.ID, recording event: AuthEvent
    ) async throws -> Bool {
        try await write { database in
            try database.run(
                "DELETE FROM trusted_devices WHERE user_id = ?1 AND id = coalesce(?2, id)", [user, id])
            return try database.recordChange(event)
        }
    }

    public func deleteTrustedDevices(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "trusted_devices", by: "id", where: "expires_at < ?1", date, limit: limit)
    }
}

// MARK: - Rows

extension TrustedDevice {
    /// Condition of a device of the user `?1` that is trusted at the time `?2`.
    fileprivate static let isTrusted = """
        user_id = ?1 AND expires_at > ?2 AND password_version = (SELECT password_version FROM users WHERE id = ?1)
        """

    fileprivate init(_ row: Row) throws {
        try self.init(
            id: row["id"], userID: row["user_id"],
            origin: SessionOrigin(address: row["address"], userAgent: row["user_agent"]),
            createdAt: row["created_at"], lastUsedAt: row["last_used_at"], expiresAt: row["expires_at"])
    }
}

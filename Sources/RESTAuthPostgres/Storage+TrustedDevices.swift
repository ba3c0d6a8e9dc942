public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func insertTrustedDevice(
        _ device: TrustedDevice, digest: [UInt8], passwordVersion version: Int, limit: Int, recording event: AuthEvent
    ) async throws -> Bool {
        try await write(
            Statement(Self.lockUser, [device.userID]),
            Statement(
                """
                INSERT INTO trusted_devices (
                    id, user_id, digest, password_version, address, user_agent, created_at, last_used_at, expires_at)
                SELECT $1, id, $3, password_version, $5, $6, $7, $8, $9 FROM users
                WHERE id = $2 AND password_version = $4 AND disabled_at IS NULL
                RETURNING id
                """,
                [
                    device.id, device.userID, digest, version, device.origin.address, device.origin.userAgent,
                    device.createdAt, device.lastUsedAt, device.expiresAt,
                ], recording: event),
            Statement(
                """
                DELETE FROM trusted_devices WHERE id IN (
                    SELECT id FROM trusted_devices WHERE user_id = $1 AND id <> $2
                    ORDER BY created_at DESC, id OFFSET $3)
                    AND EXISTS (SELECT FROM trusted_devices WHERE id = $2)
                """, [device.userID, device.id, limit - 1])
        )[1].count == 1
    }

    public func trustedDevice(digest: [UInt8], of user: User.ID, at now: Date) async throws -> TrustedDevice? {
        try await read(
            "SELECT * FROM trusted_devices WHERE digest = $3 AND \(TrustedDevice.isTrusted)", [user, now, digest]
        ).first.map(TrustedDevice.init)
    }

    public func useTrustedDevice(digest: [UInt8], of user: User.ID, at now: Date) async throws -> Bool {
        try await write(
            isRepeatable: true,
            Statement(
                "UPDATE trusted_devices SET last_used_at = $2 WHERE digest = $3 AND \(TrustedDevice.isTrusted)",
                [user, now, digest])
        )[0].changedCount == 1
    }

    public func trustedDevices(of user: User.ID, at now: Date) async throws -> [TrustedDevice] {
        try await read(
            "SELECT * FROM trusted_devices WHERE \(TrustedDevice.isTrusted) ORDER BY created_at DESC, id", [user, now]
        ).map(TrustedDevice.init)
    }

    public func removeTrustedDevices(
        id: TrustedDevice.ID?, of user: User.ID, recording event: AuthEvent
    ) async throws -> Bool {
        try await write(
            Statement(
                "DELETE FROM trusted_devices WHERE user_id = $1 AND id = coalesce($2, id) RETURNING id", [user, id],
                recording: event)
        )[0].count > 0
    }

    public func deleteTrustedDevices(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "trusted_devices", by: "id", where: "expires_at < $1", date, limit: limit)
    }
}

// MARK: - Rows

extension TrustedDevice {
    /// Condition of a device of the user `$1` that is trusted at the time `$2`.
    fileprivate static let isTrusted = """
        user_id = $1 AND expires_at > $2 AND password_version = (SELECT password_version FROM users WHERE id = $1)
        """

    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row["id"], userID: try row["user_id"],
            origin: SessionOrigin(address: try row["address"], userAgent: try row["user_agent"]),
            createdAt: try row["created_at"], lastUsedAt: try row["last_used_at"], expiresAt: try row["expires_at"])
    }
}

public import Foundation
import RESTAuth

extension PostgresStorage {
    /// Tries the digests one after the other; each insertion is decided by the primary key.
    public func spendOne(of digests: [[UInt8]], until expiresAt: Date) async throws -> Bool {
        for digest in digests {
            let rows = try await write(
                Statement(
                    "INSERT INTO spent_challenges (digest, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    [digest, expiresAt]))
            if rows[0].changedCount == 1 { return true }
        }
        return false
    }
}

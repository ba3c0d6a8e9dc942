public import Foundation
import GRDB
import RESTAuth

extension SQLiteStorage {
    public func spendOne(of digests: [[UInt8]], until expiresAt: Date) async throws -> Bool {
        try await write { database in
            for digest in digests {
                try database.run(
                    "INSERT INTO spent_challenges (digest, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    [Data(digest), expiresAt.timeIntervalSince1970])
                if database.changesCount == 1 { return true }
            }
            return false
        }
    }
}

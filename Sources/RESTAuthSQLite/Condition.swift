import Foundation
import GRDB
package import RESTAuth

extension SQLiteStorage {
    /// Reads the condition of a database, without changing it.
    /// - Returns: the condition; `nil` when there is no database of this version.
    package static func condition(path: String) throws -> DatabaseCondition? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try SQLiteFile(path).look { database in
            guard try Migrations.migrator.hasCompletedMigrations(database) else { return nil }
            var condition = DatabaseCondition()
            condition.newestRow = try Double.fetchOne(
                database,
                sql: """
                    SELECT max(at) FROM (
                        SELECT created_at AS at FROM (SELECT created_at FROM users ORDER BY id DESC LIMIT 1)
                        UNION ALL SELECT created_at FROM (SELECT created_at FROM sessions ORDER BY id DESC LIMIT 1)
                        UNION ALL SELECT at FROM (SELECT at FROM revocations ORDER BY number DESC LIMIT 1))
                    """
            ).map(Date.init(timeIntervalSince1970:))
            condition.hashSample = try database.passwordHashes(sampling: MissingPepper.sampleSize)
            let log = try? FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int
            condition.pendingBytes = log ?? 0
            return condition
        }
    }
}

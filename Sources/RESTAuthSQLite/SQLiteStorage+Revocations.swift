public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func revocations(after number: Int64, limit: Int) async throws -> [Revocation] {
        try read { database in
            try database.rows(
                "SELECT number, user_id, is_refused, at FROM revocations WHERE number > ? ORDER BY number LIMIT ?", [number, limit]
            ) { row in
                Revocation(
                    number: row["number"], userID: row["user_id"], isRefused: row["is_refused"],
                    at: Date(timeIntervalSince1970: row["at"]))
            }
        }
    }

    public func deleteRevocations(before date: Date, limit: Int) async throws -> Int {
        try await write { database in
            try database.run(
                """
                DELETE FROM revocations
                WHERE number IN (SELECT number FROM revocations WHERE at < ? ORDER BY number LIMIT ?)
                """, [date.timeIntervalSince1970, limit])
            return database.changesCount
        }
    }
}

extension Database {
    func appendRevocation(of id: User.ID, isRefused: Bool, at now: Date) throws -> Revocation {
        try run("INSERT INTO revocations (user_id, is_refused, at) VALUES (?, ?, ?)", [id, isRefused, now.timeIntervalSince1970])
        return Revocation(number: lastInsertedRowID, userID: id, isRefused: isRefused, at: now)
    }
}

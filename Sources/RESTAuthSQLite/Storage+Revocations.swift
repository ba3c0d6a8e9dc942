public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func revocations(after number: Int64, limit: Int) async throws -> [Revocation] {
        try read { database in
            try database.rows(
                """
                SELECT number, user_id, session_id, role, is_refused, at FROM revocations WHERE number > ? ORDER BY number LIMIT ?
                """, [number, limit], Revocation.init)
        }
    }

    public func lastRevocationNumber() async throws -> Int64 {
        try read { try $0.row("SELECT seq FROM sqlite_sequence WHERE name = 'revocations'", []) { $0["seq"] } ?? 0 }
    }

    public func deleteRevocations(before date: Date, limit: Int) async throws -> Int {
        try await write { database in
            try database.run(
                """
                DELETE FROM revocations
                WHERE number IN (SELECT number FROM revocations WHERE at < ? LIMIT ?)
                """, [date.timeIntervalSince1970, limit])
            return database.changesCount
        }
    }
}

extension Database {
    func appendRevocation(of subject: Revocation.Subject, isRefused: Bool = true, at now: Date) throws -> Revocation {
        let (user, session, role): (User.ID?, String?, String?) =
            switch subject {
            case .user(let id): (id, nil, nil)
            case .session(let id): (nil, id.description, nil)
            case .role(let role, let id): (id, nil, role)
            }
        try run(
            "INSERT INTO revocations (user_id, session_id, role, is_refused, at) VALUES (?, ?, ?, ?, ?)",
            [user, session, role, isRefused, now.timeIntervalSince1970])
        return Revocation(number: lastInsertedRowID, subject: subject, isRefused: isRefused, at: now)
    }
}

extension Revocation {
    init(_ row: Row) throws {
        let subject: Subject =
            if let session = try row.sessionID("session_id") {
                .session(session)
            } else if let role = row["role"] as String? {
                .role(role, of: row["user_id"])
            } else {
                .user(row["user_id"])
            }
        self.init(
            number: row["number"], subject: subject, isRefused: row["is_refused"],
            at: Date(timeIntervalSince1970: row["at"]))
    }
}

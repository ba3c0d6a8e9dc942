public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func revocations(after number: Int64, limit: Int) async throws -> [Revocation] {
        try read { database in
            try database.rows(
                """
                SELECT number, user_id, session_id, role, is_refused, at, expires_at
                FROM revocations WHERE number > ? ORDER BY number LIMIT ?
                """, [number, limit], Revocation.init)
        }
    }

    public func lastRevocationNumber() async throws -> Int64 {
        try read { try $0.row("SELECT seq FROM sqlite_sequence WHERE name = 'revocations'", []) { try $0["seq"] } ?? 0 }
    }

    public func isSessionRevoked(_ id: Session.ID) async throws -> Bool {
        try read { database in
            try database.row("SELECT 1 FROM revocations WHERE session_id = ?", [id.description]) { _ in true } ?? false
        }
    }

    public func deleteRevocations(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "revocations", by: "number", where: "expires_at < ?1", date, limit: limit)
    }
}

extension Database {
    /// Appends an entry to the revocation log.
    /// - Parameter latest: the expiry of the last token that the entry concerns; `nil` for the
    ///   longest life of any.
    func appendRevocation(
        of subject: Revocation.Subject, isRefused: Bool = true, at now: Date, tokensUntil latest: Date?
    ) throws -> Revocation {
        let (user, session, role): (User.ID?, String?, String?) =
            switch subject {
            case .user(let id): (id, nil, nil)
            case .session(let id): (nil, id.description, nil)
            case .role(let role, let id): (id, nil, role)
            }
        var expiresAt = Revocation.expiry(at: now, tokensUntil: latest)
        if !isRefused, let lifted = try lastExpiry(ofUser: user, role: role) { expiresAt = max(expiresAt, lifted) }
        try run(
            "INSERT INTO revocations (user_id, session_id, role, is_refused, at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
            [user, session, role, isRefused, now.timeIntervalSince1970, expiresAt.timeIntervalSince1970])
        return Revocation(
            number: lastInsertedRowID, subject: subject, isRefused: isRefused, at: now, expiresAt: expiresAt)
    }

    /// The latest expiry of the entries about a user, or about a role of a user: a process that
    /// reads the log anew must not find a refusal without the entry that lifted it.
    private func lastExpiry(ofUser user: User.ID?, role: String?) throws -> Date? {
        try row(
            "SELECT max(expires_at) AS latest FROM revocations WHERE user_id = ? AND role IS ?", [user, role]
        ) { try $0["latest"] as Date? } ?? nil
    }
}

extension Revocation {
    init(_ row: Row) throws {
        let subject: Subject =
            if let session: Session.ID = try row["session_id"] {
                .session(session)
            } else if let role: String = try row["role"] {
                .role(role, of: try row["user_id"])
            } else {
                .user(try row["user_id"])
            }
        try self.init(
            number: row["number"], subject: subject, isRefused: row["is_refused"], at: row["at"],
            expiresAt: row["expires_at"])
    }
}

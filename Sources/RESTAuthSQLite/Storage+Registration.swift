public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func insertUser(
        _ name: Username, passwordHash: String, at now: Date, using permit: RegistrationPermit,
        from network: ClientNetwork?, recording event: AuthEvent
    ) async throws -> User {
        let id = try await write { database in
            // An error rolls back all of it.
            let id = try database.insertUser(name, passwordHash: passwordHash, at: now, recording: event)
            if let network { try database.rememberOrigin(network, user: id, at: now, recording: nil) }
            if let invitation = permit.invitation {
                try database.run(
                    "DELETE FROM invitations WHERE id = ? AND expires_at > ?", [invitation, now.timeIntervalSince1970])
                guard database.changesCount == 1 else { throw AuthError.invitationInvalid }
            }
            if let challenge = permit.challenge {
                do {
                    try database.run(
                        "INSERT INTO spent_challenges (digest, expires_at) VALUES (?, ?)",
                        [Data(challenge.digest), challenge.expiresAt.timeIntervalSince1970])
                } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_PRIMARYKEY {
                    throw AuthError.challengeInvalid
                }
            }
            return id
        }
        return User(id: id, username: name.text, createdAt: now, disabledAt: nil)
    }

    public func invitation(codeDigest: [UInt8]) async throws -> Invitation? {
        try read { database in
            try database.row("SELECT \(Invitation.columns) FROM invitations WHERE code_digest = ?", [Data(codeDigest)])
            { try Invitation($0) }
        }
    }

    public func isChallengeSpent(digest: [UInt8]) async throws -> Bool {
        try read {
            try $0.row("SELECT 1 FROM spent_challenges WHERE digest = ?", [Data(digest)]) { _ in true } ?? false
        }
    }

    public func insertInvitation(
        _ invitation: Invitation, codeDigest: [UInt8], recording event: AuthEvent
    ) async throws {
        try await write { database in
            try database.run(
                "INSERT INTO invitations (id, code_digest, note, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                [
                    invitation.id, Data(codeDigest), invitation.note, invitation.createdAt.timeIntervalSince1970,
                    invitation.expiresAt.timeIntervalSince1970,
                ])
            try database.append(event)
        }
    }

    public func invitations() async throws -> [Invitation] {
        try read { database in
            try database.rows("SELECT \(Invitation.columns) FROM invitations ORDER BY created_at, id") {
                try Invitation($0)
            }
        }
    }

    public func deleteInvitation(id: Invitation.ID, recording event: AuthEvent) async throws -> Bool {
        try await write { database in
            try database.run("DELETE FROM invitations WHERE id = ?", [id])
            return try database.recordChange(event)
        }
    }

    public func deleteInvitations(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "invitations", by: "id", where: "expires_at < ?1", date, limit: limit)
    }

    public func deleteSpentChallenges(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "spent_challenges", by: "digest", where: "expires_at < ?1", date, limit: limit)
    }
}

extension Invitation {
    fileprivate static let columns = "id, note, created_at, expires_at"

    fileprivate init(_ row: Row) throws {
        try self.init(
            id: row["id"], note: row["note"], createdAt: row["created_at"], expiresAt: row["expires_at"])
    }
}

public import Foundation
public import RESTAuth

extension PostgresStorage {
    public func insertUser(
        _ name: Username, passwordHash: String, at now: Date, using permit: RegistrationPermit,
        from network: ClientNetwork?, recording event: AuthEvent
    ) async throws -> User {
        // Without a permit one statement less is needed.
        guard permit != RegistrationPermit() else {
            return try await insertUser(
                name, passwordHash: passwordHash, at: now, from: network, recording: event)
        }
        let welcome = Self.welcoming(name, passwordHash: passwordHash, from: network, at: now)
        let recorded = Statement.recorded([(event, .forEachUser)], after: 7)
        let rows: Written
        do {
            rows = try await freeing(name, at: now) {
                try await write(
                    isRepeatable: true,
                    // Another registration with the same invitation waits here until the invitation
                    // is used up, or free again.
                    Statement(
                        "SELECT FROM invitations WHERE id = $1 AND expires_at > $2 FOR UPDATE",
                        [permit.invitation, now]),
                    Statement(
                        """
                        WITH changed AS (
                            INSERT INTO users (
                                username, canonical_username, password_hash, created_at, password_changed_at)
                            SELECT $1, $2, $3, $4, $4
                            WHERE $5 IS NULL OR EXISTS (SELECT FROM invitations WHERE id = $5 AND expires_at > $4)
                            ON CONFLICT (canonical_username) DO NOTHING RETURNING id AS user_id
                        ),
                        used AS (DELETE FROM invitations WHERE id = $5 AND EXISTS (SELECT FROM changed)),
                        spent AS (INSERT INTO spent_challenges (digest, expires_at) SELECT $6, $7 FROM changed
                            WHERE $6 IS NOT NULL)
                        \(recorded.sql)
                        SELECT user_id AS registered_id FROM changed
                        """,
                        [
                            name.text, name.canonical, passwordHash, now, permit.invitation, permit.challenge?.digest,
                            permit.challenge?.expiresAt,
                        ] + recorded.parameters),
                    welcome.forgetting, welcome.remembering)
            }
        } catch {
            // Only the constraint of the challenge can fail the statement, and with it the
            // transaction.
            guard let error = error as? PostgresError, error.state == .uniqueViolation else { throw error }
            throw AuthError.challengeInvalid
        }
        if let row = rows[1].first {
            return User(id: try row["registered_id"], username: name.text, createdAt: now, disabledAt: nil)
        }
        // A transaction that was sent again because its answer was lost finds its own row, which it
        // recognises by the salted hash.
        let stored = try await credentials(canonicalUsername: name.canonical)
        if let stored, stored.passwordHash == passwordHash { return stored.user }
        if stored == nil, permit.invitation != nil, rows[0].count == 0 { throw AuthError.invitationInvalid }
        throw AuthError(.userAlreadyExists, "existing user", field: "username")
    }

    public func invitation(codeDigest: [UInt8]) async throws -> Invitation? {
        try await read("SELECT \(Invitation.columns) FROM invitations WHERE code_digest = $1", [codeDigest]).first.map(
            Invitation.init)
    }

    public func isChallengeSpent(digest: [UInt8]) async throws -> Bool {
        try await read("SELECT FROM spent_challenges WHERE digest = $1", [digest]).count == 1
    }

    public func insertInvitation(
        _ invitation: Invitation, codeDigest: [UInt8], recording event: AuthEvent
    ) async throws {
        _ = try await write(
            Statement(
                """
                INSERT INTO invitations (id, code_digest, note, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
                RETURNING id
                """, [invitation.id, codeDigest, invitation.note, invitation.createdAt, invitation.expiresAt],
                recording: event))
    }

    public func invitations() async throws -> [Invitation] {
        try await read("SELECT \(Invitation.columns) FROM invitations ORDER BY created_at, id").map(Invitation.init)
    }

    public func deleteInvitation(id: Invitation.ID, recording event: AuthEvent) async throws -> Bool {
        try await write(
            Statement("DELETE FROM invitations WHERE id = $1 RETURNING id", [id], recording: event)
        )[0].count == 1
    }

    public func deleteInvitations(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "invitations", by: "id", where: "expires_at < $1", date, limit: limit)
    }

    public func deleteSpentChallenges(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "spent_challenges", by: "digest", where: "expires_at < $1", date, limit: limit)
    }
}

extension Invitation {
    fileprivate static let columns = "id, note, created_at, expires_at"

    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row["id"], note: try row["note"], createdAt: try row["created_at"], expiresAt: try row["expires_at"]
        )
    }
}

public import Foundation
public import RESTAuth

extension PasskeysRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            16, "passkeys",
            """
            -- The domain that all passkeys are bound to.
            CREATE TABLE relying_party (
                is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
                rp_id text COLLATE "C" NOT NULL
            );

            CREATE TABLE user_handles (
                user_id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
                handle bytea NOT NULL UNIQUE CHECK (length(handle) = 64)
            );

            CREATE TABLE passkeys (
                id text COLLATE "C" PRIMARY KEY,
                user_id bigint NOT NULL REFERENCES user_handles (user_id) ON DELETE CASCADE,
                credential_id bytea NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
                -- As the authenticator encoded it.
                public_key bytea NOT NULL,
                sign_count bigint NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
                backup_eligible boolean NOT NULL,
                backed_up boolean NOT NULL,
                -- Whether it has ever verified its user where something else was proven, too.
                user_verified boolean NOT NULL,
                aaguid bytea NOT NULL CHECK (length(aaguid) = 16),
                -- With blanks between.
                transports text COLLATE "C" NOT NULL,
                -- NULL where the browser did not say.
                discoverable boolean,
                name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
                created_at timestamptz NOT NULL,
                last_used_at timestamptz
            );
            CREATE INDEX passkeys_of_user ON passkeys (user_id);
            """)
    ]
}

extension PostgresStorage {
    public func userHandle(of user: User.ID, orInsert new: [UInt8]) async throws -> [UInt8]? {
        try await write(
            isRepeatable: true,
            Statement(
                """
                INSERT INTO user_handles (user_id, handle) SELECT id, $2 FROM users WHERE id = $1
                ON CONFLICT (user_id) DO NOTHING
                """, [user, new]),
            Statement("SELECT handle FROM user_handles WHERE user_id = $1", [user])
        )[1].first?["handle"]
    }

    public func passkeys(of user: User.ID) async throws -> UserPasskeys {
        // One look, so that both are of one moment: a row for each passkey, and one without a
        // passkey where there is none.
        let rows = try await read(
            """
            SELECT handle, \(Passkey.columns) FROM user_handles
            LEFT JOIN passkeys ON passkeys.user_id = user_handles.user_id
            WHERE user_handles.user_id = $1 ORDER BY passkeys.created_at, passkeys.id
            """, [user])
        return UserPasskeys(
            userHandle: try rows.first?["handle"],
            passkeys: try rows.map { try ($0["passkey_id"] as String?) == nil ? nil : Passkey($0) }.compactMap(\.self))
    }

    public func passkey(credentialID: [UInt8]) async throws -> OwnedPasskey? {
        try await read(
            """
            SELECT handle, passkey.*, \(User.columns), \(StoredCredentials.columns)
            FROM (SELECT \(Passkey.columns) FROM passkeys WHERE credential_id = $1) AS passkey
            JOIN user_handles ON user_handles.user_id = passkey_user_id JOIN users ON users.id = passkey_user_id
            """, [credentialID]
        ).first.map { row in
            OwnedPasskey(
                passkey: try Passkey(row), userHandle: try row["handle"],
                owner: StoredCredentials(
                    user: try User(row), passwordHash: try row["password_hash"],
                    passwordVersion: try row["password_version"]))
        }
    }

    public func boundRelyingParty() async throws -> String? {
        try await read(Self.boundRelyingParty).first?["rp_id"]
    }

    static let boundRelyingParty = "SELECT rp_id FROM relying_party WHERE EXISTS (SELECT FROM passkeys)"

    public func insertPasskey(
        _ passkey: Passkey, for relyingParty: String, limit: Int, spending challenge: SpentChallenge,
        recoveryCodes codes: StoredRecoveryCodes, recording event: AuthEvent, and codesEvent: AuthEvent
    ) async throws -> PasskeyInsertion {
        let rows = try await spending(
            challenge, of: passkey.userID,
            // Locks the row until the end, so that nobody binds the database anew meanwhile.
            Statement(
                """
                INSERT INTO relying_party (rp_id) VALUES ($1)
                ON CONFLICT (is_only) DO UPDATE SET rp_id = relying_party.rp_id
                """, [relyingParty]),
            Statement(
                "DELETE FROM relying_party WHERE rp_id <> $1 AND NOT EXISTS (SELECT FROM passkeys)", [relyingParty]),
            Statement("INSERT INTO relying_party (rp_id) VALUES ($1) ON CONFLICT DO NOTHING", [relyingParty]),
            Statement(
                """
                INSERT INTO passkeys (
                    id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, user_verified,
                    aaguid, transports, discoverable, name, created_at)
                SELECT $1, user_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
                FROM user_handles JOIN users ON users.id = user_id
                WHERE user_id = $2 AND disabled_at IS NULL
                    AND (SELECT count(*) FROM passkeys WHERE user_id = $2) < $14
                    AND EXISTS (SELECT FROM relying_party WHERE rp_id = $15)
                ON CONFLICT (credential_id) DO NOTHING RETURNING id
                """,
                [
                    passkey.id, passkey.userID, passkey.credentialID, passkey.publicKey, Int64(passkey.signCount),
                    passkey.isBackupEligible, passkey.isBackedUp, passkey.isUserVerified, passkey.aaguid,
                    passkey.transports.joined(separator: " "), passkey.isDiscoverable, passkey.name, passkey.createdAt,
                    limit, relyingParty,
                ], recording: event),
            Self.inserting(
                codes, of: passkey.userID, at: passkey.createdAt,
                where: """
                    EXISTS (SELECT FROM users WHERE id = $1 AND nullif(password_hash, '!') IS NOT NULL)
                    AND EXISTS (SELECT FROM passkeys WHERE id = $5)
                    AND NOT EXISTS (SELECT FROM recovery_codes WHERE user_id = $1)
                    """, [passkey.id], recording: codesEvent),
            Statement(
                """
                SELECT EXISTS (SELECT FROM passkeys WHERE credential_id = $1) AS is_taken,
                    (SELECT rp_id FROM relying_party WHERE rp_id <> $2) AS bound_to,
                    (SELECT count(*) FROM passkeys WHERE user_id = $3) >= $4 AS is_full
                """, [passkey.credentialID, relyingParty, passkey.userID, limit]))
        if rows[5].count == 1 { return .inserted(hasNewCodes: rows[6].count > 0) }
        guard let reasons = rows[7].first else { return .noUser }
        if try reasons["is_taken"] { return .isTaken }
        if let other: String = try reasons["bound_to"] { return .boundTo(other) }
        return try reasons["is_full"] ? .limitReached : .noUser
    }

    public func usePasskey(
        id: Passkey.ID, signCount: UInt32, isBackedUp: Bool, isUserVerified: Bool, spending challenge: SpentChallenge,
        at now: Date, recording event: AuthEvent?
    ) async throws -> Bool {
        try await spending(
            challenge, of: nil,
            Statement(
                """
                UPDATE passkeys SET sign_count = $2, backed_up = $3, user_verified = user_verified OR $4,
                    last_used_at = $5
                WHERE id = $1 AND EXISTS (SELECT FROM users WHERE id = user_id AND disabled_at IS NULL)
                RETURNING id
                """, [id, Int64(signCount), isBackedUp, isUserVerified, now],
                recording: [event.map { ($0, .once) }].compactMap(\.self))
        )[2].count == 1
    }

    /// Spends a challenge and runs statements in one transaction, in which they come third.
    /// - Parameter user: the user whose other changes have to wait; `nil` for none.
    /// - Throws: `challenge_invalid` when the challenge was spent before.
    private func spending(
        _ challenge: SpentChallenge, of user: User.ID?, _ statements: Statement...
    ) async throws -> Written {
        do {
            return try await write(
                [
                    Statement(Self.lockUser, [user]),
                    Statement(
                        "INSERT INTO spent_challenges (digest, expires_at) VALUES ($1, $2)",
                        [challenge.digest, challenge.expiresAt]),
                ] + statements)
        } catch let error as PostgresError where error.state == .uniqueViolation {
            // No other constraint can fail: a passkey that is there already is passed over.
            throw AuthError.challengeInvalid
        }
    }

    public func renamePasskey(
        id: Passkey.ID, of user: User.ID, to name: String, recording event: AuthEvent
    ) async throws -> Bool {
        try await write(
            Statement(
                "UPDATE passkeys SET name = $1 WHERE id = $2 AND user_id = $3 RETURNING id", [name, id, user],
                recording: event)
        )[0].count == 1
    }

    public func deletePasskey(
        id: Passkey.ID, of user: User.ID, keepingLast: Bool, recording event: AuthEvent
    ) async throws -> PasskeyDeletion {
        let rows = try await write(
            [
                Statement(Self.lockUser, [user]),
                Statement(
                    """
                    DELETE FROM passkeys WHERE id = $1 AND user_id = $2 AND (
                        EXISTS (SELECT FROM users WHERE id = $2 AND nullif(password_hash, '!') IS NOT NULL)
                        OR EXISTS (SELECT FROM passkeys WHERE user_id = $2 AND id <> $1 AND user_verified))
                        AND (NOT $3 OR EXISTS (SELECT FROM passkeys WHERE user_id = $2 AND id <> $1)
                            OR EXISTS (
                                SELECT FROM totp_factors WHERE user_id = $2 AND confirmed_at IS NOT NULL))
                    RETURNING id
                    """, [id, user, keepingLast], recording: event),
                Statement("SELECT FROM passkeys WHERE id = $1 AND user_id = $2", [id, user]),
            ] + Self.removingWhatFollowsFactors(of: user))
        if rows[1].count == 1 { return .deleted }
        return rows[2].count == 1 ? .lastWayIn : .notFound
    }

    /// Condition of a user, named by the parameter `$1`, whose password something has to follow.
    static let hasFactor = """
        (EXISTS (SELECT FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL)
            OR EXISTS (SELECT FROM passkeys WHERE user_id = $1))
        """

    /// Statements that remove recovery codes and trusted devices of a user without factors.
    static func removingWhatFollowsFactors(of user: User.ID) -> [Statement] {
        ["recovery_keys", "trusted_devices"].map {
            Statement("DELETE FROM \($0) WHERE user_id = $1 AND NOT \(hasFactor)", [user])
        }
    }
}

// MARK: - Rows

extension Passkey {
    fileprivate static let columns = """
        passkeys.id AS passkey_id, passkeys.user_id AS passkey_user_id, credential_id, public_key, sign_count,
        backup_eligible, backed_up, user_verified, aaguid, transports, discoverable, name,
        passkeys.created_at AS passkey_created_at, last_used_at
        """

    fileprivate init(_ row: Row) throws {
        let (count, transports): (Int64, String) = try (row["sign_count"], row["transports"])
        self.init(
            id: try row["passkey_id"], userID: try row["passkey_user_id"], name: try row["name"],
            credentialID: try row["credential_id"], publicKey: try row["public_key"],
            signCount: UInt32(clamping: count), isBackupEligible: try row["backup_eligible"],
            isBackedUp: try row["backed_up"], isUserVerified: try row["user_verified"], aaguid: try row["aaguid"],
            transports: transports.split(separator: " ").map(String.init), isDiscoverable: try row["discoverable"],
            createdAt: try row["passkey_created_at"], lastUsedAt: try row["last_used_at"])
    }
}

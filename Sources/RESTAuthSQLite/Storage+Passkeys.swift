public import Foundation
import GRDB
public import RESTAuth

extension PasskeysRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            16, "passkeys",
            """
            -- The domain that all passkeys are bound to.
            CREATE TABLE relying_party (
                is_only INTEGER PRIMARY KEY NOT NULL DEFAULT 1 CHECK (is_only = 1),
                rp_id TEXT NOT NULL
            ) STRICT;

            CREATE TABLE user_handles (
                user_id INTEGER PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                handle BLOB NOT NULL UNIQUE CHECK (length(handle) = 64)
            ) STRICT;

            CREATE TABLE passkeys (
                id TEXT PRIMARY KEY NOT NULL,
                user_id INTEGER NOT NULL REFERENCES user_handles (user_id) ON DELETE CASCADE,
                credential_id BLOB NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
                -- As the authenticator encoded it.
                public_key BLOB NOT NULL,
                sign_count INTEGER NOT NULL CHECK (sign_count BETWEEN 0 AND 4294967295),
                backup_eligible INTEGER NOT NULL CHECK (backup_eligible IN (0, 1)),
                backed_up INTEGER NOT NULL CHECK (backed_up IN (0, 1)),
                -- Whether it has ever verified its user where something else was proven, too.
                user_verified INTEGER NOT NULL CHECK (user_verified IN (0, 1)),
                aaguid BLOB NOT NULL CHECK (length(aaguid) = 16),
                -- With blanks between.
                transports TEXT NOT NULL,
                -- NULL where the browser did not say.
                discoverable INTEGER CHECK (discoverable IN (0, 1)),
                name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
                created_at REAL NOT NULL,
                last_used_at REAL
            ) STRICT;
            CREATE INDEX passkeys_of_user ON passkeys (user_id);
            """)
    ]
}

extension SQLiteStorage {
    public func userHandle(of user: User.ID, orInsert new: [UInt8]) async throws -> [UInt8]? {
        try await write { database in
            try database.run(
                """
                INSERT INTO user_handles (user_id, handle) SELECT id, ?2 FROM users WHERE id = ?1
                ON CONFLICT (user_id) DO NOTHING
                """, [user, Data(new)])
            return try database.userHandle(of: user)
        }
    }

    public func passkeys(of user: User.ID) async throws -> UserPasskeys {
        try read { database in
            let passkeys = try database.rows(
                "SELECT * FROM passkeys WHERE user_id = ? ORDER BY created_at, id", [user]
            ) { try Passkey($0) }
            return UserPasskeys(userHandle: try database.userHandle(of: user), passkeys: passkeys)
        }
    }

    public func passkey(credentialID: [UInt8]) async throws -> OwnedPasskey? {
        try read { database in
            let passkey = try database.row("SELECT * FROM passkeys WHERE credential_id = ?", [Data(credentialID)]) {
                try Passkey($0)
            }
            // Read whether there is one or not: both take as long. No user has the id 0.
            let user = passkey?.userID ?? 0
            let handle = try database.userHandle(of: user)
            let owner = try database.credentials("id = ?", user)
            guard let passkey, let handle, let owner else { return nil }
            return OwnedPasskey(passkey: passkey, userHandle: handle, owner: owner)
        }
    }

    public func boundRelyingParty() async throws -> String? {
        try read { try $0.boundRelyingParty() }
    }

    public func insertPasskey(
        _ passkey: Passkey, for relyingParty: String, limit: Int, spending challenge: SpentChallenge,
        recoveryCodes codes: StoredRecoveryCodes, recording event: AuthEvent, and codesEvent: AuthEvent
    ) async throws -> PasskeyInsertion {
        try await write { database in
            try database.spend(challenge)
            try database.run(
                "DELETE FROM relying_party WHERE rp_id <> ? AND NOT EXISTS (SELECT 1 FROM passkeys)", [relyingParty])
            try database.run(
                "INSERT INTO relying_party (is_only, rp_id) VALUES (1, ?) ON CONFLICT DO NOTHING", [relyingParty])
            try database.run(
                """
                INSERT INTO passkeys (
                    id, user_id, credential_id, public_key, sign_count, backup_eligible, backed_up, user_verified,
                    aaguid, transports, discoverable, name, created_at)
                SELECT ?1, user_id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
                FROM user_handles JOIN users ON users.id = user_id
                WHERE user_id = ?2 AND disabled_at IS NULL
                    AND (SELECT count(*) FROM passkeys WHERE user_id = ?2) < ?14
                    AND EXISTS (SELECT 1 FROM relying_party WHERE rp_id = ?15)
                ON CONFLICT (credential_id) DO NOTHING
                """,
                [
                    passkey.id, passkey.userID, Data(passkey.credentialID), Data(passkey.publicKey),
                    Int64(passkey.signCount), passkey.isBackupEligible, passkey.isBackedUp, passkey.isUserVerified,
                    Data(passkey.aaguid), passkey.transports.joined(separator: " "), passkey.isDiscoverable,
                    passkey.name, passkey.createdAt.timeIntervalSince1970, limit, relyingParty,
                ])
            guard try database.recordChange(event) else {
                return try database.reasonAgainst(passkey, for: relyingParty, limit: limit)
            }
            let needsCodes = try database.row(
                """
                SELECT 1 FROM users WHERE id = ?1 AND nullif(password_hash, '!') IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM recovery_codes WHERE user_id = ?1)
                """, [passkey.userID]
            ) { _ in true }
            guard needsCodes == true else { return .inserted(hasNewCodes: false) }
            try database.replaceRecoveryCodes(with: codes, of: passkey.userID, at: passkey.createdAt)
            try database.append(codesEvent)
            return .inserted(hasNewCodes: true)
        }
    }

    public func usePasskey(
        id: Passkey.ID, signCount: UInt32, isBackedUp: Bool, isUserVerified: Bool, spending challenge: SpentChallenge,
        at now: Date, recording event: AuthEvent?
    ) async throws -> Bool {
        try await write { database in
            try database.spend(challenge)
            try database.run(
                """
                UPDATE passkeys SET sign_count = ?2, backed_up = ?3, user_verified = max(user_verified, ?4),
                    last_used_at = ?5
                WHERE id = ?1 AND EXISTS (SELECT 1 FROM users WHERE id = user_id AND disabled_at IS NULL)
                """, [id, Int64(signCount), isBackedUp, isUserVerified, now.timeIntervalSince1970])
            guard database.changesCount == 1 else { return false }
            if let event { try database.append(event) }
            return true
        }
    }

    public func renamePasskey(
        id: Passkey.ID, of user: User.ID, to name: String, recording event: AuthEvent
    ) async throws -> Bool {
        try await write { database in
            try database.run("UPDATE passkeys SET name = ? WHERE id = ? AND user_id = ?", [name, id, user])
            return try database.recordChange(event)
        }
    }

    public func deletePasskey(
        id: Passkey.ID, of user: User.ID, keepingLast: Bool, recording event: AuthEvent
    ) async throws -> PasskeyDeletion {
        try await write { database in
            try database.run(
                """
                DELETE FROM passkeys WHERE id = ?1 AND user_id = ?2 AND (
                    EXISTS (SELECT 1 FROM users WHERE id = ?2 AND nullif(password_hash, '!') IS NOT NULL)
                    OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = ?2 AND id <> ?1 AND user_verified = 1))
                    AND (NOT ?3 OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = ?2 AND id <> ?1)
                        OR EXISTS (
                            SELECT 1 FROM totp_factors WHERE user_id = ?2 AND confirmed_at IS NOT NULL))
                """, [id, user, keepingLast])
            guard try database.recordChange(event) else {
                let isThere = try database.row(
                    "SELECT 1 FROM passkeys WHERE id = ? AND user_id = ?", [id, user]
                ) { _ in true }
                return isThere == true ? .lastWayIn : .notFound
            }
            try database.removeWhatFollowsFactors(of: user)
            return .deleted
        }
    }
}

extension Database {
    /// Condition of a user, named by the parameter `?1`, whose password something has to follow.
    static let hasFactor = """
        (EXISTS (SELECT 1 FROM totp_factors WHERE user_id = ?1 AND confirmed_at IS NOT NULL)
            OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = ?1))
        """

    /// Removes recovery codes and trusted devices of a user without factors.
    func removeWhatFollowsFactors(of user: User.ID) throws {
        for table in ["recovery_keys", "trusted_devices"] {
            try run("DELETE FROM \(table) WHERE user_id = ?1 AND NOT \(Self.hasFactor)", [user])
        }
    }

    /// Spends a challenge.
    /// - Throws: `challenge_invalid` when it was spent before.
    fileprivate func spend(_ challenge: SpentChallenge) throws {
        try run(
            "INSERT INTO spent_challenges (digest, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [Data(challenge.digest), challenge.expiresAt.timeIntervalSince1970])
        guard changesCount == 1 else { throw AuthError.challengeInvalid }
    }

    fileprivate func userHandle(of user: User.ID) throws -> [UInt8]? {
        try row("SELECT handle FROM user_handles WHERE user_id = ?", [user]) { try $0["handle"] }
    }

    func boundRelyingParty() throws -> String? {
        try row("SELECT rp_id FROM relying_party WHERE EXISTS (SELECT 1 FROM passkeys)", []) { try $0["rp_id"] }
    }

    /// The reason why a passkey was not stored.
    fileprivate func reasonAgainst(
        _ passkey: Passkey, for relyingParty: String, limit: Int
    ) throws -> PasskeyInsertion {
        let isTaken = try row(
            "SELECT 1 FROM passkeys WHERE credential_id = ?", [Data(passkey.credentialID)]
        ) { _ in true }
        if isTaken == true { return .isTaken }
        let bound: String? = try row("SELECT rp_id FROM relying_party WHERE rp_id <> ?", [relyingParty]) {
            try $0["rp_id"]
        }
        if let bound { return .boundTo(bound) }
        let count = try row("SELECT count(*) AS count FROM passkeys WHERE user_id = ?", [passkey.userID]) {
            try $0["count"] as Int
        }
        return (count ?? 0) >= limit ? .limitReached : .noUser
    }
}

// MARK: - Rows

extension Passkey {
    fileprivate init(_ row: Row) throws {
        let (count, transports): (Int64, String) = try (row["sign_count"], row["transports"])
        try self.init(
            id: row["id"], userID: row["user_id"], name: row["name"], credentialID: row["credential_id"],
            publicKey: row["public_key"], signCount: UInt32(clamping: count),
            isBackupEligible: row["backup_eligible"], isBackedUp: row["backed_up"],
            isUserVerified: row["user_verified"], aaguid: row["aaguid"],
            transports: transports.split(separator: " ").map(String.init), isDiscoverable: row["discoverable"],
            createdAt: row["created_at"], lastUsedAt: row["last_used_at"])
    }
}

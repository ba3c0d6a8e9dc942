public import Foundation
public import RESTAuth

extension FactorsRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            13, "factors",
            """
            CREATE TABLE totp_factors (
                id text COLLATE "C" PRIMARY KEY,
                user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
                -- Encrypted for this id and this user.
                sealed bytea NOT NULL,
                created_at timestamptz NOT NULL,
                -- When its first code came. Until then it is asked for no code.
                confirmed_at timestamptz,
                -- The step of the last code that was taken, which only grows.
                last_step bigint NOT NULL DEFAULT 0 CHECK (last_step >= 0),
                last_used_at timestamptz
            );
            CREATE INDEX totp_factors_of_user ON totp_factors (user_id);
            CREATE UNIQUE INDEX totp_factors_not_confirmed ON totp_factors (user_id) WHERE confirmed_at IS NULL;

            CREATE TABLE recovery_keys (
                user_id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
                -- Encrypted for this user.
                sealed bytea NOT NULL
            );

            CREATE TABLE recovery_codes (
                -- With the key of their digests they go, too.
                user_id bigint NOT NULL REFERENCES recovery_keys (user_id) ON DELETE CASCADE,
                digest bytea NOT NULL,
                created_at timestamptz NOT NULL,
                PRIMARY KEY (user_id, digest)
            );

            CREATE TABLE trusted_devices (
                id text COLLATE "C" PRIMARY KEY,
                user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                digest bytea NOT NULL UNIQUE,
                -- The password that the user had: the trust ends with it.
                password_version bigint NOT NULL,
                address text COLLATE "C",
                user_agent text COLLATE "C",
                created_at timestamptz NOT NULL,
                last_used_at timestamptz NOT NULL,
                expires_at timestamptz NOT NULL
            );
            CREATE INDEX trusted_devices_of_user ON trusted_devices (user_id);
            CREATE INDEX trusted_devices_by_expiry ON trusted_devices (expires_at);
            """),
        SchemaChange(
            15, "grace of second factors",
            """
            -- Until when a user who must have a factor can sign in without one.
            CREATE TABLE factor_grace (
                user_id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
                until timestamptz NOT NULL
            );
            """),
    ]
}

extension PostgresStorage {
    public func factors(of user: User.ID) async throws -> StoredFactors {
        // One look, so that both are of one moment: a row for each app, and one without an app
        // where there is none.
        let rows = try await read(
            """
            SELECT \(StoredTOTP.columns), codes, passkeys
            FROM (
                SELECT (SELECT count(*) FROM recovery_codes WHERE user_id = $1) AS codes,
                    (SELECT count(*) FROM passkeys WHERE user_id = $1) AS passkeys
            ) AS counted
            LEFT JOIN totp_factors ON user_id = $1 ORDER BY created_at, id
            """, [user])
        return StoredFactors(
            totp: try rows.map { try ($0["id"] as String?) == nil ? nil : StoredTOTP($0) }.compactMap(\.self),
            recoveryCodes: try rows.first?["codes"] ?? 0, passkeys: try rows.first?["passkeys"] ?? 0)
    }

    // MARK: Authenticator apps

    public func insertTOTP(_ factor: StoredTOTP, limit: Int) async throws -> Bool {
        try await write(
            isRepeatable: true,
            Statement(Self.lockUser, [factor.userID]),
            Statement("DELETE FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NULL", [factor.userID]),
            Statement(
                """
                INSERT INTO totp_factors (id, user_id, name, sealed, created_at)
                SELECT $1, id, $3, $4, $5 FROM users
                WHERE id = $2 AND (SELECT count(*) FROM totp_factors WHERE user_id = $2) < $6
                RETURNING id
                """, [factor.id, factor.userID, factor.name, factor.sealed, factor.createdAt, limit])
        )[2].count == 1
    }

    public func confirmTOTP(
        id: FactorDescription.ID, of user: User.ID, step: Int64, at now: Date, addedAfter start: Date, limit: Int,
        recoveryCodes codes: StoredRecoveryCodes, recording event: AuthEvent, and codesEvent: AuthEvent
    ) async throws -> (isConfirmed: Bool, hasNewCodes: Bool) {
        let rows = try await write(
            Statement(Self.lockUser, [user]),
            Statement(
                """
                UPDATE totp_factors SET confirmed_at = $4, last_step = $3, last_used_at = $4
                WHERE id = $1 AND user_id = $2 AND confirmed_at IS NULL AND created_at >= $5 AND last_step < $3
                    AND (SELECT count(*) FROM totp_factors WHERE user_id = $2 AND confirmed_at IS NOT NULL) < $6
                RETURNING id
                """, [id, user, step, now, start, limit], recording: event),
            // After what has just been confirmed, and nothing else: no earlier one has this step
            // and no code.
            Self.inserting(
                codes, of: user, at: now,
                where: """
                    EXISTS (
                        SELECT FROM totp_factors
                        WHERE id = $5 AND user_id = $1 AND confirmed_at = $4 AND last_step = $6)
                    AND NOT EXISTS (SELECT FROM recovery_codes WHERE user_id = $1)
                    """, [id, step], recording: codesEvent))
        return (rows[1].count == 1, rows[2].count > 0)
    }

    public func useTOTP(id: FactorDescription.ID, of user: User.ID, step: Int64, at now: Date) async throws -> Bool {
        try await write(
            Statement(
                """
                UPDATE totp_factors SET last_step = $3, last_used_at = $4
                WHERE id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL AND last_step < $3
                """, [id, user, step, now])
        )[0].changedCount == 1
    }

    public func removeTOTP(
        id: FactorDescription.ID, of user: User.ID, keepingLast: Bool, recording event: AuthEvent
    ) async throws -> Bool {
        let rows = try await write(
            [
                Statement(Self.lockUser, [user]),
                Statement(
                    "DELETE FROM totp_factors WHERE id = $1 AND user_id = $2 AND confirmed_at IS NULL", [id, user]),
                Statement(
                    """
                    DELETE FROM totp_factors WHERE id = $1 AND user_id = $2 AND (NOT $3
                        OR EXISTS (
                            SELECT FROM totp_factors WHERE user_id = $2 AND id <> $1 AND confirmed_at IS NOT NULL)
                        OR EXISTS (SELECT FROM passkeys WHERE user_id = $2))
                    RETURNING id
                    """, [id, user, keepingLast], recording: event),
                Statement("SELECT id FROM totp_factors WHERE id = $1 AND user_id = $2", [id, user]),
            ] + Self.removingWhatFollowsFactors(of: user))
        guard rows[3].count == 0 else { throw AuthError.lastWayIn }
        return rows[1].changedCount + rows[2].count == 1
    }

    public func removeFactors(of user: User.ID, recording event: AuthEvent) async throws -> Bool {
        try await write(
            Statement(Self.lockUser, [user]),
            Statement(
                """
                SELECT user_id FROM totp_factors WHERE user_id = $1 UNION ALL
                SELECT user_id FROM passkeys WHERE user_id = $1 UNION ALL
                SELECT user_id FROM recovery_keys WHERE user_id = $1 UNION ALL
                SELECT user_id FROM trusted_devices WHERE user_id = $1
                """, [user], recording: event),
            Statement(
                """
                DELETE FROM factor_grace WHERE user_id = $1 AND (
                    EXISTS (SELECT 1 FROM totp_factors WHERE user_id = $1)
                    OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = $1)
                    OR EXISTS (SELECT 1 FROM recovery_keys WHERE user_id = $1)
                    OR EXISTS (SELECT 1 FROM trusted_devices WHERE user_id = $1))
                """, [user]),
            Statement("DELETE FROM totp_factors WHERE user_id = $1", [user]),
            Statement("DELETE FROM passkeys WHERE user_id = $1", [user]),
            Statement("DELETE FROM recovery_keys WHERE user_id = $1", [user]),
            Statement("DELETE FROM trusted_devices WHERE user_id = $1", [user])
        )[1].count > 0
    }

    public func beginFactorGrace(of user: User.ID, until date: Date) async throws -> Date {
        // The second statement sees what others have committed since the first.
        let rows = try await write(
            isRepeatable: true,
            Statement(
                """
                INSERT INTO factor_grace (user_id, until) SELECT id, $2 FROM users WHERE id = $1
                ON CONFLICT DO NOTHING
                """, [user, date]),
            Statement("SELECT until FROM factor_grace WHERE user_id = $1", [user]))
        return try rows[1].first?["until"] ?? date
    }

    public func deleteUnconfirmedTOTP(addedBefore date: Date, limit: Int) async throws -> Int {
        try await delete(
            from: "totp_factors", by: "id", where: "confirmed_at IS NULL AND created_at < $1", date, limit: limit)
    }

    // MARK: Recovery codes

    public func replaceRecoveryCodes(
        with codes: StoredRecoveryCodes, of user: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> Bool {
        try await write(
            Statement(Self.lockUser, [user]),
            Statement("DELETE FROM recovery_keys WHERE user_id = $1 AND \(Self.hasFactor)", [user]),
            Self.inserting(codes, of: user, at: now, where: Self.hasFactor, [], recording: event)
        )[2].count > 0
    }

    /// Makes a statement that stores recovery codes and their key for a user without codes, if
    /// `condition` holds (with `$1` as the user, `$4` as the time, and `parameters` from `$5` on).
    /// Then it returns rows, and the event is recorded.
    static func inserting(
        _ codes: StoredRecoveryCodes, of user: User.ID, at now: Date, where condition: String,
        _ parameters: [any PostgresParameter], recording event: AuthEvent
    ) -> Statement {
        let parameters: [any PostgresParameter] =
            [user, codes.sealedKey, PostgresArray(codes.digests), now] + parameters
        let recorded = Statement.recorded([(event, .once)], after: parameters.count)
        return Statement(
            """
            WITH key AS (
                INSERT INTO recovery_keys (user_id, sealed) SELECT $1::bigint, $2::bytea WHERE \(condition)
                ON CONFLICT (user_id) DO UPDATE SET sealed = EXCLUDED.sealed RETURNING user_id
            ), changed AS (
                INSERT INTO recovery_codes (user_id, digest, created_at)
                SELECT user_id, unnest($3::bytea[]), $4 FROM key RETURNING user_id
            )\(recorded.sql) SELECT * FROM changed
            """, parameters + recorded.parameters)
    }

    public func sealedRecoveryKey(of user: User.ID) async throws -> [UInt8]? {
        try await read("SELECT sealed FROM recovery_keys WHERE user_id = $1", [user]).first.map { try $0["sealed"] }
    }

    public func useRecoveryCode(
        digest: [UInt8], of user: User.ID, spending signIn: SpentChallenge?, recording event: AuthEvent
    ) async throws -> Int? {
        do {
            let rows = try await write(
                // The lock makes those who bring the same code wait, and find it gone.
                Statement(
                    """
                    INSERT INTO spent_challenges (digest, expires_at)
                    SELECT $3::bytea, $4::timestamptz FROM recovery_codes
                    WHERE user_id = $1 AND digest = $2 AND $3::bytea IS NOT NULL FOR UPDATE
                    """, [user, digest, signIn?.digest, signIn?.expiresAt]),
                Statement(
                    "DELETE FROM recovery_codes WHERE user_id = $1 AND digest = $2 RETURNING user_id",
                    [user, digest], recording: event),
                Statement("SELECT count(*) AS count FROM recovery_codes WHERE user_id = $1", [user]))
            return rows[1].count > 0 ? try rows[2].first?["count"] : nil
        } catch let error as PostgresError where error.state == .uniqueViolation {
            throw AuthError.ticketExpired
        }
    }

    // MARK: While the instance's secret is changed

    public func countFactorSecrets() async throws -> Int {
        try await read(
            "SELECT (SELECT count(*) FROM totp_factors) + (SELECT count(*) FROM recovery_keys) AS count"
        ).first?["count"] ?? 0
    }

    public func sealedTOTP(
        notMarked mark: [UInt8], after id: FactorDescription.ID, limit: Int
    ) async throws -> [StoredTOTP] {
        try await read(
            """
            SELECT \(StoredTOTP.columns) FROM totp_factors
            WHERE id > $1 AND \(Self.isUnmarked("sealed", mark: "$2", longerThan: 48)) ORDER BY id LIMIT $3
            """, [id, mark, limit]
        ).map(StoredTOTP.init)
    }

    public func replaceSealedTOTP(
        id: FactorDescription.ID, _ sealed: [UInt8], with other: [UInt8]
    ) async throws -> Bool {
        try await write(
            Statement("UPDATE totp_factors SET sealed = $1 WHERE id = $2 AND sealed = $3", [other, id, sealed])
        )[0].changedCount == 1
    }

    public func sealedRecoveryKeys(
        notMarked mark: [UInt8], after id: User.ID, limit: Int
    ) async throws -> [StoredRecoveryKey] {
        try await read(
            """
            SELECT user_id, sealed FROM recovery_keys
            WHERE user_id > $1 AND \(Self.isUnmarked("sealed", mark: "$2", longerThan: 60)) ORDER BY user_id LIMIT $3
            """, [id, mark, limit]
        ).map(StoredRecoveryKey.init)
    }

    public func replaceSealedRecoveryKey(
        of user: User.ID, _ sealed: [UInt8], with other: [UInt8]
    ) async throws -> Bool {
        try await write(
            Statement("UPDATE recovery_keys SET sealed = $1 WHERE user_id = $2 AND sealed = $3", [other, user, sealed])
        )[0].changedCount == 1
    }
}

// MARK: - Rows

extension StoredRecoveryKey {
    fileprivate init(_ row: Row) throws { self.init(userID: try row["user_id"], sealed: try row["sealed"]) }
}

extension StoredTOTP {
    fileprivate static let columns =
        "id, user_id, name, sealed, created_at, confirmed_at, last_step, last_used_at"

    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row["id"], userID: try row["user_id"], name: try row["name"], sealed: try row["sealed"],
            createdAt: try row["created_at"], confirmedAt: try row["confirmed_at"], lastStep: try row["last_step"],
            lastUsedAt: try row["last_used_at"])
    }
}

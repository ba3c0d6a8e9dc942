public import Foundation
import GRDB
public import RESTAuth

extension FactorsRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            13, "factors",
            """
            CREATE TABLE totp_factors (
                id TEXT PRIMARY KEY NOT NULL,
                user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
                -- Encrypted for this id and this user.
                sealed BLOB NOT NULL,
                created_at REAL NOT NULL,
                -- When its first code came. Until then it is asked for no code.
                confirmed_at REAL,
                -- The step of the last code that was taken, which only grows.
                last_step INTEGER NOT NULL DEFAULT 0 CHECK (last_step >= 0),
                last_used_at REAL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX totp_factors_of_user ON totp_factors (user_id);
            CREATE UNIQUE INDEX totp_factors_not_confirmed ON totp_factors (user_id) WHERE confirmed_at IS NULL;

            CREATE TABLE recovery_keys (
                user_id INTEGER PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                -- Encrypted for this user.
                sealed BLOB NOT NULL
            ) STRICT;

            CREATE TABLE recovery_codes (
                -- With the key of their digests they go, too.
                user_id INTEGER NOT NULL REFERENCES recovery_keys (user_id) ON DELETE CASCADE,
                digest BLOB NOT NULL,
                created_at REAL NOT NULL,
                PRIMARY KEY (user_id, digest)
            ) STRICT, WITHOUT ROWID;

            CREATE TABLE trusted_devices (
                id TEXT PRIMARY KEY NOT NULL,
                user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                digest BLOB NOT NULL UNIQUE,
                -- The password that the user had: the trust ends with it.
                password_version INTEGER NOT NULL,
                address TEXT,
                user_agent TEXT,
                created_at REAL NOT NULL,
                last_used_at REAL NOT NULL,
                expires_at REAL NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX trusted_devices_of_user ON trusted_devices (user_id);
            CREATE INDEX trusted_devices_by_expiry ON trusted_devices (expires_at);
            """),
        SchemaChange(
            15, "grace of second factors",
            """
            -- Until when a user who must have a factor can sign in without one.
            CREATE TABLE factor_grace (
                user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
                until REAL NOT NULL
            ) STRICT;
            """),
    ]
}

extension SQLiteStorage {
    public func factors(of user: User.ID) async throws -> StoredFactors {
        // One statement, so that all are of one moment: a row for each app, and one without an app
        // where there is none.
        let rows = try read { database in
            try database.rows(
                """
                SELECT \(StoredTOTP.columns), codes, passkeys
                FROM (
                    SELECT (SELECT count(*) FROM recovery_codes WHERE user_id = ?1) AS codes,
                        (SELECT count(*) FROM passkeys WHERE user_id = ?1) AS passkeys
                ) AS counted
                LEFT JOIN totp_factors ON user_id = ?1 ORDER BY created_at, id
                """, [user]
            ) { row in
                let app = try (row["id"] as String?) == nil ? nil : StoredTOTP(row)
                return (app: app, codes: try row["codes"] as Int, passkeys: try row["passkeys"] as Int)
            }
        }
        return StoredFactors(
            totp: rows.compactMap(\.app), recoveryCodes: rows.first?.codes ?? 0, passkeys: rows.first?.passkeys ?? 0)
    }

    // MARK: Authenticator apps

    public func insertTOTP(_ factor: StoredTOTP, limit: Int) async throws -> Bool {
        try await write { database in
            try database.run(
                "DELETE FROM totp_factors WHERE user_id = ? AND confirmed_at IS NULL", [factor.userID])
            try database.run(
                """
                INSERT INTO totp_factors (id, user_id, name, sealed, created_at)
                SELECT ?1, id, ?3, ?4, ?5 FROM users
                WHERE id = ?2 AND (SELECT count(*) FROM totp_factors WHERE user_id = ?2) < ?6
                """,
                [
                    factor.id, factor.userID, factor.name, Data(factor.sealed),
                    factor.createdAt.timeIntervalSince1970, limit,
                ])
            return database.changesCount == 1
        }
    }

    public func confirmTOTP(
        id: FactorDescription.ID, of user: User.ID, step: Int64, at now: Date, addedAfter start: Date, limit: Int,
        recoveryCodes codes: StoredRecoveryCodes, recording event: AuthEvent, and codesEvent: AuthEvent
    ) async throws -> (isConfirmed: Bool, hasNewCodes: Bool) {
        try await write { database in
            try database.run(
                """
                UPDATE totp_factors SET confirmed_at = ?4, last_step = ?3, last_used_at = ?4
                WHERE id = ?1 AND user_id = ?2 AND confirmed_at IS NULL AND created_at >= ?5 AND last_step < ?3
                    AND (SELECT count(*) FROM totp_factors WHERE user_id = ?2 AND confirmed_at IS NOT NULL) < ?6
                """,
                [id, user, step, now.timeIntervalSince1970, start.timeIntervalSince1970, limit])
            guard try database.recordChange(event) else { return (false, false) }
            guard try database.countRecoveryCodes(of: user) == 0 else { return (true, false) }
            try database.replaceRecoveryCodes(with: codes, of: user, at: now)
            try database.append(codesEvent)
            return (true, true)
        }
    }

    public func useTOTP(id: FactorDescription.ID, of user: User.ID, step: Int64, at now: Date) async throws -> Bool {
        try await write { database in
            try database.run(
                """
                UPDATE totp_factors SET last_step = ?3, last_used_at = ?4
                WHERE id = ?1 AND user_id = ?2 AND confirmed_at IS NOT NULL AND last_step < ?3
                """, [id, user, step, now.timeIntervalSince1970])
            return database.changesCount == 1
        }
    }

    public func removeTOTP(
        id: FactorDescription.ID, of user: User.ID, keepingLast: Bool, recording event: AuthEvent
    ) async throws -> Bool {
        try await write { database in
            try database.run(
                "DELETE FROM totp_factors WHERE id = ? AND user_id = ? AND confirmed_at IS NULL", [id, user])
            if database.changesCount == 1 { return true }
            try database.run(
                """
                DELETE FROM totp_factors WHERE id = ?1 AND user_id = ?2 AND (NOT ?3
                    OR EXISTS (
                        SELECT 1 FROM totp_factors WHERE user_id = ?2 AND id <> ?1 AND confirmed_at IS NOT NULL)
                    OR EXISTS (SELECT 1 FROM passkeys WHERE user_id = ?2))
                """, [id, user, keepingLast])
            guard try database.recordChange(event) else {
                let isKept = try database.row(
                    "SELECT 1 FROM totp_factors WHERE id = ? AND user_id = ?", [id, user]
                ) { _ in true }
                if isKept == true { throw AuthError.lastWayIn }
                return false
            }
            try database.removeWhatFollowsFactors(of: user)
            return true
        }
    }

    public func removeFactors(of user: User.ID, recording event: AuthEvent) async throws -> Bool {
        try await write { database in
            var count = 0
            for table in ["totp_factors", "passkeys", "recovery_keys", "trusted_devices"] {
                try database.run("DELETE FROM \(table) WHERE user_id = ?", [user])
                count += database.changesCount
            }
            guard count > 0 else { return false }
            try database.run("DELETE FROM factor_grace WHERE user_id = ?", [user])
            try database.append(event)
            return true
        }
    }

    public func beginFactorGrace(of user: User.ID, until date: Date) async throws -> Date {
        if let stored = try read({ try $0.factorGrace(of: user) }) { return stored }
        return try await write { database in
            try database.run(
                """
                INSERT INTO factor_grace (user_id, until) SELECT id, ?2 FROM users WHERE id = ?1
                ON CONFLICT DO NOTHING
                """, [user, date.timeIntervalSince1970])
            return try database.factorGrace(of: user) ?? date
        }
    }

    public func deleteUnconfirmedTOTP(addedBefore date: Date, limit: Int) async throws -> Int {
        try await delete(
            from: "totp_factors", by: "id", where: "confirmed_at IS NULL AND created_at < ?1", date, limit: limit)
    }

    // MARK: Recovery codes

    public func replaceRecoveryCodes(
        with codes: StoredRecoveryCodes, of user: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> Bool {
        try await write { database in
            let hasFactor = try database.row("SELECT 1 WHERE \(Database.hasFactor)", [user]) { _ in true }
            guard hasFactor == true else { return false }
            try database.replaceRecoveryCodes(with: codes, of: user, at: now)
            try database.append(event)
            return true
        }
    }

    public func sealedRecoveryKey(of user: User.ID) async throws -> [UInt8]? {
        try read { database in
            try database.row("SELECT sealed FROM recovery_keys WHERE user_id = ?", [user]) { try $0["sealed"] }
        }
    }

    public func useRecoveryCode(
        digest: [UInt8], of user: User.ID, spending signIn: SpentChallenge?, recording event: AuthEvent
    ) async throws -> Int? {
        try await write { database in
            try database.run("DELETE FROM recovery_codes WHERE user_id = ? AND digest = ?", [user, Data(digest)])
            guard try database.recordChange(event) else { return nil }
            if let signIn {
                try database.run(
                    "INSERT INTO spent_challenges (digest, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
                    [Data(signIn.digest), signIn.expiresAt.timeIntervalSince1970])
                guard database.changesCount == 1 else { throw AuthError.ticketExpired }
            }
            return try database.countRecoveryCodes(of: user)
        }
    }

    // MARK: While the instance's secret is changed

    public func countFactorSecrets() async throws -> Int {
        try read { database in
            try database.row(
                """
                SELECT (SELECT count(*) FROM totp_factors) + (SELECT count(*) FROM recovery_keys) AS count
                """, []
            ) { try $0["count"] } ?? 0
        }
    }

    public func sealedTOTP(
        notMarked mark: [UInt8], after id: FactorDescription.ID, limit: Int
    ) async throws -> [StoredTOTP] {
        try read { database in
            try database.rows(
                """
                SELECT \(StoredTOTP.columns) FROM totp_factors
                WHERE id > :id AND \(Self.isUnmarked("sealed", longerThan: 48)) ORDER BY id LIMIT :limit
                """, ["id": id, "mark": Data(mark), "limit": limit]
            ) { try StoredTOTP($0) }
        }
    }

    public func replaceSealedTOTP(
        id: FactorDescription.ID, _ sealed: [UInt8], with other: [UInt8]
    ) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE totp_factors SET sealed = ? WHERE id = ? AND sealed = ?", [Data(other), id, Data(sealed)])
            return database.changesCount == 1
        }
    }

    public func sealedRecoveryKeys(
        notMarked mark: [UInt8], after id: User.ID, limit: Int
    ) async throws -> [StoredRecoveryKey] {
        try read { database in
            try database.rows(
                """
                SELECT user_id, sealed FROM recovery_keys
                WHERE user_id > :id AND \(Self.isUnmarked("sealed", longerThan: 60)) ORDER BY user_id LIMIT :limit
                """, ["id": id, "mark": Data(mark), "limit": limit]
            ) { try StoredRecoveryKey($0) }
        }
    }

    public func replaceSealedRecoveryKey(
        of user: User.ID, _ sealed: [UInt8], with other: [UInt8]
    ) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE recovery_keys SET sealed = ? WHERE user_id = ? AND sealed = ?",
                [Data(other), user, Data(sealed)])
            return database.changesCount == 1
        }
    }
}

extension Database {
    fileprivate func countRecoveryCodes(of user: User.ID) throws -> Int {
        try row("SELECT count(*) AS count FROM recovery_codes WHERE user_id = ?", [user]) { try $0["count"] } ?? 0
    }

    func replaceRecoveryCodes(with codes: StoredRecoveryCodes, of user: User.ID, at now: Date) throws {
        try run("DELETE FROM recovery_keys WHERE user_id = ?", [user])
        try run("INSERT INTO recovery_keys (user_id, sealed) VALUES (?, ?)", [user, Data(codes.sealedKey)])
        for digest in codes.digests {
            try run(
                "INSERT INTO recovery_codes (user_id, digest, created_at) VALUES (?, ?, ?)",
                [user, Data(digest), now.timeIntervalSince1970])
        }
    }

    fileprivate func factorGrace(of user: User.ID) throws -> Date? {
        try row("SELECT until FROM factor_grace WHERE user_id = ?", [user]) { try $0["until"] }
    }
}

// MARK: - Rows

extension StoredRecoveryKey {
    fileprivate init(_ row: Row) throws { try self.init(userID: row["user_id"], sealed: row["sealed"]) }
}

extension StoredTOTP {
    fileprivate static let columns =
        "id, user_id, name, sealed, created_at, confirmed_at, last_step, last_used_at"

    fileprivate init(_ row: Row) throws {
        try self.init(
            id: row["id"], userID: row["user_id"], name: row["name"], sealed: row["sealed"],
            createdAt: row["created_at"], confirmedAt: row["confirmed_at"], lastStep: row["last_step"],
            lastUsedAt: row["last_used_at"])
    }
}

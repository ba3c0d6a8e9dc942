public import Foundation
import GRDB
public import RESTAuth

extension ProfilesRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            17, "profiles",
            """
            CREATE TABLE profiles (
                user_id INTEGER PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                -- Replaced by every change.
                version INTEGER NOT NULL,
                name TEXT,
                email TEXT,
                -- The form by which addresses are compared.
                email_key TEXT CHECK ((email IS NULL) = (email_key IS NULL)),
                email_verified_at REAL CHECK (email_verified_at IS NULL OR email IS NOT NULL),
                locale TEXT,
                zoneinfo TEXT,
                picture TEXT,
                metadata TEXT NOT NULL CHECK (length(CAST(metadata AS BLOB)) <= 4096),
                app_metadata TEXT NOT NULL CHECK (length(CAST(app_metadata AS BLOB)) <= 4096)
            ) STRICT;
            CREATE UNIQUE INDEX profiles_by_verified_email ON profiles (email_key) WHERE email_verified_at IS NOT NULL;

            -- Names that users gave up, and that nobody else gets yet.
            CREATE TABLE reserved_usernames (
                canonical_username TEXT PRIMARY KEY NOT NULL,
                user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                until REAL NOT NULL
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX reserved_usernames_of_user ON reserved_usernames (user_id);
            CREATE INDEX reserved_usernames_by_end ON reserved_usernames (until);
            CREATE TRIGGER new_username_is_free AFTER INSERT ON users
            WHEN EXISTS (SELECT 1 FROM reserved_usernames
                WHERE canonical_username = NEW.canonical_username AND user_id <> NEW.id) BEGIN
                SELECT RAISE(ABORT, 'the user name is reserved');
            END;
            CREATE TRIGGER other_username_is_free AFTER UPDATE OF canonical_username ON users
            WHEN EXISTS (SELECT 1 FROM reserved_usernames
                WHERE canonical_username = NEW.canonical_username AND user_id <> NEW.id) BEGIN
                SELECT RAISE(ABORT, 'the user name is reserved');
            END;
            """)
    ]
}

extension SQLiteStorage {
    public func profile(of user: User.ID) async throws -> StoredProfile? {
        try read { database in
            try database.row(
                """
                SELECT \(User.columns), \(Profile.columns) FROM users LEFT JOIN profiles ON user_id = users.id
                WHERE users.id = ?
                """, [user]
            ) { row in
                try StoredProfile(user: User(row), profile: Profile(row), version: row["version"] ?? 0)
            }
        }
    }

    public func appMetadata(of user: User.ID) async throws -> String? {
        try read {
            try $0.row("SELECT app_metadata FROM profiles WHERE user_id = ?", [user]) { try $0["app_metadata"] }
        }
    }

    public func username(verifiedEmail key: String) async throws -> String? {
        try read { database in
            try database.row(
                """
                SELECT username FROM profiles JOIN users ON users.id = user_id
                WHERE email_key = ? AND email_verified_at IS NOT NULL
                """, [key]
            ) { try $0["username"] }
        }
    }

    public func setProfile(
        _ profile: Profile, of user: User.ID, replacing version: Int64, endingSessions: Bool, at now: Date,
        recording events: [AuthEvent]
    ) async throws -> ProfileChange {
        try await write { database in
            do {
                try database.run(
                    """
                    INSERT INTO profiles (
                        user_id, version, name, email, email_key, email_verified_at, locale, zoneinfo, picture,
                        metadata, app_metadata)
                    SELECT id, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM users
                    WHERE id = ?1 AND (?3 = 0 OR EXISTS (SELECT 1 FROM profiles WHERE user_id = ?1))
                    ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, name = excluded.name,
                        email = excluded.email, email_key = excluded.email_key,
                        email_verified_at = excluded.email_verified_at, locale = excluded.locale,
                        zoneinfo = excluded.zoneinfo, picture = excluded.picture, metadata = excluded.metadata,
                        app_metadata = excluded.app_metadata
                    WHERE version = ?3
                    """, [user, StoredProfile.newVersion(), version] + profile.arguments)
            } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
                throw AuthError.emailTaken
            }
            guard database.changesCount == 1 else {
                let isThere = try database.row("SELECT 1 FROM users WHERE id = ?", [user]) { _ in true }
                return isThere == true ? .changedMeanwhile : .noUser
            }
            for event in events { try database.append(event) }
            guard endingSessions, let cause = events.first else { return .stored([]) }
            return .stored(try database.endSessions(of: user, except: nil, at: now, recording: cause))
        }
    }

    public func renameUser(
        _ id: User.ID, from present: Username, to name: Username, reservingUntil date: Date, limit: Int, at now: Date,
        recording event: AuthEvent
    ) async throws -> UsernameChange {
        try await write { database in
            try database.deleteExpiredReservation(of: name.canonical, at: now)
            try database.refusingTakenNames {
                try database.run(
                    """
                    UPDATE users SET username = ?1, canonical_username = ?2 WHERE id = ?3 AND username = ?4
                        AND (?2 = ?5 OR (SELECT count(*) FROM reserved_usernames
                            WHERE user_id = ?3 AND canonical_username <> ?2 AND until > ?6) < ?7)
                    """,
                    [
                        name.text, name.canonical, id, present.text, present.canonical, now.timeIntervalSince1970,
                        limit,
                    ])
            }
            guard try database.recordChange(event) else {
                let isThere = try database.row(
                    "SELECT 1 FROM users WHERE id = ? AND username = ?", [id, present.text]
                ) { _ in true }
                return isThere == true ? .limitReached : .changedMeanwhile
            }
            guard present.canonical != name.canonical else { return .changed }
            try database.run("DELETE FROM reserved_usernames WHERE canonical_username = ?", [name.canonical])
            // Whoever comes back to a name finds its counters as they were.
            if database.changesCount == 0 { try database.deleteThrottles(ofUser: name.canonical, id: nil) }
            guard date > now else { return .changed }
            try database.run(
                """
                INSERT INTO reserved_usernames (canonical_username, user_id, until) VALUES (?1, ?2, ?3)
                ON CONFLICT (canonical_username) DO UPDATE SET user_id = excluded.user_id, until = excluded.until
                """, [present.canonical, id, date.timeIntervalSince1970])
            return .changed
        }
    }

    public func deleteUsernameReservations(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "reserved_usernames", by: "canonical_username", where: "until < ?1", date, limit: limit)
    }
}

extension Database {
    /// Runs `change` of a user's name.
    /// - Throws: `user_already_exists`, `name_reserved`, which roll back everything.
    func refusingTakenNames(_ change: () throws -> Void) throws {
        do {
            try change()
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_UNIQUE {
            throw AuthError.nameTaken
        } catch let error as DatabaseError where error.extendedResultCode == .SQLITE_CONSTRAINT_TRIGGER {
            throw AuthError.nameReserved
        }
    }

    /// Deletes the reservation of a name if it has expired.
    func deleteExpiredReservation(of canonicalUsername: String, at now: Date) throws {
        try run(
            "DELETE FROM reserved_usernames WHERE canonical_username = ? AND until <= ?",
            [canonicalUsername, now.timeIntervalSince1970])
    }

    /// Stores the profile of a user who was just inserted.
    func insert(_ profile: Profile, of user: User.ID) throws {
        try run(
            """
            INSERT INTO profiles (
                user_id, version, name, email, email_key, email_verified_at, locale, zoneinfo, picture, metadata,
                app_metadata)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
            """, [user, StoredProfile.newVersion()] + profile.arguments)
    }

    /// Whether another user has verified that address.
    func isVerified(email key: String) throws -> Bool {
        try row("SELECT 1 FROM profiles WHERE email_key = ? AND email_verified_at IS NOT NULL", [key]) { _ in true }
            ?? false
    }
}

extension Profile {
    static let columns = """
        version, profiles.name AS profile_name, email, email_verified_at, locale, zoneinfo, picture, metadata,
        app_metadata
        """

    /// The values of the columns from `name` on.
    fileprivate var arguments: StatementArguments {
        [
            name, email, emailKey, emailVerifiedAt?.timeIntervalSince1970, locale, zoneinfo, picture, metadata,
            appMetadata,
        ]
    }

    init(_ row: Row) throws {
        try self.init(
            name: row["profile_name"], email: row["email"], emailVerifiedAt: row["email_verified_at"],
            locale: row["locale"], zoneinfo: row["zoneinfo"], picture: row["picture"],
            metadata: row["metadata"] ?? "{}", appMetadata: row["app_metadata"] ?? "{}")
    }
}

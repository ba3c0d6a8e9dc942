import Foundation
package import GRDB
package import RESTAuth

/// A room with tables in SQLite.
protocol SQLiteRoom: Room {
    /// The room's changes of the schema.
    static var changes: [SchemaChange] { get }
}

/// The schema, version by version. A released version is never edited, only followed by another
/// one.
///
/// Times are seconds since 1970, with a fraction. Invariants are constraints: code may forget a
/// rule, a row cannot.
package enum Migrations {
    /// Application id in the header of the file: "RAth".
    static let applicationID: Int32 = 0x5241_7468

    package static var migrator: DatabaseMigrator {
        get throws { try migrator(from: 0) }
    }

    /// The migrator of a database with an earlier version. Its last step records the upgrade as an
    /// event, in the same transaction.
    /// - Parameter earlier: the version of the database; 0 for a new one, for which nothing is
    ///   recorded.
    package static func migrator(from earlier: Int) throws -> DatabaseMigrator {
        var migrator = history
        let changes = try changes()
        for change in changes {
            migrator.registerMigration("\(change.number) \(change.title)") { database in
                try database.execute(sql: change.script)
                guard earlier > 0, change.number == changes.last?.number else { return }
                try database.append(
                    .schemaApplied(version: change.number, from: earlier).by(.application, at: .now))
            }
        }
        return migrator
    }

    /// The changes of the rooms since version 0.2.
    package static func changes() throws -> [SchemaChange] {
        try SchemaChange.inOrder(Rooms.all.compactMap { $0 as? any SQLiteRoom.Type }.flatMap { $0.changes })
    }

    /// The migrations up to version 0.2.
    private static var history: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 users, signing keys, revocations") { database in
            try database.execute(
                sql: """
                    PRAGMA application_id = \(applicationID);

                    CREATE TABLE users (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        username TEXT NOT NULL CHECK (length(username) BETWEEN 1 AND 64),
                        canonical_username TEXT NOT NULL UNIQUE,
                        password_hash TEXT NOT NULL,
                        created_at REAL NOT NULL,
                        password_changed_at REAL NOT NULL,
                        disabled_at REAL
                    ) STRICT;

                    CREATE TABLE signing_keys (
                        id TEXT PRIMARY KEY NOT NULL,
                        algorithm TEXT NOT NULL,
                        sealed BLOB NOT NULL,
                        created_at REAL NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE revocations (
                        number INTEGER PRIMARY KEY AUTOINCREMENT,
                        user_id INTEGER NOT NULL,
                        is_refused INTEGER NOT NULL CHECK (is_refused IN (0, 1)),
                        at REAL NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("2 sessions, roles, clients, key rotation") { database in
            try database.execute(
                sql: """
                    ALTER TABLE users ADD COLUMN password_version INTEGER NOT NULL DEFAULT 1;
                    -- Kept by the triggers below, so that a sign-in need not count.
                    ALTER TABLE users ADD COLUMN session_count INTEGER NOT NULL DEFAULT 0 CHECK (session_count >= 0);

                    CREATE TABLE sessions (
                        id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
                        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                        created_at REAL NOT NULL,
                        last_used_at REAL NOT NULL,
                        expires_at REAL NOT NULL,
                        address TEXT,
                        user_agent TEXT,
                        generation INTEGER NOT NULL DEFAULT 0,
                        refresh_digest BLOB,
                        previous_digest BLOB
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX sessions_of_user ON sessions (user_id, id);
                    CREATE INDEX sessions_by_expiry ON sessions (expires_at);

                    CREATE TRIGGER session_begins AFTER INSERT ON sessions BEGIN
                        UPDATE users SET session_count = session_count + 1 WHERE id = NEW.user_id;
                    END;
                    CREATE TRIGGER session_ends AFTER DELETE ON sessions BEGIN
                        UPDATE users SET session_count = session_count - 1 WHERE id = OLD.user_id;
                    END;

                    CREATE TABLE user_roles (
                        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                        role TEXT NOT NULL CHECK (length(role) BETWEEN 1 AND 64 AND role NOT LIKE '% %'),
                        PRIMARY KEY (user_id, role)
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE clients (
                        id TEXT PRIMARY KEY NOT NULL,
                        secret_digest BLOB NOT NULL,
                        created_at REAL NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    -- A line is about a user, a session, or a role of a user.
                    ALTER TABLE revocations RENAME TO revocations_1;
                    CREATE TABLE revocations (
                        number INTEGER PRIMARY KEY AUTOINCREMENT,
                        user_id INTEGER,
                        session_id TEXT,
                        role TEXT,
                        is_refused INTEGER NOT NULL CHECK (is_refused IN (0, 1)),
                        at REAL NOT NULL,
                        CHECK ((user_id IS NULL) <> (session_id IS NULL) AND (role IS NULL OR user_id IS NOT NULL))
                    ) STRICT;
                    CREATE INDEX revocations_by_time ON revocations (at);
                    CREATE INDEX revocations_of_roles ON revocations (user_id, role, number) WHERE role IS NOT NULL;
                    INSERT INTO revocations (number, user_id, is_refused, at)
                    SELECT number, user_id, is_refused, at FROM revocations_1;
                    -- No number is given twice, also when the last lines have been swept.
                    DELETE FROM sqlite_sequence WHERE name = 'revocations';
                    UPDATE sqlite_sequence SET name = 'revocations' WHERE name = 'revocations_1';
                    DROP TABLE revocations_1;

                    -- Each key follows one other, and no two the same.
                    ALTER TABLE signing_keys RENAME TO signing_keys_1;
                    CREATE TABLE signing_keys (
                        id TEXT PRIMARY KEY NOT NULL,
                        algorithm TEXT NOT NULL,
                        sealed BLOB NOT NULL,
                        created_at REAL NOT NULL,
                        signs_from REAL NOT NULL,
                        follows TEXT NOT NULL UNIQUE
                    ) STRICT, WITHOUT ROWID;
                    INSERT INTO signing_keys
                    SELECT id, algorithm, sealed, created_at, created_at, '' FROM signing_keys_1;
                    DROP TABLE signing_keys_1;
                    """)
        }
        migrator.registerMigration("3 transfer") { database in
            // There is a row while another database is moved into this one; until that is finished,
            // the database cannot be opened for anything else.
            try database.execute(
                sql: "CREATE TABLE unfinished_transfer (source TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID")
        }
        migrator.registerMigration("4 moved users, throttles, registration") { database in
            try database.execute(
                sql: """
                    -- The id that the user had where the tokens come from that are still out.
                    ALTER TABLE users ADD COLUMN legacy_id INTEGER;
                    CREATE UNIQUE INDEX users_by_legacy_id ON users (legacy_id) WHERE legacy_id IS NOT NULL;

                    CREATE TABLE throttles (
                        subject TEXT PRIMARY KEY NOT NULL,
                        failures INTEGER NOT NULL CHECK (failures >= 0),
                        failed_at REAL NOT NULL,
                        -- Up to when failures have been forgiven.
                        forgiven_at REAL NOT NULL,
                        -- When the row means nothing any more.
                        forgotten_at REAL NOT NULL,
                        -- Digests of the other side of the failures: accounts for a network, networks for an account.
                        others BLOB NOT NULL,
                        version INTEGER NOT NULL DEFAULT 1
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX throttles_by_end ON throttles (forgotten_at);

                    -- From where a password has signed the user in.
                    CREATE TABLE known_origins (
                        user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                        network TEXT NOT NULL,
                        seen_at REAL NOT NULL,
                        PRIMARY KEY (user_id, network)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX known_origins_by_time ON known_origins (seen_at);

                    CREATE TABLE invitations (
                        id TEXT PRIMARY KEY NOT NULL,
                        code_digest BLOB NOT NULL UNIQUE,
                        note TEXT NOT NULL,
                        created_at REAL NOT NULL,
                        expires_at REAL NOT NULL
                    ) STRICT, WITHOUT ROWID;

                    CREATE TABLE spent_challenges (
                        digest BLOB PRIMARY KEY NOT NULL,
                        expires_at REAL NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX spent_challenges_by_expiry ON spent_challenges (expires_at);
                    """)
        }
        migrator.registerMigration("5 throttles by the parts of their subjects") { database in
            // The one text of a subject is split: a kind, a colon, and what the kind is counted by.
            // In the kind `known` the name is followed by a blank and the network, which contains
            // no blank.
            try database.execute(
                sql: """
                    ALTER TABLE throttles RENAME TO throttles_4;
                    CREATE TABLE throttles (
                        -- Together they are the key, so none is missing: '' and 0 stand for what the kind is not
                        -- counted by.
                        kind TEXT NOT NULL CHECK (
                            kind IN ('account', 'confirmation', 'hashing', 'known', 'network', 'registrations')),
                        username TEXT NOT NULL CHECK ((username <> '') = (kind IN ('account', 'known'))),
                        network TEXT NOT NULL CHECK ((network <> '') = (kind IN ('known', 'network', 'registrations'))),
                        user_id INTEGER NOT NULL CHECK ((user_id <> 0) = (kind = 'confirmation')),
                        failures INTEGER NOT NULL CHECK (failures >= 0),
                        failed_at REAL NOT NULL,
                        -- Up to when failures have been forgiven.
                        forgiven_at REAL NOT NULL,
                        -- When the row means nothing any more.
                        forgotten_at REAL NOT NULL,
                        -- Digests of the other side of the failures: accounts for a network, networks for an account.
                        others BLOB NOT NULL,
                        version INTEGER NOT NULL DEFAULT 1,
                        PRIMARY KEY (kind, username, network, user_id)
                    ) STRICT, WITHOUT ROWID;
                    INSERT INTO throttles
                    SELECT kind, username, network, user_id, failures, failed_at, forgiven_at, forgotten_at, others,
                        version
                    FROM (
                        SELECT *,
                            CASE kind WHEN 'account' THEN rest
                                WHEN 'known' THEN substr(named, 1, length(named) - 1) ELSE '' END AS username,
                            CASE WHEN kind = 'known' THEN substr(rest, length(named) + 1)
                                WHEN kind IN ('network', 'registrations') THEN rest ELSE '' END AS network,
                            CASE kind WHEN 'confirmation' THEN CAST(rest AS INTEGER) ELSE 0 END AS user_id
                        FROM (
                            -- All that is no blank is trimmed from the end, up to the last one.
                            SELECT *, rtrim(rest, replace(rest, ' ', '')) AS named
                            FROM (
                                SELECT *, substr(subject, 1, instr(subject, ':') - 1) AS kind,
                                    substr(subject, instr(subject, ':') + 1) AS rest
                                FROM throttles_4)))
                    WHERE kind IN ('account', 'confirmation', 'hashing', 'known', 'network', 'registrations')
                        AND (username <> '') = (kind IN ('account', 'known'))
                        AND (network <> '') = (kind IN ('known', 'network', 'registrations'))
                        AND (user_id <> 0) = (kind = 'confirmation');
                    DROP TABLE throttles_4;
                    CREATE INDEX throttles_by_end ON throttles (forgotten_at);
                    """)
        }
        migrator.registerMigration("6 repeated renewals") { database in
            try database.execute(
                sql: """
                    -- Of the tokens that were given beside the one of refresh_digest, each after its length.
                    ALTER TABLE sessions ADD COLUMN sibling_digests BLOB NOT NULL DEFAULT x'';
                    -- When the last of them was given for the first time.
                    ALTER TABLE sessions ADD COLUMN successor_given_at REAL;
                    -- How often the token of previous_digest has been answered again.
                    ALTER TABLE sessions ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0 CHECK (repeats >= 0);
                    """)
        }
        migrator.registerMigration("7 ends of tokens") { database in
            // The lifetime of tokens was not stored before; it is a day at most.
            try database.execute(
                sql: """
                    -- The end of the last token that was given for the session.
                    ALTER TABLE sessions ADD COLUMN tokens_expire_at REAL NOT NULL DEFAULT 0;
                    UPDATE sessions SET tokens_expire_at = strftime('%s', 'now') + 86400;

                    -- When no token that a line concerns is live any more.
                    ALTER TABLE revocations ADD COLUMN expires_at REAL NOT NULL DEFAULT 0;
                    UPDATE revocations SET expires_at = at + 90000;
                    DROP INDEX revocations_by_time;
                    CREATE INDEX revocations_by_expiry ON revocations (expires_at);
                    CREATE INDEX revocations_of_sessions ON revocations (session_id) WHERE session_id IS NOT NULL;
                    CREATE INDEX revocations_of_users ON revocations (user_id) WHERE user_id IS NOT NULL;
                    """)
        }
        migrator.registerMigration("8 user names of mail length, ids of imports") { database in
            // Names of an earlier version have at most 64 characters, which are 256 octets. SQLite
            // cannot change a constraint: the table is made anew, with the columns in their order,
            // and its triggers and indices after it ("ALTER TABLE" in SQLite's documentation,
            // section 7).
            try database.execute(
                sql: """
                    DROP TRIGGER session_begins;
                    DROP TRIGGER session_ends;
                    CREATE TABLE users_8 (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        username TEXT NOT NULL CHECK (length(CAST(username AS BLOB)) BETWEEN 1 AND 256),
                        canonical_username TEXT NOT NULL UNIQUE,
                        password_hash TEXT NOT NULL,
                        created_at REAL NOT NULL,
                        password_changed_at REAL NOT NULL,
                        disabled_at REAL,
                        password_version INTEGER NOT NULL DEFAULT 1,
                        -- Kept by the triggers below, so that a sign-in need not count.
                        session_count INTEGER NOT NULL DEFAULT 0 CHECK (session_count >= 0),
                        -- The id that the user had where the tokens come from that are still out.
                        legacy_id INTEGER
                    ) STRICT;
                    INSERT INTO users_8 SELECT * FROM users;
                    -- No id is given twice, also when the last users have been deleted.
                    DELETE FROM sqlite_sequence WHERE name = 'users_8';
                    INSERT INTO sqlite_sequence (name, seq)
                    SELECT 'users_8', seq FROM sqlite_sequence WHERE name = 'users';
                    DROP TABLE users;
                    ALTER TABLE users_8 RENAME TO users;
                    CREATE UNIQUE INDEX users_by_legacy_id ON users (legacy_id) WHERE legacy_id IS NOT NULL;
                    CREATE TRIGGER session_begins AFTER INSERT ON sessions BEGIN
                        UPDATE users SET session_count = session_count + 1 WHERE id = NEW.user_id;
                    END;
                    CREATE TRIGGER session_ends AFTER DELETE ON sessions BEGIN
                        UPDATE users SET session_count = session_count - 1 WHERE id = OLD.user_id;
                    END;

                    -- Ids that are kept for users of an import: smaller than others that were given, and given to
                    -- nobody.
                    CREATE TABLE reserved_user_ids (id INTEGER PRIMARY KEY CHECK (id > 0)) STRICT;
                    """)
        }
        return migrator
    }
}

// MARK: - What is refused

extension Migrations {
    /// Refuses a database of a newer version.
    /// - Throws: `misconfigured`.
    static func refuseNewer(_ database: Database, path: String) throws {
        guard try !migrator.hasBeenSuperseded(database) else {
            throw AuthError(
                .misconfigured,
                "the database \(path) was made by a newer version of rest-auth; use that version or a later one")
        }
    }

    /// Refuses a database into which a transfer has not been finished.
    /// - Throws: `misconfigured`.
    static func refuseUnfinished(_ database: Database, path: String) throws {
        guard try database.tableExists("unfinished_transfer"),
            let source = try String.fetchOne(database, sql: "SELECT source FROM unfinished_transfer")
        else { return }
        throw AuthError(
            .misconfigured,
            """
            the database \(path) is only partly filled from \(source): repeat rest-auth migrate, which goes on from \
            there
            """
        )
    }
}

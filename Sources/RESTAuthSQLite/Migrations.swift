import GRDB

/// The schema, version by version. A version that was released is never changed, only followed.
///
/// Times are seconds since 1970, with a fraction. The constraints are the invariants: code may forget a rule, a row cannot.
enum Migrations {
    /// Says in the file's header whose it is: "RAth".
    static let applicationID: Int32 = 0x5241_7468

    static var migrator: DatabaseMigrator {
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
        return migrator
    }
}

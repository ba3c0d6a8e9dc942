public import Foundation
public import RESTAuth

extension ProfilesRoom: PostgresRoom {
    static let changes = [
        SchemaChange(
            17, "profiles",
            """
            CREATE TABLE profiles (
                user_id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
                -- Replaced by every change.
                version bigint NOT NULL,
                name text COLLATE "C",
                email text COLLATE "C",
                -- The form by which addresses are compared.
                email_key text COLLATE "C" CHECK ((email IS NULL) = (email_key IS NULL)),
                email_verified_at timestamptz CHECK (email_verified_at IS NULL OR email IS NOT NULL),
                locale text COLLATE "C",
                zoneinfo text COLLATE "C",
                picture text COLLATE "C",
                metadata text COLLATE "C" NOT NULL CHECK (octet_length(metadata) <= 4096),
                app_metadata text COLLATE "C" NOT NULL CHECK (octet_length(app_metadata) <= 4096)
            );
            CREATE UNIQUE INDEX profiles_by_verified_email ON profiles (email_key) WHERE email_verified_at IS NOT NULL;

            -- Names that users gave up, and that nobody else gets yet.
            CREATE TABLE reserved_usernames (
                canonical_username text COLLATE "C" PRIMARY KEY,
                user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                until timestamptz NOT NULL
            );
            CREATE INDEX reserved_usernames_of_user ON reserved_usernames (user_id);
            CREATE INDEX reserved_usernames_by_end ON reserved_usernames (until);
            CREATE FUNCTION username_is_free() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT FROM reserved_usernames
                    WHERE canonical_username = NEW.canonical_username AND user_id <> NEW.id) THEN
                    RAISE EXCEPTION 'the user name is reserved' USING ERRCODE = '23R01';
                END IF;
                RETURN NULL;
            END $$;
            -- Also for whoever has another search_path.
            DO $$ BEGIN
                EXECUTE format(
                    'ALTER FUNCTION username_is_free() SET search_path = %I, pg_temp', current_schema());
            END $$;
            -- After the change: one that waited for another user to give up the name sees the reservation.
            CREATE TRIGGER username_is_free AFTER INSERT OR UPDATE OF canonical_username ON users
                FOR EACH ROW EXECUTE FUNCTION username_is_free();
            """)
    ]
}

extension PostgresStorage {
    public func profile(of user: User.ID) async throws -> StoredProfile? {
        try await read(
            """
            SELECT \(User.columns), \(Profile.columns) FROM users LEFT JOIN profiles ON user_id = users.id
            WHERE users.id = $1
            """, [user]
        ).first.map { row in
            StoredProfile(user: try User(row), profile: try Profile(row), version: try row["version"] ?? 0)
        }
    }

    public func appMetadata(of user: User.ID) async throws -> String? {
        try await read("SELECT app_metadata FROM profiles WHERE user_id = $1", [user]).first?["app_metadata"]
    }

    public func username(verifiedEmail key: String) async throws -> String? {
        try await read(
            """
            SELECT username FROM profiles JOIN users ON users.id = user_id
            WHERE email_key = $1 AND email_verified_at IS NOT NULL
            """, [key]
        ).first?["username"]
    }

    public func setProfile(
        _ profile: Profile, of user: User.ID, replacing version: Int64, endingSessions: Bool, at now: Date,
        recording events: [AuthEvent]
    ) async throws -> ProfileChange {
        let next = StoredProfile.newVersion()
        var statements = [
            Statement(Self.lockUser, [user]),
            Statement(
                """
                INSERT INTO profiles (
                    user_id, version, name, email, email_key, email_verified_at, locale, zoneinfo, picture, metadata,
                    app_metadata)
                SELECT id, $2, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM users
                WHERE id = $1 AND ($3 = 0 OR EXISTS (SELECT FROM profiles WHERE user_id = $1))
                ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, name = excluded.name,
                    email = excluded.email, email_key = excluded.email_key,
                    email_verified_at = excluded.email_verified_at, locale = excluded.locale,
                    zoneinfo = excluded.zoneinfo, picture = excluded.picture, metadata = excluded.metadata,
                    app_metadata = excluded.app_metadata
                WHERE profiles.version = $3
                RETURNING user_id
                """, [user, next, version] + profile.parameters, recording: events.map { ($0, .once) }),
        ]
        if endingSessions, let cause = events.first {
            statements.append(
                self.endingSessions(
                    "user_id = $2 AND EXISTS (SELECT FROM profiles WHERE user_id = $2 AND version = $3)",
                    [user, next], at: now, recording: cause))
        }
        do {
            let rows = try await write(statements)
            guard rows[1].count == 1 else { return rows[0].count == 1 ? .changedMeanwhile : .noUser }
            return .stored(endingSessions && !events.isEmpty ? try rows[2].map(Revocation.init) : [])
        } catch let error as PostgresError where error.state == .uniqueViolation {
            throw AuthError.emailTaken
        }
    }

    public func renameUser(
        _ id: User.ID, from present: Username, to name: Username, reservingUntil date: Date, limit: Int, at now: Date,
        recording event: AuthEvent
    ) async throws -> UsernameChange {
        do {
            let isAnother = "id = $1 AND canonical_username = $2 AND canonical_username <> $3"
            let names: [any PostgresParameter] = [id, name.canonical, present.canonical]
            let rows = try await write(
                isRepeatable: true,
                // The lock that the change of a name takes.
                Statement("SELECT FROM users WHERE id = $1 FOR UPDATE", [id]),
                Statement(
                    "DELETE FROM reserved_usernames WHERE canonical_username = $1 AND until <= $2",
                    [name.canonical, now]),
                Statement(
                    """
                    UPDATE users SET username = $4, canonical_username = $2 WHERE id = $1 AND username = $5
                        AND ($2 = $3 OR (SELECT count(*) FROM reserved_usernames
                            WHERE user_id = $1 AND canonical_username <> $2 AND until > $6) < $7)
                    RETURNING id
                    """, names + [name.text, present.text, now, limit], recording: event),
                // Whoever comes back to a name finds its counters as they were.
                Statement(
                    """
                    DELETE FROM throttles WHERE kind IN ('account', 'known') AND username = $2
                        AND EXISTS (SELECT FROM users WHERE \(isAnother))
                        AND NOT EXISTS (SELECT FROM reserved_usernames WHERE canonical_username = $2)
                    """, names),
                Statement(
                    """
                    DELETE FROM reserved_usernames WHERE canonical_username = $2
                        AND EXISTS (SELECT FROM users WHERE \(isAnother))
                    """, names),
                Statement(
                    """
                    INSERT INTO reserved_usernames (canonical_username, user_id, until)
                    SELECT $3, id, $4 FROM users WHERE \(isAnother) AND $4 > $5
                    ON CONFLICT (canonical_username) DO UPDATE SET user_id = excluded.user_id, until = excluded.until
                    """, names + [date, now]),
                Statement("SELECT FROM users WHERE id = $1 AND username = $2", [id, present.text]))
            if try await isNew(rows, 2, recording: event) { return .changed }
            return rows[6].count == 1 ? .limitReached : .changedMeanwhile
        } catch let error as PostgresError {
            throw Self.refusal(ofName: error)
        }
    }

    public func deleteUsernameReservations(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "reserved_usernames", by: "canonical_username", where: "until < $1", date, limit: limit)
    }

    /// Runs an insertion of a user of that name; when an expired reservation is in its way, once
    /// more without that.
    /// - Throws: `name_reserved`.
    func freeing<Value: Sendable>(
        _ name: Username, at now: Date, _ insert: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await insert()
        } catch let error as PostgresError where error.state == .nameReserved {
            let freed = try await write(
                isRepeatable: true,
                Statement(
                    "DELETE FROM reserved_usernames WHERE canonical_username = $1 AND until <= $2",
                    [name.canonical, now]))
            guard freed[0].changedCount > 0 else { throw AuthError.nameReserved }
        }
        do {
            return try await insert()
        } catch let error as PostgresError where error.state == .nameReserved {
            throw AuthError.nameReserved
        }
    }

    private static func refusal(ofName error: PostgresError) -> any Error {
        switch error.state {
        case .uniqueViolation: AuthError.nameTaken
        case .nameReserved: AuthError.nameReserved
        default: error
        }
    }
}

extension Profile {
    static let columns = """
        version, profiles.name AS profile_name, email, email_verified_at, locale, zoneinfo, picture, metadata,
        app_metadata
        """

    /// The values of the columns from `name` on.
    fileprivate var parameters: [any PostgresParameter] {
        [name, email, emailKey, emailVerifiedAt, locale, zoneinfo, picture, metadata, appMetadata]
    }

    init(_ row: Row) throws {
        self.init(
            name: try row["profile_name"], email: try row["email"], emailVerifiedAt: try row["email_verified_at"],
            locale: try row["locale"], zoneinfo: try row["zoneinfo"], picture: try row["picture"],
            metadata: try row["metadata"] ?? "{}", appMetadata: try row["app_metadata"] ?? "{}")
    }
}

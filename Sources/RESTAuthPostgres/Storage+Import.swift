import Foundation
public import RESTAuth

extension PostgresStorage {
    public func lastUserID() async throws -> User.ID {
        let row = try await read(
            """
            SELECT coalesce(pg_sequence_last_value(sequence), 0) AS last_id, has_sequence_privilege(sequence,
                'UPDATE') AS is_owner
            FROM (SELECT pg_get_serial_sequence('users', 'id')::regclass AS sequence) AS sequences
            """
        ).first
        guard try row?["is_owner"] ?? false else {
            throw AuthError(
                .misconfigured, "users are imported by the owner of the PostgreSQL tables: sign in as that role")
        }
        return try row?["last_id"] ?? 0
    }

    public func reserveUserIDs(_ ids: [User.ID]) async throws -> User.ID {
        guard let greatest = ids.max() else { return try await lastUserID() }
        let answers = try await write(
            Self.withoutRegistrations,
            Statement(
                """
                SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('users', 'id')::regclass), 0) AS last_id
                """, []),
            Statement(
                """
                INSERT INTO reserved_user_ids (id) SELECT given.id FROM unnest($1) AS given (id)
                WHERE given.id > coalesce(pg_sequence_last_value(pg_get_serial_sequence('users', 'id')::regclass), 0)
                ON CONFLICT DO NOTHING
                """, [PostgresArray(ids)]),
            Self.raisedSequence(of: "users", to: greatest))
        return try answers[1].first?["last_id"] ?? 0
    }

    public func importUsers(
        _ users: [ImportableUser], above last: User.ID, isTrial: Bool, recording event: AuthEvent
    ) async throws -> [ImportOutcome] {
        let emailKeys = PostgresArray(users.map(\.profile.verifiedEmailKey))
        let parameters = Self.parameters(users) + [last, emailKeys, event.at]
        guard !isTrial else {
            return try await read(
                "\(Self.judgedUsers) SELECT obstacle, coalesce(present_id, 0) AS id FROM judged ORDER BY place",
                parameters
            )
            .map { try ImportOutcome($0) }
        }
        let stored = parameters + Self.roleParameters(users) + Self.profileParameters(users)
        let recorded = Statement.recorded([(event, .countingUsers)], after: stored.count)
        return try await write(
            Self.withoutRegistrations,
            // This comes first, so that no id given here is given elsewhere afterwards.
            Self.raisedSequence(of: "users", to: users.compactMap(\.id).max() ?? 0),
            Statement("DELETE FROM reserved_usernames WHERE until <= $1", [event.at]),
            Statement(Self.storedUsers(recorded.sql), stored + recorded.parameters)
        )[3].map { try ImportOutcome($0) }
    }

    public func credentials(legacyID: Int64) async throws -> StoredCredentials? {
        try await credentials("legacy_id = $1", legacyID)
    }

    public func userCount() async throws -> Int {
        try await read("SELECT count(*) AS count FROM users").first?["count"] ?? 0
    }

    public func exportUsers(after id: User.ID, limit: Int) async throws -> [ExportedUser] {
        try await read(
            """
            SELECT \(User.columns), \(StoredCredentials.columns), legacy_id, \(Profile.columns)
            FROM users LEFT JOIN profiles ON user_id = users.id
            WHERE users.id > $1 ORDER BY users.id LIMIT $2
            """, [id, limit]
        ).map { row in
            try ExportedUser(
                credentials: StoredCredentials(
                    user: User(row), passwordHash: row["password_hash"], passwordVersion: row["password_version"]),
                legacyID: row["legacy_id"], profile: Profile(row))
        }
    }

    // MARK: Statements

    /// Locks the tables against registrations, other names and verified addresses: when the lock is
    /// granted, every id given before is visible. It is in a block because LOCK TABLE is refused
    /// where no BEGIN was sent.
    private static let withoutRegistrations = Statement(
        "DO 'BEGIN LOCK TABLE users, profiles IN SHARE ROW EXCLUSIVE MODE; END'")

    /// Raises the sequence, so that the next id of that table is greater than `last`.
    static func raisedSequence(of table: String, to last: Int64) -> Statement {
        Statement(
            """
            SELECT setval(pg_get_serial_sequence('\(table)', 'id')::regclass, $1) WHERE $1 > coalesce(
                pg_sequence_last_value(pg_get_serial_sequence('\(table)', 'id')::regclass), 0)
            """, [last])
    }

    /// The incoming users, each with the obstacle to its import.
    private static let judgedUsers = """
        WITH incoming AS (
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $9) WITH ORDINALITY
                AS incoming (id, legacy_id, username, canonical_username, password_hash, created_at, disabled_at,
                    verified_email_key, place)
        ), judged AS (
            SELECT incoming.*, present.id AS present_id, CASE
                WHEN incoming.id <> present.id
                    AND (incoming.legacy_id IS NULL OR present.legacy_id IS DISTINCT FROM incoming.legacy_id)
                    THEN 'name of another id'
                WHEN present.id IS NOT NULL THEN 'name'
                WHEN EXISTS (SELECT FROM reserved_usernames AS kept
                    WHERE kept.canonical_username = incoming.canonical_username COLLATE "C" AND kept.until > $10)
                    THEN 'reserved'
                WHEN EXISTS (SELECT FROM profiles WHERE email_key = incoming.verified_email_key COLLATE "C"
                    AND email_verified_at IS NOT NULL) THEN 'email'
                WHEN EXISTS (SELECT FROM users WHERE users.legacy_id = incoming.legacy_id) THEN 'legacy id'
                WHEN EXISTS (SELECT FROM users WHERE users.id = incoming.id) THEN 'id'
                WHEN incoming.id <= $8 AND NOT EXISTS (SELECT FROM reserved_user_ids AS kept
                    WHERE kept.id = incoming.id) THEN 'id'
                END AS obstacle
            FROM incoming LEFT JOIN users AS present ON present.canonical_username = incoming.canonical_username
                COLLATE "C"
        )
        """

    /// - Parameter recorded: further parts of the `WITH` list, which record the event for the rows
    ///   in `changed`.
    private static func storedUsers(_ recorded: String) -> String {
        """
        \(judgedUsers), changed AS (
            INSERT INTO users (
                id, legacy_id, username, canonical_username, password_hash, created_at, password_changed_at,
                    disabled_at)
            SELECT coalesce(id, nextval(pg_get_serial_sequence('users', 'id')::regclass)), legacy_id, username,
                canonical_username,
                password_hash, created_at, created_at, disabled_at
            FROM (SELECT * FROM judged WHERE obstacle IS NULL ORDER BY place) AS admitted
            RETURNING id, canonical_username
        ), granted AS (
            INSERT INTO user_roles (user_id, role)
            SELECT changed.id, given.role FROM changed JOIN unnest($11, $12) AS given (canonical_username, role)
                ON changed.canonical_username = given.canonical_username COLLATE "C"
        ), described AS (
            INSERT INTO profiles (
                user_id, version, name, email, email_key, email_verified_at, locale, zoneinfo, picture, metadata,
                app_metadata)
            SELECT changed.id, given.version, given.name, given.email, given.email_key, given.email_verified_at,
                given.locale, given.zoneinfo, given.picture, given.metadata, given.app_metadata
            FROM changed JOIN unnest($13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) AS given (
                canonical_username, version, name, email, email_key, email_verified_at, locale, zoneinfo, picture,
                metadata, app_metadata) ON changed.canonical_username = given.canonical_username COLLATE "C"
        ), used AS (
            DELETE FROM reserved_user_ids USING changed WHERE reserved_user_ids.id = changed.id
        ), forgotten AS (
            DELETE FROM throttles USING changed WHERE \(isOf("changed"))
        )\(recorded)
        SELECT judged.obstacle, coalesce(changed.id, judged.present_id) AS id FROM judged LEFT JOIN changed
            ON changed.canonical_username = judged.canonical_username COLLATE "C" ORDER BY place
        """
    }

    private static func parameters(_ users: [ImportableUser]) -> [any PostgresParameter] {
        [
            PostgresArray(users.map(\.id)), PostgresArray(users.map(\.legacyID)), PostgresArray(users.map(\.name.text)),
            PostgresArray(users.map(\.name.canonical)), PostgresArray(users.map(\.passwordHash)),
            PostgresArray(users.map(\.createdAt)),
            PostgresArray(users.map(\.disabledAt)),
        ]
    }

    private static func profileParameters(_ users: [ImportableUser]) -> [any PostgresParameter] {
        let users = users.filter { !$0.profile.isEmpty }
        let profiles = users.map(\.profile)
        return [
            PostgresArray(users.map(\.name.canonical)), PostgresArray(users.map { _ in StoredProfile.newVersion() }),
            PostgresArray(profiles.map(\.name)), PostgresArray(profiles.map(\.email)),
            PostgresArray(profiles.map(\.emailKey)), PostgresArray(profiles.map(\.emailVerifiedAt)),
            PostgresArray(profiles.map(\.locale)), PostgresArray(profiles.map(\.zoneinfo)),
            PostgresArray(profiles.map(\.picture)), PostgresArray(profiles.map(\.metadata)),
            PostgresArray(profiles.map(\.appMetadata)),
        ]
    }

    private static func roleParameters(_ users: [ImportableUser]) -> [any PostgresParameter] {
        let grants = users.flatMap { user in user.roles.map { (user.name.canonical, $0) } }
        return [PostgresArray(grants.map(\.0)), PostgresArray(grants.map(\.1))]
    }
}

extension ImportOutcome {
    fileprivate init(_ row: Row) throws {
        self =
            switch try row["obstacle"] as String? {
            case nil: .imported(try row["id"])
            case "name": .nameTaken
            case "name of another id": .nameOfAnotherID(try row["id"])
            case "reserved": .nameReserved
            case "email": .emailTaken
            case "legacy id": .legacyIDTaken
            default: .idTaken
            }
    }
}

public import Foundation
import GRDB
public import RESTAuth

extension PersonalTokensRoom: SQLiteRoom {
    static let changes = [
        SchemaChange(
            18, "tokens for programs",
            """
            CREATE TABLE service_accounts (
                id TEXT PRIMARY KEY NOT NULL,
                owner_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
                note TEXT CHECK (length(note) BETWEEN 1 AND 256),
                created_at REAL NOT NULL
            ) STRICT;
            CREATE INDEX service_accounts_of_owner ON service_accounts (owner_id) WHERE owner_id IS NOT NULL;

            CREATE TABLE program_tokens (
                id TEXT PRIMARY KEY NOT NULL,
                -- One of both.
                user_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
                service_id TEXT REFERENCES service_accounts (id) ON DELETE CASCADE,
                name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
                -- With blanks between.
                scopes TEXT NOT NULL,
                digest BLOB NOT NULL UNIQUE,
                last_four TEXT NOT NULL,
                created_at REAL NOT NULL,
                -- In seconds; NULL for a token that does not expire.
                rotated_at REAL,
                lifetime INTEGER CHECK (lifetime > 0),
                expires_at REAL,
                last_used_at REAL,
                CHECK ((user_id IS NULL) <> (service_id IS NULL))
            ) STRICT;
            CREATE INDEX program_tokens_of_user ON program_tokens (user_id) WHERE user_id IS NOT NULL;
            CREATE INDEX program_tokens_of_service ON program_tokens (service_id) WHERE service_id IS NOT NULL;
            CREATE INDEX program_tokens_by_expiry ON program_tokens (expires_at) WHERE expires_at IS NOT NULL;
            """)
    ]
}

extension SQLiteStorage {
    public func insertProgramToken(
        _ token: StoredProgramToken, digest: [UInt8], limit: Int, recording event: AuthEvent
    ) async throws -> ProgramTokenInsertion {
        try await write { database in
            guard try database.isActive(token.holder) else { return .noHolder }
            let live = try database.countLiveTokens(of: token.holder, at: token.createdAt)
            guard live < limit else { return .limitReached }
            try database.insert(token, digest: digest)
            try database.append(event)
            return .inserted
        }
    }

    public func programTokens(of holder: ProgramToken.Holder) async throws -> [StoredProgramToken] {
        try read { database in
            try database.rows(
                "SELECT * FROM program_tokens WHERE \(holder.condition) ORDER BY created_at, id", holder.arguments
            ) { try StoredProgramToken($0) }
        }
    }

    public func programToken(digests: [[UInt8]]) async throws -> FoundProgramToken? {
        let places = digests.map { _ in "?" }.joined(separator: ", ")
        return try read { database in
            try database.row(
                """
                SELECT program_tokens.*, username, users.created_at AS user_created_at, disabled_at,
                    \(User.rolesColumn)
                FROM program_tokens LEFT JOIN users ON users.id = user_id WHERE digest IN (\(places))
                """, StatementArguments(digests.map { Data($0) })
            ) { row in
                let token = try StoredProgramToken(row)
                let owner =
                    token.holder.user == nil ? nil : try User(row, id: "user_id", createdAt: "user_created_at")
                return FoundProgramToken(token: token, digest: try row["digest"], owner: owner)
            }
        }
    }

    public func useProgramToken(
        id: ProgramToken.ID, at now: Date, unlessUsedAfter earlier: Date, replacing digest: [UInt8],
        with other: [UInt8]
    ) async throws -> Bool {
        try await write { database in
            try database.run(
                """
                UPDATE program_tokens SET last_used_at = max(ifnull(last_used_at, ?2), ?2), digest = ?5
                WHERE id = ?1 AND digest = ?4 AND (ifnull(last_used_at <= ?3, 1) OR digest <> ?5)
                """,
                [
                    id.description, now.timeIntervalSince1970, earlier.timeIntervalSince1970, Data(digest), Data(other),
                ])
            return database.changesCount == 1
        }
    }

    public func rotateProgramToken(
        id: ProgramToken.ID, of holder: ProgramToken.Holder, to successor: ProgramTokenSuccessor, endingAt end: Date,
        limit: Int, recording event: AuthEvent
    ) async throws -> ProgramTokenRotation {
        try await write { database in
            let now = successor.createdAt
            let found = try database.row(
                "SELECT * FROM program_tokens WHERE id = ? AND \(holder.condition)", [id.description] + holder.arguments
            ) { try StoredProgramToken($0) }
            guard let before = found, try database.isActive(holder) else { return .notFound }
            guard !before.isExpired(at: now) else { return .expired }
            guard before.rotatedAt == nil else { return .rotatedBefore }
            guard try database.countLiveTokens(of: holder, at: now) < limit else { return .limitReached }
            let token = before.succeeded(by: successor)
            try database.insert(token, digest: successor.digest)
            let expiresAt = min(before.expiresAt ?? end, end)
            try database.run(
                "UPDATE program_tokens SET expires_at = ?, rotated_at = ? WHERE id = ?",
                [expiresAt.timeIntervalSince1970, now.timeIntervalSince1970, id.description])
            try database.append(event)
            let revocation = expiresAt <= now ? try database.appendRevocation(ofToken: id, at: now) : nil
            return .rotated(token, previousExpiresAt: expiresAt, revocation: revocation)
        }
    }

    public func deleteProgramToken(
        id: ProgramToken.ID, of holder: ProgramToken.Holder, at now: Date, recording event: AuthEvent
    ) async throws -> Revocation? {
        try await write { database in
            try database.run(
                "DELETE FROM program_tokens WHERE id = ? AND \(holder.condition)", [id.description] + holder.arguments)
            guard try database.recordChange(event) else { return nil }
            return try database.appendRevocation(ofToken: id, at: now)
        }
    }

    public func countProgramTokens(
        notMarked mark: [UInt8], at now: Date
    ) async throws -> (count: Int, unmarkedCount: Int) {
        try read { database in
            try database.row(
                """
                SELECT count(*) AS count, count(*) FILTER (WHERE \(Self.isUnmarked("digest"))) AS unmarked
                FROM program_tokens WHERE expires_at IS NULL OR expires_at > :now
                """, ["mark": Data(mark), "now": now.timeIntervalSince1970]
            ) { (try $0["count"], try $0["unmarked"]) } ?? (0, 0)
        }
    }

    public func programTokens(
        notMarked mark: [UInt8], at now: Date, limit: Int
    ) async throws -> [StoredProgramToken] {
        try read { database in
            try database.rows(
                """
                SELECT * FROM program_tokens
                WHERE (expires_at IS NULL OR expires_at > :now) AND (\(Self.isUnmarked("digest")))
                ORDER BY id LIMIT :limit
                """, ["mark": Data(mark), "now": now.timeIntervalSince1970, "limit": limit]
            ) { try StoredProgramToken($0) }
        }
    }

    public func deleteProgramTokens(expiredBefore date: Date, limit: Int) async throws -> Int {
        try await delete(from: "program_tokens", by: "id", where: "expires_at < ?1", date, limit: limit)
    }
}

extension Database {
    /// Whether tokens can be made for the holder.
    fileprivate func isActive(_ holder: ProgramToken.Holder) throws -> Bool {
        let sql =
            switch holder {
            case .user: "SELECT 1 FROM users WHERE id = ? AND disabled_at IS NULL"
            case .service: "SELECT 1 FROM service_accounts WHERE id = ?"
            }
        return try row(sql, holder.arguments) { _ in true } ?? false
    }

    fileprivate func countLiveTokens(of holder: ProgramToken.Holder, at now: Date) throws -> Int {
        try row(
            """
            SELECT count(*) AS count FROM program_tokens
            WHERE (expires_at IS NULL OR expires_at > ?) AND \(holder.condition)
            """, [now.timeIntervalSince1970] + holder.arguments
        ) { try $0["count"] } ?? 0
    }

    /// Stores a token, and deletes those that expired longest ago beyond the limit of those.
    fileprivate func insert(_ token: StoredProgramToken, digest: [UInt8]) throws {
        try run(
            """
            INSERT INTO program_tokens (
                id, user_id, service_id, name, scopes, digest, last_four, created_at, lifetime, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                token.id.description, token.holder.user, token.holder.service, token.name, token.scopeText,
                Data(digest), token.lastFour, token.createdAt.timeIntervalSince1970, token.lifetime,
                token.expiresAt?.timeIntervalSince1970,
            ])
        let now = token.createdAt.timeIntervalSince1970
        try run(
            """
            DELETE FROM program_tokens WHERE id IN (
                SELECT id FROM program_tokens WHERE expires_at <= ? AND \(token.holder.condition)
                ORDER BY expires_at DESC, id DESC LIMIT -1 OFFSET ?)
            """, [now] + token.holder.arguments + [ProgramToken.expiredLimit])
    }

    /// Refuses a token by an entry about the session of its id.
    func appendRevocation(ofToken id: ProgramToken.ID, at now: Date) throws -> Revocation {
        try appendRevocation(of: .session(id), at: now, tokensUntil: now.addingTimeInterval(ProgramTokens.memory))
    }
}

extension ProgramToken.Holder {
    /// Condition of the holder's tokens, with ``arguments``.
    fileprivate var condition: String {
        switch self {
        case .user: "user_id = ?"
        case .service: "service_id = ?"
        }
    }

    fileprivate var arguments: StatementArguments {
        switch self {
        case .user(let id): [id]
        case .service(let id): [id]
        }
    }
}

// MARK: - Rows

extension StoredProgramToken {
    fileprivate init(_ row: Row) throws {
        let (user, service): (User.ID?, String?) = try (row["user_id"], row["service_id"])
        try self.init(
            id: row["id"], holder: user.map { .user($0) } ?? .service(service ?? ""), name: row["name"],
            scopes: Session.scope(row["scopes"]) ?? [], lastFour: row["last_four"], createdAt: row["created_at"],
            lifetime: row["lifetime"], expiresAt: row["expires_at"], lastUsedAt: row["last_used_at"],
            rotatedAt: row["rotated_at"])
    }
}

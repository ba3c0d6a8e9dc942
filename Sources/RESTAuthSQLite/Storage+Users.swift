public import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func insertUser(
        _ name: Username, passwordHash: String?, roles: Set<String>, at now: Date, recording event: AuthEvent
    ) async throws -> User {
        try Role.check(totalLength: roles.reduce(0) { $0 + $1.utf8.count })
        let id = try await write { database in
            let id = try database.insertUser(name, passwordHash: passwordHash, at: now, recording: event)
            for role in roles.sorted() {
                try database.run("INSERT INTO user_roles (user_id, role) VALUES (?, ?)", [id, role])
                try database.append(event.of(id).granting(role))
            }
            return id
        }
        return User(id: id, username: name.text, createdAt: now, disabledAt: nil, roles: roles)
    }

    public func user(id: User.ID) async throws -> User? {
        try read { try $0.row("SELECT \(User.columns) FROM users WHERE id = ?", [id]) { try User($0) } }
    }

    public func credentials(canonicalUsername: String) async throws -> StoredCredentials? {
        try credentials("canonical_username = ?", canonicalUsername)
    }

    public func credentials(user id: User.ID) async throws -> StoredCredentials? {
        try credentials("id = ?", id)
    }

    func credentials(_ condition: String, _ argument: any DatabaseValueConvertible) throws -> StoredCredentials? {
        try read { try $0.credentials(condition, argument) }
    }

    public func users(after id: User.ID, limit: Int) async throws -> [User] {
        try read { database in
            try database.rows("SELECT \(User.columns) FROM users WHERE id > ? ORDER BY id LIMIT ?", [id, limit]) {
                try User($0)
            }
        }
    }

    public func setPasswordHash(
        _ hash: String, user id: User.ID, replacing present: String?, version: Int?, beginning: NewSession?,
        at now: Date, recording event: AuthEvent
    ) async throws -> [Revocation]? {
        try await write { database in
            try database.run(
                """
                UPDATE users SET password_hash = ?1, password_changed_at = ?2, password_version = password_version + 1
                WHERE id = ?3 AND (?4 IS NULL OR nullif(password_hash, '!') = ?4)
                    AND (disabled_at IS NULL OR NOT ?5) AND (?6 IS NULL OR password_version = ?6)
                """, [hash, now.timeIntervalSince1970, id, present, beginning != nil, version])
            guard database.changesCount == 1 else { return nil }
            try database.run("DELETE FROM known_origins WHERE user_id = ?", [id])
            try database.deleteThrottles(ofUser: id)
            try database.append(event)
            let ended = try database.endSessions(of: id, except: nil, at: now, recording: event)
            if let beginning {
                try database.insert(beginning, passwordVersion: nil, recording: event.starting(beginning.session))
            }
            return ended
        }
    }

    public func upgradePasswordHash(
        _ hash: String, user id: User.ID, replacing present: String, recording event: AuthEvent
    ) async throws -> Bool {
        try await write { database in
            try database.run(
                "UPDATE users SET password_hash = ? WHERE id = ? AND nullif(password_hash, '!') = ?",
                [hash, id, present])
            return try database.recordChange(event)
        }
    }

    public func passwordHashes(sampling count: Int) async throws -> [String] {
        try read { try $0.passwordHashes(sampling: count) }
    }

    public func grantRole(
        _ role: String, user id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (exists: Bool, isNew: Bool, lifted: Revocation?) {
        try await write { database in
            guard try database.hasUser(id) else { return (false, false, nil) }
            try database.run("INSERT INTO user_roles (user_id, role) VALUES (?, ?) ON CONFLICT DO NOTHING", [id, role])
            let isNew = try database.recordChange(event)
            let length = try database.row("SELECT sum(length(role)) AS length FROM user_roles WHERE user_id = ?", [id])
            {
                try $0["length"] as Int
            }
            try Role.check(totalLength: length ?? 0)
            let isRefused = try database.row(
                "SELECT is_refused FROM revocations WHERE user_id = ? AND role = ? ORDER BY number DESC LIMIT 1",
                [id, role]
            ) { try $0["is_refused"] as Bool }
            guard isRefused == true else { return (true, isNew, nil) }
            return (
                true, isNew,
                try database.appendRevocation(
                    of: .role(role, of: id), isRefused: false, at: now, tokensUntil: nil)
            )
        }
    }

    public func revokeRole(
        _ role: String, user id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        try await changing(id, recording: event, about: .role(role, of: id), isRefused: true, at: now) { database in
            if keepingOperator, role == Role.operator { try database.refuseLastOperator(id) }
            try database.run("DELETE FROM user_roles WHERE user_id = ? AND role = ?", [id, role])
        }
    }

    public func disableUser(
        id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        try await changing(id, recording: event, about: .user(id), isRefused: true, at: now) { database in
            if keepingOperator { try database.refuseLastOperator(id) }
            try database.run(
                "UPDATE users SET disabled_at = ? WHERE id = ? AND disabled_at IS NULL",
                [now.timeIntervalSince1970, id])
        }
    }

    public func enableUser(
        id: User.ID, at now: Date, recording event: AuthEvent
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        try await changing(id, recording: event, about: .user(id), isRefused: false, at: now) { database in
            try database.run("UPDATE users SET disabled_at = NULL WHERE id = ? AND disabled_at IS NOT NULL", [id])
        }
    }

    public func deleteUser(
        id: User.ID, keepingOperator: Bool, at now: Date, recording event: AuthEvent
    ) async throws -> Revocation? {
        try await write { database in
            if keepingOperator { try database.refuseLastOperator(id) }
            try database.deleteThrottles(ofUser: id)
            // No further token can be given meanwhile: that needs a session, and they are deleted
            // too.
            let latest = try database.row(
                "SELECT max(tokens_expire_at) AS latest FROM sessions WHERE user_id = ?", [id]
            ) { try $0["latest"] as Date? }
            try database.run("DELETE FROM users WHERE id = ?", [id])
            guard try database.recordChange(event) else { return nil }
            return try database.appendRevocation(of: .user(id), at: now, tokensUntil: (latest ?? nil) ?? now)
        }
    }

    /// Runs `change` on an existing user and writes the revocation log entry, and the event if a
    /// row changed, in one transaction.
    /// - Returns: the revocation log entry, and whether a row changed; `nil` when there is no such
    ///   user.
    private func changing(
        _ id: User.ID, recording event: AuthEvent, about subject: Revocation.Subject, isRefused: Bool, at now: Date,
        _ change: @escaping @Sendable (Database) throws -> Void
    ) async throws -> (revocation: Revocation, isNew: Bool)? {
        try await write { database in
            guard try database.hasUser(id) else { return nil }
            try change(database)
            let isNew = try database.recordChange(event)
            let revocation = try database.appendRevocation(
                of: subject, isRefused: isRefused, at: now, tokensUntil: nil)
            return (revocation, isNew)
        }
    }
}

extension Database {
    func passwordHashes(sampling count: Int) throws -> [String] {
        let last = try row("SELECT max(id) AS last FROM users", []) { try $0["last"] as Int64? } ?? nil
        guard let last else { return [] }
        var hashes: [User.ID: String] = [:]
        for index in 0..<count {
            let start = Int64(Double(last) * Double(index) / Double(count))
            let row = try row(
                "SELECT id, \(StoredCredentials.columns) FROM users WHERE id > ? ORDER BY id LIMIT 1", [start]
            ) {
                try ($0["id"] as User.ID, $0["password_hash"] as String?)
            }
            if let (id, hash) = row, let hash { hashes[id] = hash }
        }
        return Array(hashes.values)
    }

    /// Stores a user, records the event and deletes the counters of the name.
    /// - Throws: `user_already_exists`, `name_reserved`.
    func insertUser(
        _ name: Username, passwordHash: String?, at now: Date, recording event: AuthEvent
    ) throws -> User.ID {
        try deleteExpiredReservation(of: name.canonical, at: now)
        // An error rolls back everything: ON CONFLICT DO NOTHING would use up an id.
        try refusingTakenNames {
            try run(
                """
                INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
                VALUES (?, ?, ?, ?, ?)
                """,
                [name.text, name.canonical, passwordHash, now.timeIntervalSince1970, now.timeIntervalSince1970])
        }
        let id = lastInsertedRowID
        try append(event.of(id))
        try deleteThrottles(ofUser: name.canonical, id: id)
        return id
    }

    /// Deletes the counters of a user; does nothing if the user does not exist.
    fileprivate func deleteThrottles(ofUser id: User.ID) throws {
        let name = try row("SELECT canonical_username FROM users WHERE id = ?", [id]) {
            try $0["canonical_username"] as String
        }
        if let name { try deleteThrottles(ofUser: name, id: id) }
    }

    fileprivate func hasUser(_ id: User.ID) throws -> Bool {
        try row("SELECT 1 FROM users WHERE id = ?", [id]) { _ in true } ?? false
    }
}

extension Database {
    func credentials(_ condition: String, _ argument: any DatabaseValueConvertible) throws -> StoredCredentials? {
        try row(
            "SELECT \(User.columns), \(StoredCredentials.columns) FROM users WHERE \(condition)", [argument]
        ) { row in
            try StoredCredentials(
                user: User(row), passwordHash: row["password_hash"], passwordVersion: row["password_version"])
        }
    }
}

extension StoredCredentials {
    /// The `!` that versions up to 0.2 wrote is read as `NULL`: no password.
    static let columns = "nullif(password_hash, '!') AS password_hash, password_version"
}

extension User {
    /// All roles in one value, separated by blanks.
    static let rolesColumn = "(SELECT group_concat(role, ' ') FROM user_roles WHERE user_id = users.id) AS roles"
    package static let columns = "id, username, created_at, disabled_at, \(rolesColumn)"

    init(_ row: Row, id: String = "id", createdAt: String = "created_at") throws {
        let roles = (try row["roles"] as String? ?? "").split(separator: " ").map(String.init)
        try self.init(
            id: row[id], username: row["username"], createdAt: row[createdAt], disabledAt: row["disabled_at"],
            roles: Set(roles))
    }
}

import Foundation
import GRDB
public import RESTAuth

extension SQLiteStorage {
    public func lastUserID() async throws -> User.ID {
        try read { try $0.lastUserID() }
    }

    public func reserveUserIDs(_ ids: [User.ID]) async throws -> User.ID {
        guard let greatest = ids.max() else { return try await lastUserID() }
        return try await writeMany { database in
            let last = try database.lastUserID()
            for id in ids.sorted() where id > last {
                try database.run("INSERT OR IGNORE INTO reserved_user_ids (id) VALUES (?)", [id])
            }
            try database.raiseSequence(of: "users", to: greatest)
            return last
        }
    }

    public func importUsers(
        _ users: [ImportableUser], above last: User.ID, isTrial: Bool, recording event: AuthEvent
    ) async throws -> [ImportOutcome] {
        guard !isTrial else {
            return try read { database in
                let insertion = try UserInsertion(database, above: last, at: event.at)
                return try users.map { try insertion.obstacle(to: $0) ?? .imported($0.id ?? 0) }
            }
        }
        return try await writeMany { database in
            let outcomes = try UserInsertion(database, above: last, at: event.at).run(users)
            if outcomes.importedCount > 0 { try database.append(event.counting(users: outcomes.importedCount)) }
            return outcomes
        }
    }

    public func credentials(legacyID: Int64) async throws -> StoredCredentials? {
        try credentials("legacy_id = ?", legacyID)
    }

    public func userCount() async throws -> Int {
        try read { try $0.row("SELECT count(*) AS count FROM users", []) { try $0["count"] as Int } ?? 0 }
    }

    public func exportUsers(after id: User.ID, limit: Int) async throws -> [ExportedUser] {
        try read { database in
            try database.rows(
                """
                SELECT \(User.columns), \(StoredCredentials.columns), legacy_id, \(Profile.columns)
                FROM users LEFT JOIN profiles ON user_id = users.id
                WHERE users.id > ? ORDER BY users.id LIMIT ?
                """, [id, limit]
            ) { row in
                try ExportedUser(
                    credentials: StoredCredentials(
                        user: User(row), passwordHash: row["password_hash"], passwordVersion: row["password_version"]),
                    legacyID: row["legacy_id"], profile: Profile(row))
            }
        }
    }
}

extension SQLiteStorage {
    /// KiB of pages that a transaction may change before they are written for the first time;
    /// large, because the index of names is changed all over.
    private static let cacheSize = 65536

    /// Runs updates in a transaction of their own. In a savepoint, as shared transactions use it,
    /// each page would be copied before it is changed.
    private func writeMany<Value: Sendable>(_ updates: @escaping @Sendable (Database) throws -> Value) async throws
        -> Value
    {
        do {
            return try await database.write { database in
                try database.execute(sql: "PRAGMA cache_size = -\(Self.cacheSize)")
                return try updates(database)
            }
        } catch let error as DatabaseError {
            throw Self.unavailable(error)
        }
    }
}

extension Database {
    /// The greatest id that was ever given or reserved.
    fileprivate func lastUserID() throws -> User.ID {
        try row("SELECT seq FROM sqlite_sequence WHERE name = 'users'", []) { try $0["seq"] as Int64 } ?? 0
    }
}

/// Insertion of many users, each unless there is an obstacle.
private struct UserInsertion {
    private let database: Database
    private let last: User.ID
    private let now: Date
    private let isAnythingReserved: Bool

    init(_ database: Database, above last: User.ID, at now: Date) throws {
        self.now = now
        self.database = database
        self.last = last
        isAnythingReserved = try database.row("SELECT 1 FROM reserved_user_ids LIMIT 1", []) { _ in true } ?? false
    }

    private func insertion() throws -> Statement {
        try database.cachedStatement(
            sql: """
                INSERT INTO users (id, legacy_id, username, canonical_username, password_hash, created_at,
                    password_changed_at, disabled_at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)
                """)
    }

    func run(_ users: [ImportableUser]) throws -> [ImportOutcome] {
        var insertion = try insertion()
        // Usually no failures are counted, and then there is nothing to delete.
        let isAnythingCounted = try database.row("SELECT 1 FROM throttles LIMIT 1", []) { _ in true } ?? false
        return try users.map { user in
            guard try isFree(user.id) else { return try obstacle(to: user) ?? .idTaken }
            try database.deleteExpiredReservation(of: user.name.canonical, at: now)
            if let key = user.profile.verifiedEmailKey, try database.isVerified(email: key) {
                return try obstacle(to: user) ?? .emailTaken
            }
            do {
                try bind(user, to: insertion)
                try insertion.execute()
            } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
                // A failed statement cannot be used again.
                insertion = try self.insertion()
                guard let obstacle = try obstacle(to: user) else { throw error }
                return obstacle
            }
            let id = database.lastInsertedRowID
            if isAnythingReserved { try database.run("DELETE FROM reserved_user_ids WHERE id = ?", [id]) }
            if isAnythingCounted { try database.deleteThrottles(ofUser: user.name.canonical, id: id) }
            for role in user.roles {
                try database.run("INSERT INTO user_roles (user_id, role) VALUES (?, ?)", [id, role])
            }
            if !user.profile.isEmpty { try database.insert(user.profile, of: id) }
            return .imported(id)
        }
    }

    /// Binds the values one by one: a list of arguments boxes and copies each of them, which takes
    /// longer than the row itself.
    private func bind(_ user: ImportableUser, to statement: Statement) throws {
        func bind(_ value: some StatementBinding, at index: CInt) throws {
            let code = value.bind(to: statement.sqliteStatement, at: index)
            guard code == ResultCode.SQLITE_OK.rawValue else {
                throw DatabaseError(resultCode: ResultCode(rawValue: code))
            }
        }
        // Makes the statement ready for new values, and marks them as complete.
        statement.setUncheckedArguments(StatementArguments())
        try bind(user.id, at: 1)
        try bind(user.legacyID, at: 2)
        try bind(user.name.text, at: 3)
        try bind(user.name.canonical, at: 4)
        try bind(user.passwordHash, at: 5)
        try bind(user.createdAt.timeIntervalSince1970, at: 6)
        try bind(user.disabledAt?.timeIntervalSince1970, at: 7)
    }

    /// Whether an id can be given: it is greater than `last`, or reserved. Users that exist are not
    /// looked up here.
    private func isFree(_ id: User.ID?) throws -> Bool {
        guard let id, id <= last else { return true }
        guard isAnythingReserved else { return false }
        return try database.row("SELECT 1 FROM reserved_user_ids WHERE id = ?", [id]) { _ in true } ?? false
    }

    /// Finds the obstacle to importing a user; the first one that applies is reported.
    func obstacle(to user: ImportableUser) throws -> ImportOutcome? {
        func isThere(_ column: String, _ value: any DatabaseValueConvertible) throws -> Bool {
            try database.row("SELECT 1 FROM users WHERE \(column) = ?", [value]) { _ in true } ?? false
        }
        let present = try database.row(
            "SELECT id, legacy_id FROM users WHERE canonical_username = ?", [user.name.canonical]
        ) { try ($0["id"] as User.ID, $0["legacy_id"] as Int64?) }
        if let (id, legacyID) = present {
            let isSame = user.id.map { $0 == id } ?? true
            return isSame || legacyID.map { $0 == user.legacyID } ?? false ? .nameTaken : .nameOfAnotherID(id)
        }
        let isReserved = try database.row(
            "SELECT 1 FROM reserved_usernames WHERE canonical_username = ? AND until > ?",
            [user.name.canonical, now.timeIntervalSince1970]
        ) { _ in true }
        if isReserved == true { return .nameReserved }
        if let key = user.profile.verifiedEmailKey, try database.isVerified(email: key) { return .emailTaken }
        if let legacyID = user.legacyID, try isThere("legacy_id", legacyID) { return .legacyIDTaken }
        if let id = user.id, try isThere("id", id) { return .idTaken }
        return try isFree(user.id) ? nil : .idTaken
    }
}

import Foundation

/// The door for users on their way out: JSON Lines, which ``JSONLines`` reads again.
public struct UserExport: Sendable {
    private let storage: any ImportStorage
    private static let pageSize = 1000

    public init(from storage: any ImportStorage) {
        self.storage = storage
    }

    /// Hands out every user in the order of ids, a page at a time: `id`, `username`, `created_at`,
    /// `disabled_at`, `roles`, and `legacy_id` as long as tokens that name it are good.
    /// - Parameters:
    ///   - includesPasswordHashes: whether there is `password_hash` as well. With it, the text is
    ///     as secret as the database. A user without a password has `!` there, as in `shadow(5)`.
    ///   - write: takes a page of lines, each with its end.
    public func run(
        includingPasswordHashes includesPasswordHashes: Bool = false, write: (_ lines: [UInt8]) throws -> Void
    ) async throws {
        var last: User.ID = 0
        while case let page = try await storage.exportUsers(after: last, limit: Self.pageSize), let end = page.last {
            try write(page.flatMap { $0.json(includesPasswordHashes).bytes + [0x0A] })
            last = end.credentials.user.id
        }
    }
}

extension ExportedUser {
    fileprivate func json(_ includesPasswordHash: Bool) -> JSON {
        let user = credentials.user
        var members: [(String, JSON)] = [
            ("id", .integer(Int(user.id))), ("username", .string(user.username)),
            ("created_at", .string(Timestamp.text(user.createdAt))),
            ("disabled_at", user.disabledAt.map { .string(Timestamp.text($0)) } ?? .null),
            ("roles", .array(user.roles.sorted().map(JSON.string))),
        ]
        if includesPasswordHash { members.append(("password_hash", .string(credentials.passwordHash ?? "!"))) }
        // Whoever takes the user in again counts passwords from the first: a token from before
        // another password must not come back with that.
        if let legacyID, credentials.passwordVersion == ImportableUser.passwordVersion {
            members.append(("legacy_id", .integer(Int(legacyID))))
        }
        return .object(members.map(JSON.Member.init))
    }
}

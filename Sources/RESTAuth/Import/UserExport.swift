import Foundation

/// The door to the export of users, as JSON Lines that ``JSONLines`` reads again.
public struct UserExport: Sendable {
    private let storage: any ImportStorage & EventStorage
    private let caller: Caller
    private static let pageSize = 1000

    public init(from storage: any ImportStorage & EventStorage, by caller: Caller = .application) {
        self.storage = storage
        self.caller = caller
    }

    /// Writes every user in the order of ids, a page at a time: `id`, `username`, `created_at`,
    /// `disabled_at`, `roles`, and `legacy_id` as long as tokens with it are valid. The export is
    /// recorded as an event before the last page is written.
    /// - Parameters:
    ///   - includesPasswordHashes: whether to write `password_hash` as well. The text is then as
    ///     secret as the database. A user without a password has `!` there, as in `shadow(5)`.
    ///   - write: called with a page of lines, each with its newline.
    public func run(
        includingPasswordHashes includesPasswordHashes: Bool = false, write: (_ lines: [UInt8]) throws -> Void
    ) async throws {
        var page = try await storage.exportUsers(after: 0, limit: Self.pageSize)
        var count = page.count
        while let end = page.last {
            let next = try await storage.exportUsers(after: end.credentials.user.id, limit: Self.pageSize)
            if next.isEmpty { try await record(count, includesPasswordHashes) }
            try write(page.flatMap { $0.json(includesPasswordHashes).bytes + [0x0A] })
            count += next.count
            page = next
        }
    }

    private func record(_ count: Int, _ includesPasswordHashes: Bool) async throws {
        let event = AuthEvent.usersExported(count, withHashes: includesPasswordHashes).by(caller, at: .now)
        try await storage.append(event)
        event.record()
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
        // An import starts counting versions of the password anew, and must not make tokens valid
        // that are older than a change of the password.
        if let legacyID, credentials.passwordVersion == ImportableUser.passwordVersion {
            members.append(("legacy_id", .integer(Int(legacyID))))
        }
        return .object(members.map(JSON.Member.init))
    }
}

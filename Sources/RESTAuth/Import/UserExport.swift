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
    /// `disabled_at`, `roles`, `legacy_id` as long as tokens with it are valid, and what there is
    /// of the profile. The export is recorded as an event, with the number of users, before the
    /// first page is written.
    /// - Parameters:
    ///   - includesPasswordHashes: whether to write `password_hash` as well. The text is then as
    ///     secret as the database. A user without a password has `!` there, as in `shadow(5)`.
    ///   - write: called with a page of lines, each with its newline.
    public func run(
        includingPasswordHashes includesPasswordHashes: Bool = false, write: (_ lines: [UInt8]) async throws -> Void
    ) async throws {
        let event = AuthEvent.usersExported(try await storage.userCount(), withHashes: includesPasswordHashes)
            .by(caller, at: .now)
        try await storage.append(event)
        event.record()
        var last: User.ID = 0
        while case let page = try await storage.exportUsers(after: last, limit: Self.pageSize), let end = page.last {
            try await write(page.flatMap { $0.json(includesPasswordHashes).bytes + [0x0A] })
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
        // An import starts counting versions of the password anew, and must not make tokens valid
        // that are older than a change of the password.
        if let legacyID, credentials.passwordVersion == ImportableUser.passwordVersion {
            members.append(("legacy_id", .integer(Int(legacyID))))
        }
        members += profile.exportedMembers
        return .object(members.map(JSON.Member.init))
    }
}

extension Profile {
    /// What there is of a profile, with the time at which the address was verified.
    fileprivate var exportedMembers: [(String, JSON)] {
        let texts = [
            ("name", name), ("email", email), ("email_verified_at", emailVerifiedAt.map(Timestamp.text)),
            ("locale", locale), ("zoneinfo", zoneinfo), ("picture", picture),
        ]
        let objects = [("metadata", Self.object(metadata)), ("app_metadata", Self.object(appMetadata))]
        return texts.compactMap { name, text in text.map { (name, .string($0)) } } + objects.filter { $0.1 != [:] }
    }
}

public import Foundation

/// An entry of the revocation log, by which every process learns which live tokens are refused, and
/// which are accepted again.
public struct Revocation: Sendable, Hashable {
    /// The tokens that an entry is about.
    public enum Subject: Sendable, Hashable {
        /// All tokens of a user.
        case user(User.ID)
        /// All tokens of a session. Such an entry is never lifted.
        case session(Session.ID)
        /// The tokens in which a user has a role.
        case role(String, of: User.ID)
    }

    /// The sequence number; numbers follow the order of commits.
    public let number: Int64
    public let subject: Subject
    /// Whether the tokens are refused; `false` for an entry that lifts an earlier one.
    public let isRefused: Bool
    public let at: Date
    /// The time from which no token that the entry refuses is live, so that the entry can be
    /// deleted.
    public let expiresAt: Date

    /// Makes an entry; without `expiresAt` it is kept for the longest life of any token.
    public init(number: Int64, subject: Subject, isRefused: Bool, at: Date, expiresAt: Date? = nil) {
        self.number = number
        self.subject = subject
        self.isRefused = isRefused
        self.at = at
        self.expiresAt = expiresAt ?? Self.expiry(at: at, tokensUntil: nil)
    }

    /// Seconds that an entry outlives its tokens: the most that the clocks of nodes and verifiers
    /// may differ. A clock that is behind by a fifth of it refuses every fresh token as one from
    /// the future, so that it is noticed before.
    package static let slack: TimeInterval = 300

    /// The time at which an entry expires.
    /// - Parameters:
    ///   - now: the time at which the entry is written.
    ///   - latest: the end of the last token of the entry; `nil` when a process that does not know
    ///     the entry yet may be signing another one: then the longest life of any token counts.
    public static func expiry(at now: Date, tokensUntil latest: Date?) -> Date {
        let longest = TimeInterval(AuthConfiguration.maximumTokenDuration)
        return max(now, latest ?? now.addingTimeInterval(longest)).addingTimeInterval(slack)
    }
}

/// The promises about the revocation log. Entries are written by the methods of ``UserStorage`` and
/// ``SessionStorage`` that refuse tokens, or accept them again.
///
/// An entry expires as ``Revocation/expiry(at:tokensUntil:)`` says: that of a session by
/// ``Session/tokensExpireAt``, that of a deleted user by the latest of the user's sessions. When a
/// user is disabled or a role is revoked, another process may be signing a token at this moment, so
/// the longest life of any token counts. An entry that lifts another expires no sooner than that
/// one.
public protocol RevocationStorage: Sendable {
    /// Returns at most `limit` entries with a sequence number greater than `number`, in ascending
    /// order.
    func revocations(after number: Int64, limit: Int) async throws -> [Revocation]

    /// The highest sequence number that was ever used, also by an entry that was deleted; 0 for
    /// none.
    func lastRevocationNumber() async throws -> Int64

    /// Whether the log has an entry that ends a session.
    func isSessionRevoked(_ id: Session.ID) async throws -> Bool

    /// Deletes at most `limit` entries that expired before `date`.
    /// - Returns: how many were deleted.
    func deleteRevocations(expiredBefore date: Date, limit: Int) async throws -> Int

    /// Waits until another process may have written entries, at most for `duration`. The wait is
    /// only an optimisation, for databases that can notify.
    func news(within duration: Duration) async throws
}

extension RevocationStorage {
    /// Waits for `duration`.
    public func news(within duration: Duration) async throws {
        try await Task.sleep(for: duration)
    }
}

// MARK: - JSON

extension Revocation {
    /// The JSON objects of the entry: `sub`, `sub` and `role`, or `sid`, without the user of a
    /// session and without the name of a role. `exp` is the time from which the entry may be
    /// forgotten.
    /// - Parameter keys: the role keys that tokens of a user may carry. An entry about a role has
    ///   an object for each.
    package func json(keys: (User.ID) -> [RoleKey]) -> [JSON] {
        switch subject {
        case .user(let id): [json([("sub", .string(String(id)))])]
        case .role(let role, let id):
            keys(id).map { json([("sub", .string(String(id))), ("role", .string($0.digest(of: role)))]) }
        case .session(let id): [json([("sid", .string(id.description))])]
        }
    }

    private func json(_ subject: [(String, JSON)]) -> JSON {
        let members =
            [("number", .integer(Int(number)))] + subject + [
                ("refused", .bool(isRefused)), ("at", .integer(Int(at.timeIntervalSince1970))),
                ("exp", .integer(Int(expiresAt.timeIntervalSince1970.rounded(.up)))),
            ]
        return .object(members.map(JSON.Member.init))
    }

    /// Parses an entry from the JSON of a server. Without `exp` it is kept for the longest life of
    /// any token. The role is a digest (``RoleKey/digest(of:)``).
    package init?(_ json: JSON) {
        guard let number = json["number"]?.integer, case .bool(let isRefused)? = json["refused"],
            let at = json["at"]?.integer
        else { return nil }
        let subject: Subject
        if let text = json["sid"]?.string, let id = Session.ID(text) {
            subject = .session(id)
        } else if let text = json["sub"]?.string, let id = User.ID(text) {
            subject = json["role"]?.string.map { .role($0, of: id) } ?? .user(id)
        } else {
            return nil
        }
        self.init(
            number: Int64(number), subject: subject, isRefused: isRefused,
            at: Date(timeIntervalSince1970: TimeInterval(at)),
            expiresAt: json["exp"]?.integer.map { Date(timeIntervalSince1970: TimeInterval($0)) })
    }
}

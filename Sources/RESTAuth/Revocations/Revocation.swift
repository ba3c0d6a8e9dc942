public import Foundation

/// One line of the numbered log by which every process learns which live tokens are refused, or are
/// not any more.
public struct Revocation: Sendable, Hashable {
    /// Which tokens a line is about.
    public enum Subject: Sendable, Hashable {
        /// All of that user's.
        case user(User.ID)
        /// All of that session's. Such a line is never lifted.
        case session(Session.ID)
        /// Those that give that user this role.
        case role(String, of: User.ID)
    }

    /// Counts up in the order of commits.
    public let number: Int64
    public let subject: Subject
    /// `false` when this line lifts an earlier one.
    public let isRefused: Bool
    public let at: Date
    /// From then on no token that it concerns is live, and nobody need know it.
    public let expiresAt: Date

    /// Without `expiresAt` the tokens live as long as any may.
    public init(number: Int64, subject: Subject, isRefused: Bool, at: Date, expiresAt: Date? = nil) {
        self.number = number
        self.subject = subject
        self.isRefused = isRefused
        self.at = at
        self.expiresAt = expiresAt ?? Self.expiry(at: at, tokensUntil: nil)
    }

    /// Seconds that a line outlives the tokens that it concerns: by so much the clocks of nodes and
    /// of verifiers elsewhere may differ, or be set back. Five times what a clock may be behind
    /// before it takes every fresh token to be from the future, so that somebody notices.
    package static let slack: TimeInterval = 300

    /// When a line expires.
    /// - Parameters:
    ///   - now: when it is written.
    ///   - latest: the end of the last of the tokens that it concerns; `nil` when one may be given
    ///     at this moment, by who does not know of the line yet: then it is the longest life of
    ///     any.
    public static func expiry(at now: Date, tokensUntil latest: Date?) -> Date {
        let longest = TimeInterval(AuthConfiguration.maximumTokenDuration)
        return max(now, latest ?? now.addingTimeInterval(longest)).addingTimeInterval(slack)
    }
}

/// The promises about the revocation log. Lines are written by the methods of ``UserStorage`` and
/// ``SessionStorage`` that refuse or admit.
///
/// A line expires as ``Revocation/expiry(at:tokensUntil:)`` says: that of a session by
/// ``Session/tokensExpireAt``, that of a deleted user by the latest of the user's sessions. When a
/// user is disabled or a role taken away, somebody may be giving a token who looked before; nobody
/// knows how long that one lives. A line that lifts another expires no sooner than that.
public protocol RevocationStorage: Sendable {
    /// At most `limit` lines with a number greater than `number`, in ascending order.
    func revocations(after number: Int64, limit: Int) async throws -> [Revocation]

    /// The highest number that a line was ever given, also when it has been deleted; 0 for none.
    func lastRevocationNumber() async throws -> Int64

    /// Whether the log has the line by which that session was ended.
    func isSessionRevoked(_ id: Session.ID) async throws -> Bool

    /// Deletes at most `limit` lines that expired before `date`: no token that they concern can
    /// still be live.
    /// - Returns: how many were deleted.
    func deleteRevocations(expiredBefore date: Date, limit: Int) async throws -> Int

    /// Waits until another process may have written lines, and no longer than `duration`: a hint
    /// when to look, where the database gives one.
    func news(within duration: Duration) async throws
}

extension RevocationStorage {
    /// Without a hint there is only the time.
    public func news(within duration: Duration) async throws {
        try await Task.sleep(for: duration)
    }
}

// MARK: - On the wire

extension Revocation {
    /// `sub`, `sub` and `role`, or `sid`; nothing of whose session it was, and no role by its name.
    /// `exp` is when the line may be forgotten.
    /// - Parameter keys: those that a user's tokens may carry, the first of which is used for new
    ///   ones. A role stands there once for each.
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

    /// A line of a server that does not say `exp` is kept as long as any token lives. Its role is
    /// what stands for it (``RoleKey/digest(of:)``).
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

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

    public init(number: Int64, subject: Subject, isRefused: Bool, at: Date) {
        self.number = number
        self.subject = subject
        self.isRefused = isRefused
        self.at = at
    }
}

/// The promises about the revocation log. Lines are written by the methods of ``UserStorage`` and
/// ``SessionStorage`` that refuse or admit.
public protocol RevocationStorage: Sendable {
    /// At most `limit` lines with a number greater than `number`, in ascending order.
    func revocations(after number: Int64, limit: Int) async throws -> [Revocation]

    /// The highest number that a line was ever given, also when it has been deleted; 0 for none.
    func lastRevocationNumber() async throws -> Int64

    /// Deletes at most `limit` lines older than `date`: no token that they concern can still be
    /// live.
    /// - Returns: how many were deleted.
    func deleteRevocations(before date: Date, limit: Int) async throws -> Int

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
    /// `sub`, `sub` and `role`, or `sid`; nothing of whose session it was.
    package var json: JSON {
        let subject: [(String, JSON)] =
            switch self.subject {
            case .user(let id): [("sub", .string(String(id)))]
            case .role(let role, let id): [("sub", .string(String(id))), ("role", .string(role))]
            case .session(let id): [("sid", .string(id.description))]
            }
        let members =
            [("number", .integer(Int(number)))] + subject + [
                ("refused", .bool(isRefused)), ("at", .integer(Int(at.timeIntervalSince1970))),
            ]
        return .object(members.map(JSON.Member.init))
    }

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
            at: Date(timeIntervalSince1970: TimeInterval(at)))
    }
}

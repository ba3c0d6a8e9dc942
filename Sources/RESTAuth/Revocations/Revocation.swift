public import Foundation

/// One line of the numbered log by which every process learns that a user's live tokens are refused, or are not any more.
public struct Revocation: Sendable, Hashable {
    /// Counts up in the order of commits.
    public let number: Int64
    public let userID: User.ID
    /// `false` when this line lifts an earlier one.
    public let isRefused: Bool
    public let at: Date

    public init(number: Int64, userID: User.ID, isRefused: Bool, at: Date) {
        self.number = number
        self.userID = userID
        self.isRefused = isRefused
        self.at = at
    }
}

/// The promises about the revocation log. Lines are written by the methods of ``UserStorage`` that refuse or admit a user.
public protocol RevocationStorage: Sendable {
    /// At most `limit` lines with a number greater than `number`, in ascending order.
    func revocations(after number: Int64, limit: Int) async throws -> [Revocation]

    /// Deletes at most `limit` lines older than `date`: no token that they concern can still be live.
    /// - Returns: how many were deleted.
    func deleteRevocations(before date: Date, limit: Int) async throws -> Int
}

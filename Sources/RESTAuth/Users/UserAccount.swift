public import Foundation

/// A user, and what an operator is shown of the account.
public struct UserAccount: Sendable, Hashable {
    /// The user, with the roles and the time when the user was disabled, if so.
    public let user: User
    /// Whether a password can sign the user in.
    public let hasPassword: Bool
    /// Time of the last change of the password; that of the registration for a user who never had
    /// one.
    public let passwordChangedAt: Date
    /// Number of live sessions.
    public let sessions: Int

    /// Creates a description of a user's account, as backends do.
    public init(user: User, hasPassword: Bool, passwordChangedAt: Date, sessions: Int) {
        self.user = user
        self.hasPassword = hasPassword
        self.passwordChangedAt = passwordChangedAt
        self.sessions = sessions
    }
}

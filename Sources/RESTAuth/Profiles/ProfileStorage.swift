public import Foundation

/// The outcome of storing a profile.
public enum ProfileChange: Sendable, Hashable {
    /// It is stored; with the revocation log entries of the ended sessions.
    case stored([Revocation])
    /// Another change came between: the profile is to be read again.
    case changedMeanwhile
    case noUser
}

/// The outcome of giving a user another name.
public enum UsernameChange: Sendable, Hashable {
    case changed
    /// There is no such user, or the name is another one by now.
    case changedMeanwhile
    /// Too many names are reserved for the user.
    case limitReached
}

/// Storage of profiles, and of the names that users gave up.
public protocol ProfileStorage: Sendable {
    /// The user with the profile, an empty one if it was never changed; `nil` when there is no such
    /// user.
    func profile(of user: User.ID) async throws -> StoredProfile?

    /// The ``Profile/appMetadata`` of a user; `nil` where there is none.
    func appMetadata(of user: User.ID) async throws -> String?

    /// The name of the user who has verified that address.
    /// - Parameter key: the ``EmailAddress/key``.
    func username(verifiedEmail key: String) async throws -> String?

    /// Stores a profile if the present one still has that version, and ends the user's sessions if
    /// asked to, in one transaction.
    /// - Parameters:
    ///   - profile: the whole profile.
    ///   - user: the id of the user.
    ///   - version: the ``StoredProfile/version`` that it takes the place of.
    ///   - endingSessions: whether all sessions of the user end.
    ///   - now: the time of the revocation log entries.
    ///   - events: are recorded with the change; the first is the cause of ended sessions.
    /// - Throws: `email_taken` when another user has verified the same address: a constraint
    ///   decides.
    func setProfile(
        _ profile: Profile, of user: User.ID, replacing version: Int64, endingSessions: Bool, at now: Date,
        recording events: [AuthEvent]
    ) async throws -> ProfileChange

    /// Gives a user another name, reserves the earlier one, and deletes the counters of failed
    /// sign-ins of the new name unless it was reserved for the user, in one transaction.
    ///
    /// As long as a name is reserved, no other user gets it, by whatever way: a trigger decides. An
    /// expired reservation is in nobody's way. A name that differs in case alone reserves nothing.
    /// - Parameters:
    ///   - id: the id of the user.
    ///   - present: the name that the user must still have.
    ///   - name: the new name.
    ///   - date: the end of the reservation; none is made if that is not after `now`.
    ///   - limit: the number of other names, beside the new one, that may be reserved for the user
    ///     by then.
    ///   - now: the time of the change.
    ///   - event: is recorded with the change.
    /// - Throws: `user_already_exists`, `name_reserved`.
    func renameUser(
        _ id: User.ID, from present: Username, to name: Username, reservingUntil date: Date, limit: Int, at now: Date,
        recording event: AuthEvent
    ) async throws -> UsernameChange

    /// Deletes at most `limit` reservations of names that ended before `date`.
    /// - Returns: the number of deleted rows.
    func deleteUsernameReservations(expiredBefore date: Date, limit: Int) async throws -> Int
}

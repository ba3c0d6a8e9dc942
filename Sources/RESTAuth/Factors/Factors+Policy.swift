import Foundation

extension Factors {
    // MARK: Users who must have a factor

    /// Checks that a user who must have a factor has one, or still has time to add one. That time
    /// begins with the first call.
    /// - Returns: the time by which the user has to add one; `nil` for a user who has one, or need
    ///   not.
    /// - Throws: `mfa_enrollment_required` when that time is over.
    func requireEnrollment(of user: User) async throws -> Date? {
        guard policy.isRequired(of: user.roles), try await !belong(to: user.id) else { return nil }
        guard policy.grace > 0 else { throw AuthError.mfaEnrollmentRequired }
        let now = now()
        // To the second, as clients are told.
        let end = Date(timeIntervalSince1970: (now.timeIntervalSince1970 + TimeInterval(policy.grace)).rounded(.up))
        let dueAt = try await storage.beginFactorGrace(of: user.id, until: end)
        guard now < dueAt else { throw AuthError.mfaEnrollmentRequired }
        return dueAt
    }

    /// The same check for a user whose present roles are not at hand.
    func requireEnrollment(of id: User.ID) async throws -> Date? {
        guard policy.mode == .required, let user = try await storage.user(id: id) else { return nil }
        return try await requireEnrollment(of: user)
    }

    /// Whether the user may not be left without a factor.
    func mustKeepLast(of id: User.ID) async throws -> Bool {
        guard policy.mode == .required, let user = try await storage.user(id: id) else { return false }
        return policy.isRequired(of: user.roles)
    }

    // MARK: What a change requires

    /// Seconds for which a proof counts as recent.
    public static let recently = 900

    /// Checks that the user has proven enough lately to change how the account is protected: a
    /// second factor within ``recently`` seconds, for a user who has one.
    ///
    /// Call it before such changes of your own, for instance of an e-mail address.
    /// - Throws: `insufficient_user_authentication`; `insufficient_scope` for a personal token.
    public func requireRecent(_ user: UserIdentity) async throws {
        try user.requirePerson()
        guard try await belong(to: user.userID) else { return }
        try Requirement.secondFactor(within: Self.recently).check(user, at: now())
    }

    /// Checks that the user may add a factor: has given a second factor within ``recently``
    /// seconds or, to add the first one, has signed in within them.
    /// - Throws: `insufficient_user_authentication`; `forbidden` where no factor can be added.
    package func requireRecent(_ user: UserIdentity, adding: Bool) async throws {
        guard adding else { return try await requireRecent(user) }
        try user.requirePerson()
        guard policy.mode != .off else {
            throw AuthError(.forbidden, "second factors are turned off here: none can be added")
        }
        try await requireRecentSignIn(user)
    }

    /// Checks that the user has given a second factor within ``recently`` seconds or, without one,
    /// has signed in within them.
    /// - Throws: `insufficient_user_authentication`.
    package func requireRecentSignIn(_ user: UserIdentity) async throws {
        try user.requirePerson()
        let hasFactor = try await belong(to: user.userID)
        let requirement: Requirement =
            hasFactor ? .secondFactor(within: Self.recently) : .signedIn(within: Self.recently)
        try requirement.check(user, at: now())
    }
}

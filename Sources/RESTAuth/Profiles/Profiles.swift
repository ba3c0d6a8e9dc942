import Foundation

/// Shows and changes profiles, and gives users other names.
public final class Profiles: Sendable {
    /// Role in which a profile is changed, which decides the fields that may change.
    public enum Editor: Sendable {
        /// The user: ``Profile/appMetadata`` and whether the address is verified are not theirs.
        case owner(UserIdentity)
        /// An operator, or the application: every field may change.
        case `operator`
    }

    let storage: any Storage
    private let factors: Factors
    private let revocations: Revocations
    private let names: NewNames
    private let claims: TokenClaims
    private let reservation: TimeInterval
    private let now: @Sendable () -> Date

    /// Changes that may come between reading and writing, before one gives up.
    private static let attempts = 50

    init(
        storage: any Storage, factors: Factors, revocations: Revocations, configuration: AuthConfiguration
    ) {
        self.storage = storage
        self.factors = factors
        self.revocations = revocations
        names = NewNames(refusingAddresses: configuration.signInByEmail)
        claims = TokenClaims(configuration.tokenClaims)
        // Never shorter than a token with the earlier name lives, here and where a clock is behind.
        reservation = TimeInterval(
            max(
                configuration.usernameReservation, configuration.tokenDuration + AccessTokenClaims.clockSlack,
                ProgramToken.overlaps.lowerBound))
        now = configuration.now
    }

    /// The profile of a user, an empty one if it was never changed.
    /// - Throws: `user_not_found`.
    public func profile(of id: User.ID) async throws -> Profile { try await stored(id).profile }

    /// A user with the profile.
    /// - Throws: `user_not_found`.
    package func stored(_ id: User.ID) async throws -> StoredProfile {
        try await stored(id, elseThrowing: .userNotFound)
    }

    /// The signed-in user with the profile.
    /// - Throws: `invalid_token` where the user was deleted meanwhile.
    package func stored(_ user: UserIdentity) async throws -> StoredProfile {
        try await stored(user.userID, elseThrowing: .invalidToken)
    }

    private func stored(_ id: User.ID, elseThrowing missing: AuthError) async throws -> StoredProfile {
        guard let stored = try await storage.profile(of: id) else { throw missing }
        return stored
    }

    /// Applies the text of a JSON merge patch (RFC 7396) to a profile.
    ///
    /// A new address is not verified until an operator says so. A user who changes it must have
    /// signed in, and given the second factor if there is one, within ``Factors/recently`` seconds.
    /// - Parameters:
    ///   - patch: the text of an object with some of `name`, `email`, `locale`, `zoneinfo`,
    ///     `picture`, `metadata`; from an operator also `email_verified`, `app_metadata`, and
    ///     `revoke_sessions`, which ends all sessions of the user with the change.
    ///   - id: the user.
    ///   - editor: whoever changes it.
    ///   - caller: the origin of the change.
    /// - Returns: the profile as it is now.
    /// - Throws: `validation_failed` for a patch that has anything else or a value that is not
    ///   acceptable, and then nothing is changed; `email_taken`,
    ///   `insufficient_user_authentication`; `user_not_found`, of which an owner is told by
    ///   `invalid_token`; `forbidden` for a caller who is no operator, about a user who is one.
    @discardableResult
    public func patch(
        _ patch: String, of id: User.ID, as editor: Editor, by caller: Caller = .application
    ) async throws -> Profile {
        guard let patch = JSON(text: patch.utf8) else {
            throw AuthError(.validationFailed, "a merge patch of a profile is a JSON object")
        }
        return try await self.patch(patch, of: id, as: editor, by: caller).profile
    }

    /// The same with a patch that has been read.
    @discardableResult
    package func patch(
        _ patch: JSON, of id: User.ID, as editor: Editor, by caller: Caller = .application
    ) async throws -> StoredProfile {
        let isOperator = if case .operator = editor { true } else { false }
        let missing = isOperator ? AuthError.userNotFound : .invalidToken
        let patch = try ProfilePatch(patch, byOperator: isOperator)
        if isOperator { try await OperatorRules(storage: storage).checkChange(of: id, by: caller) }
        for _ in 0..<Self.attempts {
            let present = try await stored(id, elseThrowing: missing)
            let now = now()
            let new = try patch.applied(to: present.profile, at: now)
            let fields = new.changedFields(from: present.profile)
            if fields.contains(ProfileField.appMetadata.rawValue) { _ = try claims.text(from: new.appMetadata) }
            if case .owner(let user) = editor, fields.contains(ProfileField.email.rawValue) {
                try await factors.requireRecentSignIn(user)
            }
            guard !fields.isEmpty || patch.revokesSessions else { return present }
            var events = [AuthEvent.profileChanged(fields, userID: id)]
            if new.verifiedEmailKey != nil, new.emailVerifiedAt != present.profile.emailVerifiedAt {
                events.append(.emailVerified(userID: id))
            }
            events = events.map { $0.by(caller, at: now) }
            let change = try await storage.setProfile(
                new, of: id, replacing: present.version, endingSessions: patch.revokesSessions, at: now,
                recording: events)
            switch change {
            case .changedMeanwhile: continue
            case .noUser: throw missing
            case .stored(let ended):
                if let cause = events.first { revocations.applyEnded(ended, of: id, by: cause) }
                for event in events { event.record() }
                return StoredProfile(user: present.user, profile: new, version: present.version)
            }
        }
        throw AuthError(.overloaded, "too many changes of this profile came at once", retryAfter: 1)
    }

    // MARK: Names

    /// Number of earlier names that are reserved for a user who goes on changing the name.
    public static let reservedNames = 5

    /// Gives a signed-in user another name, as ``rename(_:to:by:)-(User.ID,_,_)`` does, but not
    /// when ``reservedNames`` others are reserved for the user already: nobody keeps names from
    /// others by having them all once.
    /// - Throws: `insufficient_user_authentication` for a user who has not signed in, or not given
    ///   the second factor, within ``Factors/recently`` seconds; `rate_limited`; `invalid_token`
    ///   where the user was deleted meanwhile; what the other function throws besides.
    public func rename(
        _ user: UserIdentity, to username: String, by caller: Caller = .application
    ) async throws -> User {
        try await factors.requireRecentSignIn(user)
        return try await rename(
            user.userID, to: username, limit: Self.reservedNames, by: caller, elseThrowing: .invalidToken)
    }

    /// Gives a user another name. The earlier one is reserved for the user for
    /// ``AuthConfiguration/usernameReservation`` seconds.
    ///
    /// Sessions go on, and their next tokens have the new name.
    /// - Throws: `validation_failed` for a name that could not be registered;
    ///   `user_already_exists`, `name_reserved`, `user_not_found`; `forbidden` for a caller who is
    ///   no operator, about a user who is one.
    @discardableResult
    public func rename(
        _ id: User.ID, to username: String, by caller: Caller = .application
    ) async throws -> User {
        try await OperatorRules(storage: storage).checkChange(of: id, by: caller)
        return try await rename(id, to: username, limit: .max, by: caller, elseThrowing: .userNotFound)
    }

    private func rename(
        _ id: User.ID, to username: String, limit: Int, by caller: Caller, elseThrowing missing: AuthError
    ) async throws -> User {
        let name = try names.username(username)
        for _ in 0..<Self.attempts {
            guard let user = try await storage.user(id: id) else { throw missing }
            guard !user.username.utf8.elementsEqual(name.text.utf8) else { return user }
            let now = now()
            let event = AuthEvent.usernameChanged(from: user.username, to: name.text, userID: id).by(caller, at: now)
            let change = try await storage.renameUser(
                id, from: Username(whoever: user.username), to: name,
                reservingUntil: now.addingTimeInterval(reservation), limit: limit, at: now, recording: event)
            switch change {
            case .changedMeanwhile: continue
            case .limitReached:
                throw AuthError(
                    .rateLimited,
                    "\(limit) earlier names are kept for you: take one of them, or wait until one is free",
                    retryAfter: 86400, policy: RateLimitPolicy(name: "names", quota: limit))
            case .changed:
                event.record()
                return User(
                    id: id, username: name.text, createdAt: user.createdAt, disabledAt: user.disabledAt,
                    roles: user.roles)
            }
        }
        throw AuthError(.overloaded, "too many changes of this name came at once", retryAfter: 1)
    }
}

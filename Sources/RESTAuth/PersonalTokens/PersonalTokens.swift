import Foundation

/// Makes, lists, rotates and deletes the tokens that users give to their programs.
public final class PersonalTokens: Sendable {
    /// Number of live tokens that a user may have.
    public static let limit = 50

    let tokens: ProgramTokens
    let factors: Factors
    let throttle: Throttle
    let standardLifetime: Int
    let maximumLifetime: Int?

    init(tokens: ProgramTokens, factors: Factors, throttle: Throttle, configuration: AuthConfiguration) {
        self.tokens = tokens
        self.throttle = throttle
        self.factors = factors
        maximumLifetime = configuration.personalTokenMaximumLifetime
        standardLifetime = configuration.personalTokenLifetime
    }

    /// Makes a token.
    /// - Parameters:
    ///   - name: the name by which the user knows it.
    ///   - scopes: what it may be used for, 1 to 20 words: see ``Scope/check(_:field:)``.
    ///   - lifetime: how long it lives: the configured time, a number of seconds from a minute to
    ///     the configured maximum, or without an end, where no maximum is configured.
    ///   - user: the user, who has signed in within ``Factors/recently`` seconds and given a second
    ///     factor, if there is one.
    ///   - caller: the origin of the request.
    /// - Returns: the new token, which is shown here and nowhere else: only a digest is stored.
    /// - Throws: `insufficient_user_authentication`; `forbidden` for a token that would make
    ///   another and for scopes of operators; `validation_failed`, `too_many_tokens`;
    ///   `rate_limited`, as tokens count with the sessions that a user starts
    ///   (``ThrottleConfiguration/sessionsPerHour``); `invalid_token` where the user was deleted or
    ///   disabled meanwhile.
    public func create(
        _ name: String, scopes: [String], lifetime: ProgramToken.Lifetime = .standard, for user: UserIdentity,
        by caller: Caller = .application
    ) async throws -> NewProgramToken {
        guard user.scope == nil else { throw Self.needsSignIn }
        try ProgramToken.checkName(name)
        try Scope.check(scopes)
        let seconds = try seconds(of: lifetime)
        try await factors.requireRecentSignIn(user)
        let scopes = Set(scopes)
        guard scopes.allSatisfy({ Scope.isOfEveryone($0) || user.roles.contains(Role.operator) }) else {
            throw AuthError(.forbidden, "only operators may give these scopes")
        }
        try throttle.countSession(of: user.userID, by: caller)
        return try await tokens.make(
            name, scopes: scopes, lifetime: seconds, for: .user(user.userID), limit: Self.limit, by: caller,
            elseThrowing: .invalidToken)
    }

    private func seconds(of lifetime: ProgramToken.Lifetime) throws(AuthError) -> Int? {
        switch lifetime {
        case .standard: return standardLifetime
        case .unlimited:
            guard let maximumLifetime else { return nil }
            let rule = "\(ProgramToken.lifetimes.lowerBound) to \(maximumLifetime) seconds"
            throw AuthError(
                .validationFailed, "tokens have to expire here: give \(rule)", field: "expires_in")
        case .seconds(let seconds):
            let longest = maximumLifetime ?? ProgramToken.lifetimes.upperBound
            guard (ProgramToken.lifetimes.lowerBound...longest).contains(seconds) else { throw refusedLifetime }
            return seconds
        }
    }

    private var refusedLifetime: AuthError {
        let rule = "\(ProgramToken.lifetimes.lowerBound) to \(maximumLifetime ?? ProgramToken.lifetimes.upperBound)"
        return AuthError(
            .validationFailed,
            maximumLifetime == nil
                ? "a token expires in \(rule) seconds, or never" : "a token expires in \(rule) seconds here",
            field: "expires_in")
    }

    /// The tokens of a user in the order of their creation, with those that expired in the last 30
    /// days.
    public func list(of user: User.ID) async throws -> [StoredProgramToken] { try await tokens.list(of: .user(user)) }

    /// Makes a token in the place of another, with its name, its scopes and its lifetime anew.
    /// - Parameters:
    ///   - id: the token before.
    ///   - overlap: seconds for which it lives on: 0, or one of ``ProgramToken/overlaps``; `nil`
    ///     for a day.
    ///   - user: the user, who has signed in as for ``create(_:scopes:lifetime:for:by:)``, or came
    ///     with this very token. A token may not rotate another, which might have a wider scope.
    ///   - caller: the origin of the request.
    /// - Returns: the new token, which is shown here and nowhere else, and the expiry of the one
    ///   before.
    /// - Throws: `token_not_found`, `token_expired`, `too_many_tokens`, `validation_failed`;
    ///   `insufficient_user_authentication`; `forbidden` for another token; `rate_limited`, as for
    ///   a new token.
    public func rotate(
        _ id: ProgramToken.ID, overlap: Int? = nil, of user: UserIdentity, by caller: Caller = .application
    ) async throws -> RotatedProgramToken {
        if case .personalToken(let own) = user.presented {
            guard own == id else {
                throw AuthError(.forbidden, "a token can rotate itself and no other: sign in for this")
            }
        } else {
            guard user.scope == nil else { throw Self.needsSignIn }
            try await factors.requireRecentSignIn(user)
        }
        let token = try await tokens.find(id, of: .user(user.userID))
        let overlap = try tokens.admissibleOverlap(overlap, of: token)
        // Nothing that is refused is counted: who has stolen a token keeps nobody from signing in.
        try throttle.countSession(of: user.userID, by: caller)
        // The maximum may have been lowered since it was made.
        let lifetime = [token.lifetime, maximumLifetime].compactMap(\.self).min()
        return try await tokens.rotate(token, lifetime: lifetime, overlap: overlap, limit: Self.limit, by: caller)
    }

    /// Deletes a token, which is refused from the next request on, and on every node within the
    /// revocation bound.
    /// - Throws: `token_not_found`; `forbidden` for an operator whom the caller may not change.
    public func delete(
        _ id: ProgramToken.ID, of user: User.ID, by caller: Caller = .application
    ) async throws {
        try await OperatorRules(storage: tokens.storage).checkChange(of: user, by: caller)
        try await tokens.delete(tokens.find(id, of: .user(user)), by: caller)
    }

    /// Deletes all tokens of a user, as ``delete(_:of:by:)`` does each.
    /// - Returns: how many there were.
    /// - Throws: `forbidden` for an operator whom the caller may not change.
    @discardableResult
    public func deleteAll(of user: User.ID, by caller: Caller = .application) async throws -> Int {
        try await OperatorRules(storage: tokens.storage).checkChange(of: user, by: caller)
        var count = 0
        for token in try await list(of: user) {
            do {
                try await tokens.delete(token, by: caller)
                count += 1
            } catch let error as AuthError where error.code == .tokenNotFound {
                // Somebody else has just deleted it.
                continue
            }
        }
        return count
    }

    private static let needsSignIn = AuthError(.forbidden, "a token cannot make another: sign in for this")
}

extension Scope {
    /// Whether it gives no power over others. All words that begin like those of operators are kept
    /// for them, whatever their case.
    static func isOfEveryone(_ word: String) -> Bool {
        let word = WireText(word).lowercased
        return !word.equals("operator") && !word.begins(with: "operator:")
    }
}

import Foundation

/// Raising a live session by what its user proves once more, without a new one.
extension Login {
    /// Raises the session of an access token by a factor that is given now.
    ///
    /// The session proves from then on what it did and the factor, and the time is now. Its refresh
    /// token goes on; access tokens that were given before keep their claims. A wrong answer is
    /// counted as in the second step of a sign-in.
    /// - Parameters:
    ///   - response: the code of an authenticator app, a recovery code, or the answer of a passkey.
    ///   - identity: the user, identified by an access token of the session.
    ///   - caller: the origin of the answer.
    /// - Returns: a new access token of the same session.
    /// - Throws: `credentials_required` for a user who came with a password, who has no session;
    ///   `insufficient_user_authentication` where it is not known by what the session began, as for
    ///   a token of a Flask server; `invalid_code`; `rate_limited`; `invalid_token` for a session
    ///   that has ended.
    public func raise(
        _ response: FactorResponse, of identity: UserIdentity, by caller: Caller = .application
    ) async throws -> AccessToken {
        let stored = try await session(of: identity)
        if case .credential(let text) = response {
            let method = try await take(passkey: text, toRaise: stored, by: caller)
            return try await raise(
                stored, to: stored.session.authentication.methods.adding(method), by: caller.nowKnown(as: identity))
        }
        let guess = Guess(
            name: try? Username(whoever: stored.user.username), by: caller,
            at: response.counter(of: stored.user.id))
        return try await throttle.admitting(guess) { guess in
            let factor = try await take(response, of: stored.user, as: guess, by: caller.nowKnown(as: identity))
            try await throttle.succeedInSession(guess)
            let methods = stored.session.authentication.methods.adding(factor.method)
            return try await raise(stored, to: methods, by: caller.nowKnown(as: identity))
        }
    }

    /// Raises the session of an access token by the password, for a user who has nothing else. The
    /// session proves the password from then on, and the time is now.
    /// - Throws: `insufficient_user_authentication` for a user who has a factor, too;
    ///   `mfa_enrollment_required`; `current_password_invalid`; what ``raise(_:of:by:)`` throws.
    public func raise(
        password: String, of identity: UserIdentity, by caller: Caller = .application
    ) async throws -> AccessToken {
        let stored = try await session(of: identity)
        guard try await !factors.belong(to: stored.user.id) else {
            throw AuthError(
                .insufficientUserAuthentication,
                "Unauthorized Access: a second factor is needed, give a code or a passkey in place of the password",
                contextClass: "aal2")
        }
        _ = try await factors.requireEnrollment(of: stored.user)
        try await passwords.confirm(password, for: identity, by: caller)
        return try await raise(stored, to: .passwordAlone, by: caller.nowKnown(as: identity))
    }

    /// The live session of the token that identified the user.
    private func session(of identity: UserIdentity) async throws -> StoredSession {
        switch identity.presented {
        case .password: throw Self.takesSession
        case .flaskToken: throw Self.unknownBeginning
        case .personalToken: throw AuthError.insufficientScope(nil)
        case .accessToken(let id):
            guard let stored = try await storage.session(id: id), stored.user.id == identity.userID,
                !stored.user.isDisabled, stored.session.expiresAt > now()
            else { throw AuthError.invalidToken }
            guard !stored.session.authentication.methods.isEmpty else { throw Self.unknownBeginning }
            return stored
        }
    }

    private static let takesSession = AuthError(
        .credentialsRequired, "Unauthorized Access: this takes the access token of a session, as Bearer")

    private static let unknownBeginning = AuthError(
        .insufficientUserAuthentication, "Unauthorized Access: sign in again, this session cannot be raised")

    private func raise(
        _ stored: StoredSession, to methods: [Authentication.Method], by caller: Caller
    ) async throws -> AccessToken {
        let (session, now) = (stored.session, now())
        let event = AuthEvent.sessionRaised(userID: stored.user.id, session.id, to: methods).by(caller, at: now)
        let raised = try await storage.raiseSession(
            id: session.id, of: stored.user.id, to: Authentication(methods, at: now),
            until: now.addingTimeInterval(TimeInterval(accessTokens.duration)), at: now, recording: event)
        guard let raised else { throw AuthError.invalidToken }
        event.record()
        return try await accessTokens.issue(for: raised.user, in: raised.session, duration: accessTokens.duration)
    }
}

extension [Authentication.Method] {
    /// The methods of a session whose user has proven another one. Together they are more than one
    /// factor, unless the session began with that one alone.
    func adding(_ method: Element) -> Self {
        var methods = self
        if !methods.contains(method) { methods.append(method) }
        let hasAnother = contains { ![method, .risk, .multipleFactors].contains($0) }
        if hasAnother, !methods.contains(.multipleFactors) { methods.append(.multipleFactors) }
        return methods
    }
}

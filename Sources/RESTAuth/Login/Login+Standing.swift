extension Login {
    /// Checks that the proof of an identity still holds, for work that goes on long after its
    /// request was admitted: the user is enabled and has the role, the session has not ended, the
    /// password is the same; a service account still has the token. That the token has expired
    /// meanwhile, or the sign-in is no longer a recent one, is no reason to stop.
    /// - Throws: `invalid_token`, `forbidden`; what the storage throws.
    package func requireStanding(of identity: Identity, in role: String) async throws {
        if case .service(let service) = identity {
            let tokens = try await storage.programTokens(of: .service(service.id))
            guard tokens.contains(where: { $0.id == service.tokenID }) else { throw AuthError.invalidToken }
            return
        }
        guard let identity = identity.user, let user = try await presentUser(of: identity), !user.isDisabled else {
            throw AuthError.invalidToken
        }
        guard user.roles.contains(role) else {
            throw AuthError(.forbidden, "this needs a role that you do not have any more")
        }
    }

    /// The user as stored now; `nil` when what was presented is not good any more.
    private func presentUser(of identity: UserIdentity) async throws -> User? {
        if case .accessToken(let session) = identity.presented {
            guard let stored = try await storage.session(id: session), stored.user.id == identity.userID,
                stored.session.expiresAt > now()
            else { return nil }
            return stored.user
        }
        if case .personalToken(let id) = identity.presented {
            let tokens = try await storage.programTokens(of: .user(identity.userID))
            guard tokens.contains(where: { $0.id == id }) else { return nil }
        }
        guard let stored = try await storage.credentials(user: identity.userID),
            identity.passwordVersion.map({ $0 == stored.passwordVersion }) ?? true
        else { return nil }
        return stored.user
    }
}

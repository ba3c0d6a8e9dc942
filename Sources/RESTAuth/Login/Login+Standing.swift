extension Login {
    /// Checks that the proof of an identity still holds, for work that goes on long after its
    /// request was admitted: the user is enabled and has the role, the session has not ended, the
    /// password is the same; the token for programs is neither deleted nor replaced by another.
    /// That the token has come to the end of its lifetime meanwhile, or the sign-in is no longer a
    /// recent one, is no reason to stop.
    /// - Throws: `invalid_token`, `forbidden`; what the storage throws.
    package func requireStanding(of identity: Identity, in role: String) async throws {
        if case .service(let service) = identity {
            guard try await stands(service.tokenID, of: .service(service.id)) else { throw AuthError.invalidToken }
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
            guard try await stands(id, of: .user(identity.userID)) else { return nil }
        }
        guard let stored = try await storage.credentials(user: identity.userID),
            identity.passwordVersion.map({ $0 == stored.passwordVersion }) ?? true
        else { return nil }
        return stored.user
    }

    /// Whether the token is there, and nobody has put an end to it by rotating it.
    private func stands(_ id: ProgramToken.ID, of holder: ProgramToken.Holder) async throws -> Bool {
        let token = try await storage.programTokens(of: holder).first { $0.id == id }
        return token.map { $0.rotatedAt == nil || !$0.isExpired(at: now()) } ?? false
    }
}

package import Foundation

/// Verifies tokens for programs, of users and of service accounts. ``PersonalTokens`` and
/// ``ServiceAccounts`` make them.
package final class ProgramTokens: Sendable {
    /// Seconds for which a verified token is believed without a read.
    package static let memory: TimeInterval = 60

    let storage: any Storage
    let secrets: InstanceSecrets
    let keys: SigningKeys
    let revocations: Revocations
    /// Notes their uses; a service of its own.
    package let uses: ProgramTokenUses
    let now: @Sendable () -> Date

    init(
        storage: any Storage, secrets: InstanceSecrets, keys: SigningKeys, revocations: Revocations,
        now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        uses = ProgramTokenUses(storage: storage)
        self.secrets = secrets
        self.keys = keys
        self.revocations = revocations
        self.now = now
    }

    // MARK: Verifying

    /// Verifies a token by one query, and notes its use, at most once a minute, without waiting for
    /// that (``ProgramTokenUses``).
    ///
    /// A text of another form, or with a wrong checksum, costs no query. Anybody can compute a
    /// right checksum, and one look-up in a unique index is all that such a forgery costs.
    /// Forgeries are not counted, as those of every other token are not: they cannot succeed, for
    /// the 30 random characters have 178 bits, and to count one would be a write, which costs more
    /// than the read.
    /// - Throws: `invalid_token` for one that is unknown or has expired, and where its user is
    ///   disabled; what the storage throws.
    package func verify(_ token: [UInt8]) async throws -> VerifiedProgramToken {
        guard let form = ProgramToken.Form(token), let found = try await find(form) else {
            throw AuthError.invalidToken
        }
        let now = now()
        guard !found.token.isExpired(at: now) else { throw AuthError.invalidToken }
        let identity: Identity
        switch found.token.holder {
        case .user:
            guard let owner = found.owner, !owner.isDisabled else { throw AuthError.invalidToken }
            identity = .user(UserIdentity(owner, by: found.token))
        case .service(let id):
            identity = .service(ServiceIdentity(id: id, scope: found.token.scopes, tokenID: found.token.id))
        }
        await noteUse(of: found, form, at: now)
        return VerifiedProgramToken(identity: identity, expiresAt: found.token.expiresAt, checkedAt: now)
    }

    private func find(_ form: ProgramToken.Form) async throws -> FoundProgramToken? {
        let known = secrets.known
        if let found = try await storage.programToken(digests: digests(of: form, by: known)) { return found }
        // Another process may have made it under a secret that is not known here yet.
        try await keys.followSecretsNow()
        let following = secrets.known
        guard following.all.map(\.id) != known.all.map(\.id) else { return nil }
        return try await storage.programToken(digests: digests(of: form, by: following))
    }

    /// Notes the use. A digest that needs the previous secret is replaced, as only now a new one
    /// can be made.
    private func noteUse(of found: FoundProgramToken, _ form: ProgramToken.Form, at now: Date) async {
        let known = secrets.known
        let needsPrevious = known.previous != nil && !isMade(found.digest, by: known.maker)
        let earlier = now.addingTimeInterval(-Self.memory)
        guard needsPrevious || found.token.lastUsedAt.map({ $0 <= earlier }) ?? true else { return }
        await uses.note(
            ProgramTokenUses.Use(
                id: found.token.id, at: now, digest: found.digest,
                replacement: needsPrevious ? digest(of: form, by: known.maker) : found.digest))
    }

    // MARK: Making

    /// Lists the tokens of a holder, with the uses that are not written yet.
    func list(of holder: ProgramToken.Holder) async throws -> [StoredProgramToken] {
        // Asked before the storage, which then has all that are written meanwhile.
        let unwritten = uses.unwritten
        return try await storage.programTokens(of: holder).map { token in
            unwritten[token.id].map(token.used) ?? token
        }
    }

    /// Makes a token.
    /// - Parameter limit: number of live tokens that the holder may have.
    /// - Throws: `too_many_tokens`, and `missing` when the holder is gone.
    func make(
        _ name: String, scopes: Set<String>, lifetime: Int?, for holder: ProgramToken.Holder, limit: Int,
        by caller: Caller, elseThrowing missing: AuthError
    ) async throws -> NewProgramToken {
        let (form, now) = (ProgramToken.Form(holder.kind), now())
        let token = StoredProgramToken(
            id: ProgramToken.ID(at: now), holder: holder, name: name, scopes: scopes, lastFour: form.lastFour,
            createdAt: now, lifetime: lifetime,
            expiresAt: lifetime.map { now.addingTimeInterval(TimeInterval($0)) })
        let event = AuthEvent.tokenCreated(token).by(caller, at: now)
        let insertion = try await storage.insertProgramToken(
            token, digest: digest(of: form, by: secrets.known.maker), limit: limit, recording: event)
        switch insertion {
        case .inserted: event.record()
        case .limitReached: throw Self.tooMany(limit)
        case .noHolder: throw missing
        }
        return NewProgramToken(value: form.text, token: token)
    }

    /// Makes a token in the place of another, which lives on for `overlap` seconds, and is not
    /// rotated again: whoever has stolen it cannot go on with it. A holder may have twice the limit
    /// for this, so that nobody is kept from rotating.
    /// - Throws: `token_not_found`, `token_expired`, `too_many_tokens`.
    func rotate(
        _ token: StoredProgramToken, lifetime: Int?, overlap: Int?, limit: Int, by caller: Caller
    ) async throws -> RotatedProgramToken {
        let overlap = try admissibleOverlap(overlap, of: token)
        let (form, now) = (ProgramToken.Form(token.holder.kind), now())
        let successor = ProgramTokenSuccessor(
            id: ProgramToken.ID(at: now), digest: digest(of: form, by: secrets.known.maker),
            lastFour: form.lastFour, createdAt: now, lifetime: lifetime)
        let event = AuthEvent.tokenRotated(token, to: successor.id).by(caller, at: now)
        let rotation = try await storage.rotateProgramToken(
            id: token.id, of: token.holder, to: successor,
            endingAt: now.addingTimeInterval(TimeInterval(overlap)), limit: 2 * limit, recording: event)
        switch rotation {
        case .rotated(let new, let previousExpiresAt, let revocation):
            if let revocation { revocations.apply([revocation]) }
            event.record()
            return RotatedProgramToken(
                new: NewProgramToken(value: form.text, token: new), previousExpiresAt: previousExpiresAt)
        case .notFound: throw Self.notFound
        case .expired: throw Self.expired
        case .rotatedBefore: throw Self.rotatedBefore
        case .limitReached: throw Self.tooMany(2 * limit)
        }
    }

    /// The overlap of a rotation that is asked for, if it may be: the storage decides that once
    /// more.
    /// - Throws: `token_expired`, `validation_failed`.
    func admissibleOverlap(_ overlap: Int?, of token: StoredProgramToken) throws(AuthError) -> Int {
        let overlap = overlap ?? ProgramToken.standardOverlap
        try ProgramToken.checkOverlap(overlap)
        guard !token.isExpired(at: now()) else { throw Self.expired }
        guard token.rotatedAt == nil else { throw Self.rotatedBefore }
        return overlap
    }

    /// Deletes a token that was presented, live or not, and whether or not its owner is disabled.
    /// - Throws: `token_not_found`.
    func delete(presented token: [UInt8], by caller: Caller) async throws {
        guard let form = ProgramToken.Form(token), let found = try await find(form) else { throw Self.notFound }
        try await delete(found.token, by: caller)
    }

    /// Deletes a token, which is refused from the next request on.
    /// - Throws: `token_not_found`.
    func delete(_ token: StoredProgramToken, by caller: Caller) async throws {
        let event = AuthEvent.tokenDeleted(token).by(caller, at: now())
        let revocation = try await storage.deleteProgramToken(
            id: token.id, of: token.holder, at: event.at, recording: event)
        guard let revocation else { throw Self.notFound }
        revocations.apply([revocation])
        event.record()
    }

    /// - Throws: `token_not_found`.
    func find(_ id: ProgramToken.ID, of holder: ProgramToken.Holder) async throws -> StoredProgramToken {
        guard let token = try await list(of: holder).first(where: { $0.id == id }) else { throw Self.notFound }
        return token
    }

    private static let notFound = AuthError(.tokenNotFound, "there is no such token")

    private static let expired = AuthError(
        .tokenExpired, "this token has expired and cannot be rotated: make a new one")

    private static let rotatedBefore = AuthError(
        .tokenExpired, "this token was rotated before: use the new one, or make another")

    private static func tooMany(_ limit: Int) -> AuthError {
        AuthError(.tooManyTokens, "there are \(limit) tokens already: delete one first")
    }

    // MARK: Digests

    private func digest(of form: ProgramToken.Form, by maker: SecretMaker) -> [UInt8] {
        maker.mark + maker.secret.code(of: form.bytes, for: "program token digests")
    }

    /// All digests under which a token may be stored: of each secret, with its mark and without.
    private func digests(of form: ProgramToken.Form, by known: KnownSecrets) -> [[UInt8]] {
        known.all.flatMap { secret in
            [false, true].map { digest(of: form, by: SecretMaker(secret: secret, isMarked: $0)) }
        }
    }

    private func isMade(_ digest: [UInt8], by maker: SecretMaker) -> Bool {
        digest.count > Self.unmarkedLength && digest.starts(with: maker.mark)
    }

    private static let unmarkedLength = 32

    // MARK: The previous secret

    /// Counts the live tokens, and those of them that are refused without the previous secret.
    func countDigests() async throws -> (all: Int, ofPrevious: Int) {
        let known = secrets.known
        let counts = try await storage.countProgramTokens(notMarked: known.maker.mark, at: now())
        return (counts.count, known.previous == nil ? 0 : counts.unmarkedCount)
    }

    /// Deletes the live tokens that need the previous secret.
    /// - Returns: how many.
    func deleteWhatNeedsPrevious(by caller: Caller) async throws -> Int {
        let known = secrets.known
        guard known.previous != nil else { return 0 }
        var count = 0
        while case let tokens = try await storage.programTokens(notMarked: known.maker.mark, at: now(), limit: 1000),
            !tokens.isEmpty
        {
            for token in tokens {
                do {
                    try await delete(token, by: caller)
                    count += 1
                } catch let error as AuthError where error.code == .tokenNotFound {
                    continue
                }
            }
        }
        return count
    }
}

/// A token that was verified at `checkedAt`.
package struct VerifiedProgramToken: Sendable {
    package let identity: Identity
    /// Expiry; `nil` for none.
    package let expiresAt: Date?
    package let checkedAt: Date
}

extension ProgramToken.Holder {
    fileprivate var kind: ProgramToken.Form.Kind {
        switch self {
        case .user: .personal
        case .service: .service
        }
    }
}

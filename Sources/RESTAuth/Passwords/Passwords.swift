import Foundation
import PasswordHashing
import Synchronization

/// The door to passwords: hash a new one, verify one that was presented, set another.
public final class Passwords: Sendable {
    let storage: any Storage
    let policy: PasswordPolicy
    private let breached: Mutex<BreachedPasswords?>
    let cost: Argon2id
    let limit: HashLimit
    let pepper: PasswordPepper?
    package let pool: HashingPool
    package let decoys: Decoys
    let revocations: Revocations
    let sessions: Sessions
    let throttle: Throttle
    let factors: Factors
    let links: PasswordLinks
    let now: @Sendable () -> Date

    init(
        storage: any Storage, secrets: InstanceSecrets, revocations: Revocations, sessions: Sessions,
        throttle: Throttle, factors: Factors, configuration: AuthConfiguration
    ) throws {
        self.storage = storage
        self.revocations = revocations
        self.sessions = sessions
        self.throttle = throttle
        self.factors = factors
        links = PasswordLinks(
            secrets: secrets, issuer: configuration.issuer, url: configuration.passwordLinkURL)
        policy = configuration.passwordPolicy
        breached = Mutex(configuration.breachedPasswords)
        cost = configuration.passwordCost
        limit = configuration.passwordHashLimit
        pepper = configuration.passwordPepper
        now = configuration.now
        pool = HashingPool(
            threads: configuration.hashingThreads, capacity: configuration.hashingQueue,
            patience: configuration.hashingPatience)
        decoys = try Decoys(storage: storage, cost: cost, limit: limit, pepper: pepper, secrets: secrets)
    }

    /// Checks whether a user may have this password, as far as that can be told without hashing.
    /// - Throws: `weak_password`.
    func check(_ password: Password, for name: Username, field: String = "password") throws(AuthError) {
        try policy.check(password, for: name, breached: breached.withLock(\.self), field: field)
    }

    /// Replaces the list of breached passwords.
    package func refuse(_ breached: BreachedPasswords?) { self.breached.withLock { $0 = breached } }

    /// The PHC string of a new password for a user.
    /// - Throws: `weak_password`, `overloaded`.
    func hash(
        _ password: Password, for name: Username, field: String = "password", from network: ClientNetwork? = nil
    ) async throws -> String {
        try check(password, for: name, field: field)
        return try await pool.run(for: network?.description) { [cost] in try cost.hash(password.bytes) }
    }

    /// The result of comparing a password with a hash.
    struct Verdict: Sendable {
        let isRight: Bool
        /// Whether the hash is of another kind than new ones, costs less than they do, or is of
        /// another spelling of the password, and every byte that was typed counts.
        let isOutdated: Bool
        /// The time that the comparison took, without its wait.
        let cost: Duration
    }

    /// Compares a password with the hash of the user of that name. Without a hash or without a
    /// possible password the same work is done and the password is wrong. The number of comparisons
    /// depends on what was typed alone (``PasswordMatch``).
    /// - Throws: `overloaded`.
    func verify(
        _ password: Password?, against stored: String?, as name: Username?, from network: ClientNetwork? = nil
    ) async throws -> Verdict {
        let hash = stored.flatMap(PasswordHash.init).flatMap { isComputed($0) ? $0 : nil }
        let compared = hash ?? decoys.hash(for: name)
        let (match, cost) = try await pool.measure(for: network?.description) { [pepper] in
            try PasswordMatch(of: password) { try compared.verify($0, pepper: pepper) }
        }
        let isWhole = password.map { compared.countsWhole($0.typedBytes, pepper: pepper) } ?? false
        return Verdict(
            isRight: match != .none && hash != nil && password != nil,
            isOutdated: isWhole && (match == .typed || !compared.isAsCostly(as: self.cost)),
            cost: cost)
    }

    /// Whether the hash's cost is within the limit, and its pepper is known.
    private func isComputed(_ hash: PasswordHash) -> Bool {
        limit.admits(hash.cost) && hash.isVerifiable(with: pepper)
    }

    /// Replaces an outdated hash, now that the password is known. When that fails, the next sign-in
    /// tries again.
    package func upgrade(_ password: String, of stored: StoredCredentials, by caller: Caller) async {
        guard let password = try? Password(password), let present = stored.passwordHash,
            let scheme = PasswordHash(present)?.scheme,
            let hash = try? await pool.run(
                for: caller.network?.description, { [cost] in try cost.hash(password.bytes) })
        else { return }
        let event = AuthEvent.passwordUpgraded(userID: stored.user.id, from: scheme.rawValue).by(caller, at: now())
        let isUpgraded = try? await storage.upgradePasswordHash(
            hash, user: stored.user.id, replacing: present, recording: event)
        if isUpgraded == true { event.record() }
    }

    /// Sets the password of a user without asking for the present one, and ends all sessions: for
    /// an operator.
    /// - Throws: `user_not_found`, `validation_failed`, `weak_password`, `overloaded`; `forbidden`
    ///   for an operator whom the caller may not change.
    public func set(_ password: String, for user: User, by caller: Caller = .application) async throws {
        try await OperatorRules(storage: storage).checkChange(of: user.id, by: caller)
        let field = "new_password"
        let hash = try await hash(
            Password(password, field: field), for: Username(whoever: user.username), field: field)
        guard try await replace(with: hash, of: user, replacing: nil, beginning: nil, by: caller) else {
            throw AuthError.userNotFound
        }
    }

    /// Changes the password of a signed-in user, and ends every session.
    ///
    /// Checked: a second factor given lately, of a user who has one
    /// (``Factors/requireRecent(_:)``); the present password; the new one against the policy; and
    /// that no other change came between. A user who came with a token is given new ones, of a
    /// session that begins in the transaction that ends the others; so whoever has a copy of the
    /// earlier tokens is signed out. If the password is all that the user can prove, the new
    /// session counts as signed in now. Otherwise it keeps the methods and the time of the earlier
    /// session, so that no factor is bypassed.
    /// - Parameters:
    ///   - present: the password that the user has.
    ///   - new: the password that the user is to have.
    ///   - identity: the signed-in user.
    ///   - caller: the origin of the new session; from its network the user is known from then on,
    ///     and from no other.
    /// - Returns: the tokens in place of the one that `identity` came with, with a refresh token if
    ///   its session had one; `nil` for a user who came with the password, and has no session.
    /// - Throws: `insufficient_user_authentication`, `mfa_enrollment_required`,
    ///   `current_password_invalid`, `rate_limited`, `validation_failed`, `weak_password`,
    ///   `overloaded`; `invalid_token` when the session has ended meanwhile.
    @discardableResult
    public func change(
        from present: String, to new: String, for identity: UserIdentity, by caller: Caller = .application
    ) async throws -> ReplacementTokens? {
        let network = caller.network
        try await factors.requireRecent(identity)
        let stored = try await confirmed(present, of: identity, by: caller)
        let field = "new_password"
        let hash = try await hash(
            Password(new, field: field), for: Username(whoever: stored.user.username), field: field, from: network)
        let replacement =
            identity.presented == .password
            ? nil : try await sessions.replacement(of: identity, for: stored, by: caller)
        guard
            try await replace(
                with: hash, of: stored, beginning: replacement?.new, by: caller.nowKnown(as: identity))
        else {
            throw Self.currentPasswordInvalid
        }
        if let network { await throttle.remember(network, of: stored.user.id) }
        guard let replacement else { return nil }
        return try await sessions.tokens(of: replacement)
    }

    /// Replaces the password that was confirmed, even when a sign-in has hashed it anew meanwhile.
    private func replace(
        with hash: String, of stored: StoredCredentials, beginning: NewSession?, by caller: Caller
    ) async throws -> Bool {
        guard let present = stored.passwordHash else { return false }
        if try await replace(
            with: hash, of: stored.user, replacing: present, beginning: beginning, by: caller)
        {
            return true
        }
        guard let now = try await storage.credentials(user: stored.user.id),
            now.passwordVersion == stored.passwordVersion, let present = now.passwordHash
        else { return false }
        return try await replace(with: hash, of: stored.user, replacing: present, beginning: beginning, by: caller)
    }

    /// Checks that a signed-in user knows the password, and counts a wrong one.
    /// - Parameters:
    ///   - present: the password that the user has.
    ///   - identity: the signed-in user.
    ///   - caller: the origin; the comparison waits its turn by its network.
    /// - Throws: `current_password_invalid`, `rate_limited`, `overloaded`.
    public func confirm(_ present: String, for identity: UserIdentity, by caller: Caller = .application) async throws {
        _ = try await confirmed(present, of: identity, by: caller)
    }

    private func confirmed(_ present: String, of identity: UserIdentity, by caller: Caller) async throws
        -> StoredCredentials
    {
        do {
            return try await throttle.confirming(identity.userID, by: caller) {
                let stored = try await storage.credentials(user: identity.userID)
                let verdict = try await verify(
                    try? Password(present), against: stored?.passwordHash,
                    as: try? Username(whoever: identity.username),
                    from: caller.network)
                guard verdict.isRight, let stored, !stored.user.isDisabled else { throw Self.currentPasswordInvalid }
                return stored
            }
        } catch {
            if (error as? AuthError)?.code == .currentPasswordInvalid {
                AuthEvent.loginFailed(username: identity.username).record()
            }
            throw error
        }
    }

    private static let currentPasswordInvalid = AuthError(
        .currentPasswordInvalid, "the present password is not this one")

    /// Stores a new hash, if the present one, or its number, is still the given one.
    /// - Parameter happened: the event that is recorded.
    func replace(
        with hash: String, of user: User, replacing present: String?, version: Int? = nil, beginning: NewSession?,
        by caller: Caller, as happened: AuthEvent? = nil
    ) async throws -> Bool {
        let now = now()
        let event = (happened ?? .passwordSet(userID: user.id)).by(caller, at: now)
        guard
            let ended = try await storage.setPasswordHash(
                hash, user: user.id, replacing: present, version: version, beginning: beginning, at: now,
                recording: event)
        else { return false }
        revocations.applyEnded(ended, of: user.id, by: event)
        event.record()
        if let beginning { event.starting(beginning.session).record() }
        if let name = try? Username(whoever: user.username) { throttle.forgetUncounted(of: name, id: user.id) }
        return true
    }
}

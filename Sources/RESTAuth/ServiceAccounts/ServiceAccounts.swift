import Foundation

/// Adds, lists and removes service accounts, and makes, lists, rotates and deletes their tokens.
///
/// It does not check who calls: do that in your route, for example by
/// `Requirement.anyRole(Role.operator)`. It does refuse to give a scope of operators for a caller
/// who does not hold it.
public final class ServiceAccounts: Sendable {
    /// Number of live tokens that an account may have.
    public static let limit = 10
    /// Lifetime of a token unless another is asked for: a year, in seconds.
    public static let standardLifetime = 365 * 86400
    /// Longest note in Unicode scalars.
    public static let longestNote = 256

    let storage: any Storage
    let tokens: ProgramTokens
    let revocations: Revocations
    let now: @Sendable () -> Date

    init(
        storage: any Storage, tokens: ProgramTokens, revocations: Revocations, now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.tokens = tokens
        self.revocations = revocations
        self.now = now
    }

    /// Adds an account.
    /// - Parameters:
    ///   - id: its id, by which requests, answers and events name it.
    ///   - owner: the user whom to ask about it.
    ///   - note: words about it, for operators.
    ///   - caller: the origin of the request.
    /// - Throws: `validation_failed`, also for an owner who is not there;
    ///   `service_account_already_exists`.
    @discardableResult
    public func add(
        _ id: ServiceAccount.ID, owner: User.ID? = nil, note: String? = nil, by caller: Caller = .application
    ) async throws -> ServiceAccount {
        guard Clients.isID(id) else {
            throw AuthError(
                .validationFailed, "a service account's id is 1 to 64 letters, digits and . _ - of ASCII", field: "id")
        }
        if let note, !ShownText.isGood(note, longest: Self.longestNote) {
            throw AuthError(
                .validationFailed,
                """
                a note has 1 to \(Self.longestNote) characters that can be seen, no blank at either end and no control \
                characters
                """,
                field: "note")
        }
        let account = ServiceAccount(id: id, ownerID: owner, note: note, createdAt: now())
        let event = AuthEvent.serviceAccountAdded(id: id).by(caller, at: account.createdAt)
        try await storage.insertServiceAccount(account, recording: event)
        event.record()
        return account
    }

    /// Finds an account.
    /// - Throws: `service_account_not_found`.
    public func find(_ id: ServiceAccount.ID) async throws -> ServiceAccount {
        guard Clients.isID(id), let account = try await storage.serviceAccount(id: id) else {
            throw Self.notFound
        }
        return account
    }

    /// Lists at most `limit` accounts in the order of their ids, after one that is known.
    /// - Throws: `validation_failed` for a text that is no id.
    public func list(after id: ServiceAccount.ID? = nil, limit: Int) async throws -> [ServiceAccount] {
        guard id.map(Clients.isID) ?? true else {
            throw AuthError(.validationFailed, "after is no id of this list", field: "after")
        }
        return try await storage.serviceAccounts(after: id, limit: limit)
    }

    /// Deletes an account with its tokens, which are refused from the next request on.
    /// - Throws: `service_account_not_found`.
    public func delete(_ id: ServiceAccount.ID, by caller: Caller = .application) async throws {
        let event = AuthEvent.serviceAccountDeleted(id: id).by(caller, at: now())
        guard Clients.isID(id),
            let lines = try await storage.deleteServiceAccount(id: id, at: event.at, recording: event)
        else { throw Self.notFound }
        revocations.apply(lines)
        event.record()
    }

    // MARK: Tokens

    /// Makes a token of an account.
    /// - Parameters:
    ///   - name: the name by which operators know it.
    ///   - scopes: what it may be used for, 1 to 20 words: see ``Scope/check(_:field:)``.
    ///   - lifetime: how long it lives: ``standardLifetime``, a number of seconds from a minute to
    ///     ten years, or without an end.
    ///   - id: the account.
    ///   - caller: the origin of the request.
    /// - Returns: the new token, which is shown here and nowhere else: only a digest is stored.
    /// - Throws: `validation_failed`, `too_many_tokens`, `service_account_not_found`; `forbidden`
    ///   for a scope of operators that the caller does not hold.
    public func createToken(
        _ name: String, scopes: [String], lifetime: ProgramToken.Lifetime = .standard, of id: ServiceAccount.ID,
        by caller: Caller = .application
    ) async throws -> NewProgramToken {
        try ProgramToken.checkName(name)
        try Scope.check(scopes)
        let seconds: Int? =
            switch lifetime {
            case .standard: Self.standardLifetime
            case .seconds(let seconds): seconds
            case .unlimited: nil
            }
        if let seconds, !ProgramToken.lifetimes.contains(seconds) {
            let range = ProgramToken.lifetimes
            throw AuthError(
                .validationFailed,
                "a token expires in \(range.lowerBound) to \(range.upperBound) seconds, or never", field: "expires_in")
        }
        try caller.requireHolding(scopes)
        let account = try await find(id)
        return try await tokens.make(
            name, scopes: Set(scopes), lifetime: seconds, for: .service(account.id), limit: Self.limit, by: caller,
            elseThrowing: Self.notFound)
    }

    /// The tokens of an account in the order of their creation, with those that expired in the last
    /// 30 days.
    /// - Throws: `service_account_not_found`.
    public func listTokens(of id: ServiceAccount.ID) async throws -> [StoredProgramToken] {
        try await tokens.list(of: .service(find(id).id))
    }

    /// Makes a token in the place of another, with its name, its scopes and its lifetime anew.
    /// - Parameters:
    ///   - token: the token before.
    ///   - overlap: seconds for which it lives on: 0, or one of ``ProgramToken/overlaps``; `nil`
    ///     for a day.
    ///   - id: the account.
    ///   - caller: the origin of the request.
    /// - Returns: the new token, which is shown here and nowhere else, and the expiry of the one
    ///   before.
    /// - Throws: `token_not_found`, `token_expired`, `too_many_tokens`, `validation_failed`,
    ///   `service_account_not_found`; `forbidden` for a scope of operators that the caller does not
    ///   hold.
    public func rotateToken(
        _ token: ProgramToken.ID, overlap: Int? = nil, of id: ServiceAccount.ID, by caller: Caller = .application
    ) async throws -> RotatedProgramToken {
        let stored = try await tokens.find(token, of: .service(find(id).id))
        try caller.requireHolding(stored.scopes)
        return try await tokens.rotate(
            stored, lifetime: stored.lifetime, overlap: overlap, limit: Self.limit, by: caller)
    }

    /// Deletes a token, which is refused from the next request on.
    /// - Throws: `token_not_found`, `service_account_not_found`.
    public func deleteToken(
        _ token: ProgramToken.ID, of id: ServiceAccount.ID, by caller: Caller = .application
    ) async throws {
        try await tokens.delete(tokens.find(token, of: .service(find(id).id)), by: caller)
    }

    private static let notFound = AuthError(.serviceAccountNotFound, "there is no such service account")
}

extension Caller {
    /// Checks that the caller holds the scopes of operators among these, and a service account all
    /// of them, and so may give them.
    /// - Throws: `forbidden`.
    fileprivate func requireHolding(_ scopes: some Collection<String>) throws(AuthError) {
        let mayGiveOthers = identity?.service == nil
        guard scopes.allSatisfy({ mayGiveOthers && Scope.isOfEveryone($0) || holds($0) }) else {
            throw AuthError(.forbidden, "you cannot give a scope that you do not hold")
        }
    }

    private func holds(_ word: String) -> Bool {
        func allows(_ scope: Set<String>) -> Bool {
            scope.contains(word) || (word == Scope.operatorRead && scope.contains(Scope.operator))
        }
        return switch identity {
        case .user(let user): user.roles.contains(Role.operator) && user.scope.map(allows) ?? true
        case .service(let service): allows(service.scope)
        case .operator: true
        case .client: false
        case nil: self == .application
        }
    }
}

import Foundation

/// Options for using a passkey, and the check of what an authenticator answers to them.
extension Passkeys {
    /// A use of a passkey beside something else that was proven.
    package enum Occasion: Sendable {
        /// The second step of a sign-in, by the digest of its ticket.
        case secondFactor(ticket: [UInt8])
        /// Proving again who one is, in a live session.
        case stepUp(Session.ID)

        fileprivate func purpose(of handle: [UInt8]) -> PasskeyPurpose {
            switch self {
            case .secondFactor(let ticket): .secondFactor(userHandle: handle, ticket: ticket)
            case .stepUp(let session): .stepUp(userHandle: handle, session: session.bytes)
            }
        }
    }

    // MARK: Options

    /// Options for signing in: JSON for `parseRequestOptionsFromJSON()`.
    ///
    /// Without a name any passkey will do that the browser has. With one, those of the user are
    /// listed; a name that nobody has, or whose user has no passkey, gets a made-up one, always the
    /// same.
    /// - Throws: `passkeys_disabled`.
    public func signInOptions(named name: String? = nil) async throws -> PasskeyOptions {
        let party = try relyingParty
        guard let name else { return options(for: .signIn, allowed: [], at: party) }
        let username = try? Username(whoever: name)
        let canonical = username?.canonical
        let stored =
            if let canonical { try await storage.credentials(canonicalUsername: canonical) } else {
                nil as StoredCredentials?
            }
        // Read whether there is such a user or not: both take as long.
        let own = try await storage.passkeys(of: stored?.user.id ?? 0)
        let descriptors = own.passkeys.map(\.descriptor)
        let decoys = PasskeyDecoys(secrets: secrets).descriptors(for: canonical ?? name)
        return options(
            for: .signInAs(userHandle: own.userHandle ?? Self.newUserHandle()),
            allowed: descriptors.isEmpty ? decoys : descriptors, at: party)
    }

    /// Options for proving again who one is, in the session of an access token.
    /// - Throws: `passkeys_disabled`; `factor_not_found` for a user without passkeys;
    ///   `insufficient_user_authentication` for an identity without a session.
    public func stepUpOptions(for user: UserIdentity) async throws -> PasskeyOptions {
        guard case .accessToken(let session) = user.presented else {
            throw AuthError(.insufficientUserAuthentication, "Unauthorized Access: only a session can be raised")
        }
        return try await options(of: user.userID, for: .stepUp(session))
    }

    /// Options for a passkey beside something else that was proven.
    /// - Throws: `passkeys_disabled`; `factor_not_found` for a user without passkeys.
    package func options(of user: User.ID, for occasion: Occasion) async throws -> PasskeyOptions {
        let party = try relyingParty
        let own = try await storage.passkeys(of: user)
        guard let handle = own.userHandle, !own.passkeys.isEmpty else {
            throw AuthError(.factorNotFound, "this user has no passkey")
        }
        return options(for: occasion.purpose(of: handle), allowed: own.passkeys.map(\.descriptor), at: party)
    }

    private func options(
        for purpose: PasskeyPurpose, allowed: [PasskeyDescriptor], at party: RelyingParty
    ) -> PasskeyOptions {
        .request(
            for: party, challenge: challenges(of: party).next(for: purpose, at: now()),
            requiresUserVerification: purpose.requiresUserVerification, allowed: allowed)
    }

    // MARK: Answers

    /// Takes the answer of a passkey that signs in by itself.
    ///
    /// An unknown passkey, one of a disabled user and a wrong signature take the same path: a
    /// signature is verified in every case.
    /// - Parameter answer: the text of `AuthenticationResponseJSON`.
    /// - Returns: the user and the method; `nil` for an answer that is not right.
    /// - Throws: `passkeys_disabled`.
    func takeSignIn(
        _ answer: String, by caller: Caller
    ) async throws -> (owner: StoredCredentials, method: Authentication.Method)? {
        let challenges = challenges(of: try relyingParty)
        let now = now()
        let used = try await use(answer, at: now, by: caller) { handle, challenge in
            let isForAnyone = challenges.spent(challenge, for: .signIn, at: now) != nil
            return isForAnyone ? .signIn : .signInAs(userHandle: handle)
        }
        return used.map { ($0.owner, $0.passkey.method) }
    }

    /// Takes the answer of a passkey beside something else that was proven.
    /// - Parameters:
    ///   - answer: the text of `AuthenticationResponseJSON`.
    ///   - user: the user, whose passkey it has to be.
    ///   - occasion: what its options were made for.
    ///   - caller: the origin of the answer.
    /// - Returns: the passkey; `nil` for an answer that is not right.
    /// - Throws: `passkeys_disabled`.
    package func take(
        _ answer: String, of user: User.ID, for occasion: Occasion, by caller: Caller
    ) async throws -> FactorDescription? {
        let used = try await use(answer, of: user, at: now(), by: caller) { handle, _ in
            occasion.purpose(of: handle)
        }
        return used.map { FactorDescription($0.passkey) }
    }

    /// - Parameters:
    ///   - user: whose passkey it has to be; `nil` for anybody's.
    ///   - purpose: the purpose of an answer to that challenge, by a passkey of that user handle.
    private func use(
        _ text: String, of user: User.ID? = nil, at now: Date, by caller: Caller,
        purpose: (_ userHandle: [UInt8], _ challenge: [UInt8]) -> PasskeyPurpose
    ) async throws -> OwnedPasskey? {
        let party = try relyingParty
        do {
            guard let json = JSON(text: text.utf8) else { throw PasskeyRefusal.malformed }
            let answer = try PasskeyAuthenticationAnswer(json)
            let found = try await storage.passkey(credentialID: answer.credentialID)
            let own = found.flatMap { user == nil || $0.passkey.userID == user ? $0 : nil }
            let challenge = ClientData(answer.clientDataJSON)?.challenge ?? []
            let purpose = purpose(own?.userHandle ?? Self.newUserHandle(), challenge)
            let spent = challenges(of: party).spent(challenge, for: purpose, at: now)
            // Nobody can tell of an unknown passkey whether a challenge for a name was made for its
            // user. So that a signature is verified in every case, any challenge will do until
            // then.
            let expectation = PasskeyExpectation(
                party, requiresUserVerification: purpose.requiresUserVerification, userHandle: purpose.userHandle
            ) { spent ?? SpentChallenge(digest: $0, expiresAt: now) }
            let use = try AuthenticationCeremony(expectation).verify(answer, by: own.map { StoredPasskey($0) })
            guard let own, !own.owner.user.isDisabled else { throw PasskeyRefusal.unknownCredential }
            guard spent != nil else { throw PasskeyRefusal.challenge }
            return try await spend(use, of: own, at: now, by: caller) ? own : nil
        } catch let refusal as PasskeyRefusal {
            refusal.log()
            return nil
        }
    }

    private func spend(_ use: PasskeyUse, of own: OwnedPasskey, at now: Date, by caller: Caller) async throws -> Bool {
        let event: AuthEvent? =
            if case .wentBack(let from, let to) = use.counter {
                .passkeyCounterWentBack(own.passkey, from: from, to: to).by(caller, at: now)
            } else {
                nil
            }
        do {
            let isUsed = try await storage.usePasskey(
                id: own.passkey.id, signCount: use.signCount, isBackedUp: use.isBackedUp,
                isUserVerified: use.isUserVerified, spending: use.spent, at: now, recording: event)
            if isUsed { event?.record() }
            return isUsed
        } catch let error as AuthError where error.code == .challengeInvalid {
            throw PasskeyRefusal.challenge
        }
    }
}

extension StoredPasskey {
    init(_ own: OwnedPasskey) {
        let passkey = own.passkey
        self.init(
            credentialID: passkey.credentialID, publicKey: passkey.publicKey, userHandle: own.userHandle,
            signCount: passkey.signCount, isBackupEligible: passkey.isBackupEligible, isBackedUp: passkey.isBackedUp,
            isVerificationInitialized: passkey.isUserVerified)
    }
}

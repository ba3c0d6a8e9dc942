import Foundation

/// Registers users of the public, where the rules allow it, and manages invitations.
///
/// An operator, and code of yours with rules of its own, registers users by
/// ``Users/register(_:password:by:)``, whatever the mode is.
public final class Registration: Sendable {
    /// The rule for who may register.
    public let mode: RegistrationMode
    let storage: any Storage
    let passwords: Passwords
    let throttle: Throttle
    let now: @Sendable () -> Date
    private let names: NewNames
    /// The challenges that a registration has to solve; `nil` when none is required.
    private let challenges: RegistrationChallenges?

    init(
        storage: any Storage, passwords: Passwords, throttle: Throttle, secrets: InstanceSecrets,
        configuration: AuthConfiguration
    ) {
        self.storage = storage
        self.passwords = passwords
        self.throttle = throttle
        mode = configuration.registration
        now = configuration.now
        names = NewNames(refusingAddresses: configuration.signInByEmail)
        // No challenges where nobody may register.
        challenges =
            mode == .closed
            ? nil : configuration.registrationChallenge.map { RegistrationChallenges(difficulty: $0, secrets: secrets) }
    }

    // MARK: Registering

    /// Registers a user, if the mode allows it and `proof` has what the configuration requires.
    ///
    /// Checked, cheapest first: the mode, the name (``Username``), the password against the policy,
    /// the proof, and the number of registrations from the caller's network. Then the password is
    /// hashed. In one transaction the user is stored as by ``Users/register(_:password:by:)``, the
    /// invitation and the challenge are used up, and the network becomes one that the user is known
    /// in. A registration that is refused for any reason uses up neither.
    /// - Throws: `signup_disabled`, `validation_failed`, `weak_password`, `invitation_required`,
    ///   `invitation_invalid`, `challenge_required`, `challenge_invalid`, `rate_limited`,
    ///   `user_already_exists`, `name_reserved`, `overloaded`.
    public func register(
        _ username: String, password: String, proof: RegistrationProof = .init(), by caller: Caller = .application
    ) async throws -> User {
        try refuseWhenClosed()
        let name = try names.username(username)
        let password = try Password(password)
        // Checked again when it is hashed; checked here too, so that a refused password is reported
        // before the caller solves a challenge.
        try passwords.check(password, for: name)
        do {
            let permit = try await self.permit(for: proof)
            try await throttle.countRegistration(by: caller)
            let hash = try await passwords.hash(password, for: name, from: caller.network)
            let now = now()
            let event = AuthEvent.registered(invitation: permit.invitation).by(caller, at: now)
            let user = try await storage.insertUser(
                name, passwordHash: hash, at: now, using: permit, from: throttle.isOn ? caller.network : nil,
                recording: event)
            throttle.forgetUncounted(of: name, id: user.id)
            event.of(user.id).record()
            if let id = permit.invitation { AuthEvent.invitationUsed(id: id, userID: user.id).record() }
            return user
        } catch {
            if let error = error as? AuthError, Self.refusals.contains(error.code) {
                AuthEvent.registrationRefused(error.code).record()
            }
            throw error
        }
    }

    private static let refusals: Set<AuthError.Code> = [
        .invitationRequired, .invitationInvalid, .challengeRequired, .challengeInvalid,
    ]

    /// Refuses when the mode is `closed`, before anything of a request is read.
    /// - Throws: `signup_disabled`.
    package func refuseWhenClosed() throws(AuthError) {
        guard mode == .closed else { return }
        AuthEvent.registrationRefused(.signupDisabled).record()
        throw AuthError(.signupDisabled, "nobody can register here: ask whoever runs this server for an account")
    }

    /// Makes a challenge for a registration; `nil` when none is required or nobody may register.
    ///
    /// Nothing is stored. The challenge is valid on every node for 300 seconds, and for one user.
    public func challenge() -> RegistrationChallenge? {
        challenges?.next(at: now())
    }

    /// Checks the proof, so that no password is hashed in vain. Only the insertion of the user
    /// decides whether the invitation and the challenge are still unused.
    private func permit(for proof: RegistrationProof) async throws -> RegistrationPermit {
        if mode == .invitation, proof.invitation == nil {
            throw AuthError(.invitationRequired, "who registers here needs an invitation", field: "invitation")
        }
        // The challenge is checked first, so that nobody can guess codes without solving one.
        let challenge = try await solvedChallenge(of: proof)
        guard mode == .invitation, let code = proof.invitation else { return RegistrationPermit(challenge: challenge) }
        // The same query for a code that never existed, was used or has expired.
        let invitation = try await storage.invitation(codeDigest: InvitationCode.digest(of: code))
        guard let invitation, invitation.expiresAt > now() else { throw AuthError.invitationInvalid }
        return RegistrationPermit(invitation: invitation.id, challenge: challenge)
    }

    private func solvedChallenge(of proof: RegistrationProof) async throws -> SpentChallenge? {
        guard let challenges else { return nil }
        guard let challenge = proof.challenge, let nonce = proof.nonce else {
            throw AuthError(
                .challengeRequired, "who registers here has to solve a challenge and send challenge and nonce",
                field: "challenge")
        }
        guard let solved = challenges.solved(challenge, nonce: nonce, at: now()),
            try await !storage.isChallengeSpent(digest: solved.digest)
        else { throw AuthError.challengeInvalid }
        return solved
    }

    // MARK: Invitations

    /// Longest duration of an invitation: 366 days, in seconds.
    public static let longestInvitation = 366 * 86400
    private static let longestNote = 200

    /// Makes an invitation for one user, whatever the mode is. Stored: SHA-256 of the code, and the
    /// note.
    /// - Parameters:
    ///   - note: a note for whom it is, of at most 200 characters; may be empty.
    ///   - duration: the seconds for which it is valid, 1 to ``longestInvitation``.
    ///   - caller: the caller that makes it, for the event.
    /// - Throws: `validation_failed` for a note that is too long or has a control character, and
    ///   for a duration out of range.
    public func invite(
        note: String = "", duration: Int = 7 * 86400, by caller: Caller = .application
    ) async throws -> (invitation: Invitation, code: InvitationCode) {
        guard note.unicodeScalars.count <= Self.longestNote,
            !note.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw AuthError(
                .validationFailed, "a note has at most \(Self.longestNote) characters, and no control characters",
                field: "note")
        }
        guard (1...Self.longestInvitation).contains(duration) else {
            throw AuthError(.validationFailed, "an invitation is good for 1 second to 366 days", field: "duration")
        }
        let (code, now) = (InvitationCode(), now())
        let invitation = Invitation(
            id: InvitationCode.random(12).lowercased(), note: note, createdAt: now,
            expiresAt: now.addingTimeInterval(TimeInterval(duration)))
        let event = AuthEvent.invitationCreated(id: invitation.id).by(caller, at: now)
        try await storage.insertInvitation(
            invitation, codeDigest: InvitationCode.digest(of: code.value), recording: event)
        event.record()
        return (invitation, code)
    }

    /// Lists the valid invitations in the order of their creation.
    public func invitations() async throws -> [Invitation] {
        let now = now()
        return try await storage.invitations().filter { $0.expiresAt > now }
    }

    /// Finds a valid invitation.
    /// - Throws: `invitation_not_found`, also for one that was used or has expired.
    public func invitation(_ id: Invitation.ID) async throws -> Invitation {
        guard let invitation = try await invitations().first(where: { $0.id.utf8.elementsEqual(id.utf8) }) else {
            throw Self.invitationNotFound(id)
        }
        return invitation
    }

    /// Deletes an invitation.
    /// - Throws: `invitation_not_found`, also for one that was used.
    public func deleteInvitation(_ id: Invitation.ID, by caller: Caller = .application) async throws {
        let event = AuthEvent.invitationDeleted(id: id).by(caller, at: now())
        guard try await storage.deleteInvitation(id: id, recording: event) else {
            throw Self.invitationNotFound(id)
        }
        event.record()
    }

    private static func invitationNotFound(_ id: Invitation.ID) -> AuthError {
        AuthError(.invitationNotFound, "there is no invitation \(id)")
    }
}

/// The proof that a registration has to bring, beside name and password, as ``Registration/mode``
/// and ``AuthConfiguration/registrationChallenge`` require. Parts that are not required are
/// ignored.
public struct RegistrationProof: Sendable {
    /// The code of an invitation, as typed: case, hyphens and blanks do not matter.
    public var invitation: String?
    /// The ``RegistrationChallenge/value`` of a challenge.
    public var challenge: String?
    /// The solution of the challenge: a decimal number of at most 20 digits.
    public var nonce: String?

    public init(invitation: String? = nil, challenge: String? = nil, nonce: String? = nil) {
        self.invitation = invitation
        self.challenge = challenge
        self.nonce = nonce
    }
}

extension RegistrationProof: Redacted {}

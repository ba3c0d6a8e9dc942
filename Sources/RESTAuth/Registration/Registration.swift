import Foundation

/// The door to registration as the public has it: register where the rules allow it, and look after
/// invitations.
///
/// An operator, and code of yours that has rules of its own, registers users by
/// ``Users/register(_:password:by:)``, whatever the mode is.
public final class Registration: Sendable {
    /// Who may register here.
    public let mode: RegistrationMode
    let storage: any Storage
    let passwords: Passwords
    let throttle: Throttle
    let now: @Sendable () -> Date
    /// `nil` when no work is asked for.
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
        // Where nobody may register, nobody is put to work.
        challenges =
            mode == .closed
            ? nil : configuration.registrationChallenge.map { RegistrationChallenges(difficulty: $0, secrets: secrets) }
    }

    // MARK: Registering

    /// Registers a user, where the mode allows it and `proof` has what is asked for.
    ///
    /// Checked, cheapest first: the mode, the name (``Username``), the password against the policy,
    /// the proof, and how many have come from the network of the caller. Then the password is
    /// hashed. Stored, in one transaction: the user as by ``Users/register(_:password:by:)``, that
    /// the invitation is used, that the challenge is spent, and that the user is known in that
    /// network. A registration that is refused for whatever reason uses neither up.
    /// - Throws: `signup_disabled`, `validation_failed`, `weak_password`, `invitation_required`,
    ///   `invitation_invalid`, `challenge_required`, `challenge_invalid`, `rate_limited`,
    ///   `user_already_exists`, `overloaded`.
    public func register(
        _ username: String, password: String, proof: RegistrationProof = .init(), by caller: Caller = .application
    ) async throws -> User {
        try refuseWhenClosed()
        let name = try Username(username)
        let password = try Password(password)
        // Again with the hash: here so that a password that will not do is told before anyone is
        // put to work.
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

    /// Before anything of a request is read.
    /// - Throws: `signup_disabled`.
    package func refuseWhenClosed() throws(AuthError) {
        guard mode == .closed else { return }
        AuthEvent.registrationRefused(.signupDisabled).record()
        throw AuthError(.signupDisabled, "nobody can register here: ask whoever runs this server for an account")
    }

    /// Work for who wants to register; `nil` when none is asked for, and where nobody may register.
    ///
    /// Nothing is stored. It is good on every node for 300 seconds, and for one user.
    public func challenge() -> RegistrationChallenge? {
        challenges?.next(at: now())
    }

    /// What the proof is good for. Looking is a courtesy, so that no hash is computed in vain: the
    /// insertion decides.
    private func permit(for proof: RegistrationProof) async throws -> RegistrationPermit {
        if mode == .invitation, proof.invitation == nil {
            throw AuthError(.invitationRequired, "who registers here needs an invitation", field: "invitation")
        }
        // First, so that codes are not tried without work.
        let challenge = try await solvedChallenge(of: proof)
        guard mode == .invitation, let code = proof.invitation else { return RegistrationPermit(challenge: challenge) }
        // The same look for one that never was, that was used and that has expired.
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

    /// A year, in seconds.
    public static let longestInvitation = 366 * 86400
    private static let longestNote = 200

    /// Makes an invitation for one user, whatever the mode is. Stored: SHA-256 of the code, and the
    /// note.
    /// - Parameters:
    ///   - note: for whom it is, at most 200 characters, or nothing.
    ///   - duration: how long it is good for, in seconds, 1 to ``longestInvitation``.
    ///   - caller: who makes it, for the event.
    /// - Throws: `validation_failed` for a note that is too long or has a control character, and
    ///   for another duration.
    public func invite(
        note: String = "", duration: Int = 7 * 86400, by caller: Caller = .application
    ) async throws -> (invitation: Invitation, code: InvitationCode) {
        guard note.unicodeScalars.count <= Self.longestNote,
            !note.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw AuthError(
                .validationFailed, "a note has at most \(Self.longestNote) characters, and none that control",
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

    /// The invitations that are still good, in the order of their creation.
    public func invitations() async throws -> [Invitation] {
        let now = now()
        return try await storage.invitations().filter { $0.expiresAt > now }
    }

    /// Takes an invitation back.
    /// - Throws: `invitation_not_found`, also for one that was used.
    public func deleteInvitation(_ id: Invitation.ID, by caller: Caller = .application) async throws {
        let event = AuthEvent.invitationDeleted(id: id).by(caller, at: now())
        guard try await storage.deleteInvitation(id: id, recording: event) else {
            throw AuthError(.invitationNotFound, "there is no invitation \(id)")
        }
        event.record()
    }
}

/// What somebody brings who registers, beside name and password: what ``Registration/mode`` and
/// ``AuthConfiguration/registrationChallenge`` ask for. What is not asked for is not looked at.
public struct RegistrationProof: Sendable {
    /// The code of an invitation, as it was typed: case, hyphens and blanks do not count.
    public var invitation: String?
    /// A ``RegistrationChallenge/value``.
    public var challenge: String?
    /// What solves it: a decimal number of at most 20 digits.
    public var nonce: String?

    public init(invitation: String? = nil, challenge: String? = nil, nonce: String? = nil) {
        self.invitation = invitation
        self.challenge = challenge
        self.nonce = nonce
    }
}

extension RegistrationProof: Redacted {}

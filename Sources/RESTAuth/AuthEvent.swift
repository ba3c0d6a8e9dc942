import Logging
import Metrics

/// Something that happened to a user or an account, worth an audit line and a count.
///
/// An event never carries a secret. The log line takes its request id and address from the task's
/// current logger.
public enum AuthEvent: Sendable {
    case registered(userID: User.ID)
    /// Somebody could not register for want of an invitation or a solved challenge, or because
    /// nobody can.
    case registrationRefused(AuthError.Code)
    case invitationCreated(id: Invitation.ID)
    case invitationUsed(id: Invitation.ID, userID: User.ID)
    /// An operator took it back.
    case invitationDeleted(id: Invitation.ID)
    case loginSucceeded(userID: User.ID)
    /// `username` is the canonical one of a user; `nil` when nobody has what was typed, which may
    /// be a password in the wrong field.
    case loginFailed(username: String?)
    case tokenIssued(userID: User.ID)
    case passwordSet(userID: User.ID)
    case sessionStarted(userID: User.ID, Session.ID)
    /// A session was ended before its time.
    case sessionEnded(Session.ID)
    /// A refresh token was traded once more, before a successor of it was used: an answer was lost,
    /// two asked at once, or someone has a copy.
    case refreshTokenRepeated(userID: User.ID, Session.ID)
    /// A refresh token was refused because it had been traded too often.
    case refreshTokenExhausted(userID: User.ID, Session.ID)
    /// A refresh token came back although a token in its place had been used: one of them was
    /// stolen.
    case refreshTokenReused(userID: User.ID, Session.ID)
    case roleGranted(String, userID: User.ID)
    case roleRevoked(String, userID: User.ID)
    case clientAdded(id: String)
    case clientRemoved(id: String)
    /// A caller's client credential was refused. `id` is that of a client; `nil` when none has what
    /// was sent, which may be a secret in the wrong field.
    case clientRefused(id: String?)
    case signingKeyMade(id: String)
    /// A key was taken away before its time, and all its tokens with it.
    case signingKeyRevoked(id: String)
    /// This process makes everything new with another secret.
    case secretRotated(SecretID, previous: SecretID)
    /// This process does not accept a secret any more.
    case secretDropped(SecretID)
    case userDisabled(userID: User.ID)
    case userEnabled(userID: User.ID)
    case userDeleted(userID: User.ID)
    case hashingOverloaded
    /// A stored hash of another kind, or of less than today's cost, was replaced by one of the same
    /// password.
    case passwordUpgraded(userID: User.ID, from: String)
    /// A guess had to wait. `policy` says which kind of counter was in its way, `network` which one
    /// where it is counted by network; `username` is as with a failed one.
    case loginThrottled(username: String?, network: ClientNetwork?, policy: String)
    /// Wrong passwords for many accounts from one network, or from many networks for one account,
    /// whose name is told when a user has it.
    case credentialStuffing(ThrottleSubject, isUser: Bool)
    case registrationThrottled(network: String)
    /// A right password started no session, because the user has started too many, or the users of
    /// that network have.
    case sessionThrottled(userID: User.ID, network: ClientNetwork?)
    case throttleCleared(ThrottleSubject)

    /// Writes the audit line and counts the event.
    func record() {
        let (name, metadata) = facts
        Logger.current.log(level: level, "\(name)", metadata: metadata)
        Counter(label: "rest_auth_events_total", dimensions: [("event", name)]).increment()
    }

    private var level: Logger.Level {
        switch self {
        case .registrationRefused, .loginFailed, .clientRefused, .signingKeyRevoked, .secretRotated,
            .secretDropped, .hashingOverloaded,
            .loginThrottled,
            .registrationThrottled, .sessionThrottled, .refreshTokenRepeated:
            .notice
        case .refreshTokenReused, .refreshTokenExhausted, .credentialStuffing: .warning
        default: .info
        }
    }

    private var facts: (name: String, metadata: Logger.Metadata) {
        switch self {
        case .registered(let id): ("registered", Self.user(id))
        case .registrationRefused(let code): ("registration_refused", ["reason": .string(code.rawValue)])
        case .invitationCreated(let id): ("invitation_created", Self.invitation(id))
        case .invitationUsed(let id, let user): ("invitation_used", Self.invitation(id).merging(Self.user(user)) { $1 })
        case .invitationDeleted(let id): ("invitation_deleted", Self.invitation(id))
        case .loginSucceeded(let id): ("login_succeeded", Self.user(id))
        case .loginFailed(let username): ("login_failed", username.map { ["username": .string($0)] } ?? [:])
        case .tokenIssued(let id): ("token_issued", Self.user(id))
        case .passwordSet(let id): ("password_set", Self.user(id))
        case .sessionStarted(let id, let session):
            ("session_started", Self.user(id).merging(Self.session(session)) { $1 })
        case .sessionEnded(let session): ("session_ended", Self.session(session))
        case .refreshTokenRepeated(let id, let session):
            ("refresh_token_repeated", Self.user(id).merging(Self.session(session)) { $1 })
        case .refreshTokenExhausted(let id, let session):
            ("refresh_token_exhausted", Self.user(id).merging(Self.session(session)) { $1 })
        case .refreshTokenReused(let id, let session):
            ("refresh_token_reused", Self.user(id).merging(Self.session(session)) { $1 })
        case .roleGranted(let role, let id): ("role_granted", Self.user(id).merging(["role": .string(role)]) { $1 })
        case .roleRevoked(let role, let id): ("role_revoked", Self.user(id).merging(["role": .string(role)]) { $1 })
        case .clientAdded(let id): ("client_added", ["client_id": .string(id)])
        case .clientRemoved(let id): ("client_removed", ["client_id": .string(id)])
        case .clientRefused(let id): ("client_refused", id.map { ["client_id": .string($0)] } ?? [:])
        case .signingKeyRevoked(let id): ("signing_key_revoked", ["kid": .string(id)])
        case .signingKeyMade(let id): ("signing_key_made", ["kid": .string(id)])
        case .secretRotated(let id, let previous):
            (
                "secret_rotated",
                ["secret_id": .stringConvertible(id), "previous_secret_id": .stringConvertible(previous)]
            )
        case .secretDropped(let id): ("secret_dropped", ["secret_id": .stringConvertible(id)])
        case .userDisabled(let id): ("user_disabled", Self.user(id))
        case .userEnabled(let id): ("user_enabled", Self.user(id))
        case .userDeleted(let id): ("user_deleted", Self.user(id))
        case .hashingOverloaded: ("hashing_overloaded", [:])
        case .passwordUpgraded(let id, let scheme):
            ("password_upgraded", Self.user(id).merging(["from": .string(scheme)]) { $1 })
        case .loginThrottled(let username, let network, let policy):
            ("login_throttled", ["policy": .string(policy)].merging(Self.parts(username, network)) { $1 })
        case .credentialStuffing(let subject, let isUser):
            ("credential_stuffing", Self.parts(isUser ? subject.username : nil, subject.network))
        case .registrationThrottled(let network): ("registration_throttled", ["network": .string(network)])
        case .sessionThrottled(let id, let network):
            ("session_throttled", Self.user(id).merging(Self.parts(nil, network)) { $1 })
        case .throttleCleared(let subject):
            (
                "throttle_cleared",
                ["kind": .string(subject.kind.rawValue)].merging(Self.parts(subject.username, subject.network)) { $1 }
                    .merging(subject.userID.map(Self.user) ?? [:]) { $1 }
            )
        }
    }

    private static func parts(_ username: String?, _ network: ClientNetwork?) -> Logger.Metadata {
        (username.map { ["username": .string($0)] } ?? [:])
            .merging(network.map { ["network": .stringConvertible($0)] } ?? [:]) { $1 }
    }

    private static func invitation(_ id: Invitation.ID) -> Logger.Metadata { ["invitation_id": .string(id)] }

    private static func session(_ id: Session.ID) -> Logger.Metadata { ["session_id": .stringConvertible(id)] }

    private static func user(_ id: User.ID) -> Logger.Metadata { ["user_id": .stringConvertible(id)] }
}

import Logging
import Metrics

/// Something that happened to a user or an account, worth an audit line and a count.
///
/// An event never carries a secret. The log line takes its request id and address from the task's current logger.
public enum AuthEvent: Sendable {
    case registered(userID: User.ID)
    case loginSucceeded(userID: User.ID)
    /// `username` is what was typed, escaped by the log's own format; `nil` when it could not be a name at all.
    case loginFailed(username: String?)
    case tokenIssued(userID: User.ID)
    case passwordSet(userID: User.ID)
    case userDisabled(userID: User.ID)
    case userEnabled(userID: User.ID)
    case userDeleted(userID: User.ID)
    case hashingOverloaded

    /// Writes the audit line and counts the event.
    func record() {
        let (name, metadata) = facts
        Logger.current.log(level: level, "\(name)", metadata: metadata)
        Counter(label: "rest_auth_events_total", dimensions: [("event", name)]).increment()
    }

    private var level: Logger.Level {
        switch self {
        case .loginFailed, .hashingOverloaded: .notice
        default: .info
        }
    }

    private var facts: (name: String, metadata: Logger.Metadata) {
        switch self {
        case .registered(let id): ("registered", Self.user(id))
        case .loginSucceeded(let id): ("login_succeeded", Self.user(id))
        case .loginFailed(let username): ("login_failed", username.map { ["username": .string($0)] } ?? [:])
        case .tokenIssued(let id): ("token_issued", Self.user(id))
        case .passwordSet(let id): ("password_set", Self.user(id))
        case .userDisabled(let id): ("user_disabled", Self.user(id))
        case .userEnabled(let id): ("user_enabled", Self.user(id))
        case .userDeleted(let id): ("user_deleted", Self.user(id))
        case .hashingOverloaded: ("hashing_overloaded", [:])
        }
    }

    private static func user(_ id: User.ID) -> Logger.Metadata { ["user_id": .stringConvertible(id)] }
}

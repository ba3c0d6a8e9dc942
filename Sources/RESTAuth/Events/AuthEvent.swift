public import Foundation

/// Something that happened to a user, a session, or what the instance runs by.
///
/// It never carries a secret. Who tells what happened says what it was; ``by(_:at:)`` adds who did
/// it and when.
public struct AuthEvent: Sendable, Hashable {
    /// What happened.
    public let name: Name
    /// Whose account it happened to; `nil` where it is nobody's.
    public private(set) var userID: User.ID?
    /// The session that it happened to.
    public private(set) var sessionID: Session.ID?
    /// What else there is to know, by names that the page *Events* lists.
    public private(set) var details: [String: String]
    /// Who did it.
    public private(set) var actor: Actor = .application
    /// What the log calls the request in which it happened.
    public private(set) var requestID: String?
    /// From where it was done.
    public private(set) var origin = SessionOrigin()
    /// When it happened.
    public private(set) var at = Date(timeIntervalSince1970: 0)

    package init(
        _ name: Name, user: User.ID? = nil, session: Session.ID? = nil, _ details: [String: String?] = [:]
    ) {
        self.name = name
        userID = user
        sessionID = session
        self.details = details.compactMapValues(\.self)
    }

    /// The same, done by `caller`.
    public func by(_ caller: Caller, at date: Date) -> AuthEvent {
        var event = self
        event.actor = Actor(caller)
        event.requestID = caller.requestID
        event.origin = caller.origin
        event.at = Date(timeIntervalSince1970: (date.timeIntervalSince1970 * 1e6).rounded() / 1e6)
        return event
    }

    /// The same, of a user whose number was not known before, as one who registers.
    public func of(_ user: User.ID) -> AuthEvent {
        var event = self
        event.userID = user
        return event
    }

    /// The same, of so many users, as an import: `users` in its details.
    public func counting(users count: Int) -> AuthEvent {
        var event = self
        event.details["users"] = String(count)
        return event
    }

    /// What happened with it: by the same actor, in the same request, at the same time.
    private func alongside(
        _ name: Name, user: User.ID?, session: Session.ID?, _ details: [String: String?] = [:]
    ) -> AuthEvent {
        var event = AuthEvent(name, user: user, session: session, details)
        (event.actor, event.requestID, event.origin, event.at) = (actor, requestID, origin, at)
        return event
    }

    /// The session that began with it.
    public func starting(_ session: Session) -> AuthEvent {
        alongside(.sessionStarted, user: session.userID, session: session.id)
    }

    /// The end of a session that it caused, or that it is.
    /// - Parameters:
    ///   - session: `nil` for a row that takes it from the session's.
    ///   - user: whose session it is; `nil` where that is not known.
    public func ending(_ session: Session.ID?, of user: User.ID?) -> AuthEvent {
        alongside(.sessionEnded, user: user, session: session, name == .sessionEnded ? [:] : ["cause": name.rawValue])
    }

    /// Who did what happened.
    public enum Actor: Sendable, Hashable {
        /// Somebody who did not prove who it is.
        case anonymous
        case user(User.ID)
        /// By its `client_id`.
        case client(String)
        /// By the account of the operating system.
        case `operator`(String)
        /// The instance by itself, or the code that embeds it.
        case application

        init(_ caller: Caller) {
            self =
                switch caller.identity {
                case .user(let user): .user(user.userID)
                case .client(let client): .client(client.id)
                case .operator(let account): .operator(account.account)
                case nil: caller == .application ? .application : .anonymous
                }
        }
    }
}

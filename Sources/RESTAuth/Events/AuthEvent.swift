public import Foundation

/// Something that happened to a user, a session, or the instance itself.
///
/// An event never contains a secret. Code that reports an event says what happened; ``by(_:at:)``
/// adds who did it and when.
public struct AuthEvent: Sendable, Hashable {
    /// Name of what happened.
    public let name: Name
    /// The user whose account the event is about; `nil` where there is none.
    public private(set) var userID: User.ID?
    /// The session that the event is about.
    public private(set) var sessionID: Session.ID?
    /// Further details, under names that the page *Events* lists.
    public private(set) var details: [String: String]
    /// The actor that did it.
    public private(set) var actor: Actor = .application
    /// The id by which the log knows the request.
    public private(set) var requestID: String?
    /// Address and user agent of the request.
    public private(set) var origin = SessionOrigin()
    /// The time at which it happened.
    public private(set) var at = Date(timeIntervalSince1970: 0)

    package init(
        _ name: Name, user: User.ID? = nil, session: Session.ID? = nil, _ details: [String: String?] = [:]
    ) {
        self.name = name
        userID = user
        sessionID = session
        self.details = details.compactMapValues(\.self)
    }

    /// The same event, done by `caller`.
    public func by(_ caller: Caller, at date: Date) -> AuthEvent {
        var event = self
        event.actor = Actor(caller)
        event.details[Self.byToken] = caller.identity?.programToken?.description
        event.requestID = caller.requestID
        event.origin = caller.origin
        event.at = Date(timeIntervalSince1970: (date.timeIntervalSince1970 * 1e6).rounded() / 1e6)
        return event
    }

    /// The same event, about a user whose id was not known before, such as one who registers.
    public func of(_ user: User.ID) -> AuthEvent {
        var event = self
        event.userID = user
        return event
    }

    /// The same event with the number of users that it is about, stored as `users` in its details.
    public func counting(users count: Int) -> AuthEvent {
        var event = self
        event.details["users"] = String(count)
        return event
    }

    /// Another event by the same actor, in the same request, at the same time.
    private func alongside(
        _ name: Name, user: User.ID?, session: Session.ID?, _ details: [String: String?] = [:]
    ) -> AuthEvent {
        var event = AuthEvent(name, user: user, session: session, details)
        (event.actor, event.requestID, event.origin, event.at) = (actor, requestID, origin, at)
        event.details[Self.byToken] = self.details[Self.byToken]
        return event
    }

    /// The event of a session that started with this one.
    public func starting(_ session: Session) -> AuthEvent {
        alongside(
            .sessionStarted, user: session.userID, session: session.id,
            Self.details(of: session.authentication.methods))
    }

    /// The event of a session that ended because of this one, or with it when this one is the end
    /// of a session.
    /// - Parameters:
    ///   - session: `nil` when the storage takes it from the session's row.
    ///   - user: the owner of the session; `nil` where that is not known.
    public func ending(_ session: Session.ID?, of user: User.ID?) -> AuthEvent {
        alongside(.sessionEnded, user: user, session: session, name == .sessionEnded ? [:] : ["cause": name.rawValue])
    }

    /// The event of a role that the user of this one begins with.
    public func granting(_ role: String) -> AuthEvent {
        alongside(.roleGranted, user: userID, session: nil, ["role": role])
    }

    /// The detail with the id of the token for programs by which the actor came.
    private static let byToken = "by_token"

    /// The actor of an event.
    public enum Actor: Sendable, Hashable {
        /// A caller that has not authenticated.
        case anonymous
        case user(User.ID)
        /// A client, by its `client_id`.
        case client(String)
        case service(ServiceAccount.ID)
        /// An operator, by the account of the operating system.
        case `operator`(String)
        /// The instance itself, or the code that embeds it.
        case application

        init(_ caller: Caller) {
            self =
                switch caller.identity {
                case .user(let user): .user(user.userID)
                case .client(let client): .client(client.id)
                case .service(let service): .service(service.id)
                case .operator(let account): .operator(account.account)
                case nil: caller == .application ? .application : .anonymous
                }
        }
    }
}

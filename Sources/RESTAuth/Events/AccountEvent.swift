public import Foundation

/// An event of an account in the form that its owner may see: it tells nothing about other users,
/// and of an operator or a client only that it was one.
public struct AccountEvent: Sendable, Hashable, Identifiable {
    /// Id of the event's row. Rows recorded later have greater ids.
    public let id: Int64
    public let name: AuthEvent.Name
    public let at: Date
    /// The kind of actor: `user` for the owner, `other_user` for another user, `client`,
    /// `service`, `operator`, `application` or `anonymous`.
    public let actor: String
    /// Address and user agent, if the actor is the owner or anonymous; empty for any other actor,
    /// and for guesses, which may come from another user.
    public let origin: SessionOrigin
    /// The session that the event is about.
    public let sessionID: Session.ID?
    public let details: [String: String]

    /// `nil` for an event that is not shown to the owner.
    init?(_ row: StoredEvent, shownTo owner: User.ID) {
        guard let name = AuthEvent.Name(rawValue: row.fields.name),
            case .yes(let shown, let hasOrigin) = name.shownToOwner
        else { return nil }
        let (kind, actorID) = row.fields.actor
        let isUser = kind == AuthEvent.Actor.user(owner).kind
        let isOwner = isUser && actorID == AuthEvent.Actor.user(owner).id
        id = row.id
        self.name = name
        at = row.fields.at
        actor = isUser && !isOwner ? "other_user" : kind
        origin =
            hasOrigin && (isOwner || kind == AuthEvent.Actor.anonymous.kind)
            ? SessionOrigin(address: row.fields.address, userAgent: row.fields.userAgent) : SessionOrigin()
        sessionID = row.fields.sessionID
        let given = JSON(row.fields.details.utf8)
        details = shown.reduce(into: [:]) { details, name in details[name] = given?[name]?.string }
    }
}

extension AuthEvent.Name {
    fileprivate static let allShownToOwner = Set(allCases.filter { $0.shownToOwner != .no })
}

extension AuditTrail {
    /// Returns at most `limit` events of the account, the newest first, older than `id` when one is
    /// given.
    public func events(of user: User.ID, before id: Int64?, limit: Int) async throws -> [AccountEvent] {
        var query = EventQuery()
        query.userID = user
        query.names = AuthEvent.Name.allShownToOwner
        query.order = .newestFirst(before: id)
        return try await storage.events(matching: query, limit: limit).compactMap { AccountEvent($0, shownTo: user) }
    }
}

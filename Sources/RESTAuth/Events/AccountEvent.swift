public import Foundation

/// An event of an account in the form that its owner may see: it tells nothing about other users,
/// and of an operator only that it was one.
public struct AccountEvent: Sendable, Hashable, Identifiable {
    /// Id of the event's row. Rows recorded later have greater ids.
    public let id: Int64
    public let name: AuthEvent.Name
    public let at: Date
    /// The kind of actor: `user`, `client`, `operator`, `application` or `anonymous`.
    public let actor: String
    /// Address and user agent of the actor; empty where they are unknown, or may be those of
    /// somebody else than the owner.
    public let origin: SessionOrigin
    /// The session that the event is about.
    public let sessionID: Session.ID?
    public let details: [String: String]

    /// `nil` for an event that is not shown to the owner.
    init?(_ row: StoredEvent) {
        guard let name = AuthEvent.Name(rawValue: row.fields.name), let shown = name.shownToOwner else { return nil }
        id = row.id
        self.name = name
        at = row.fields.at
        actor = row.fields.actorKind
        origin =
            shown.origin
            ? SessionOrigin(address: row.fields.address, userAgent: row.fields.userAgent) : SessionOrigin()
        sessionID = row.fields.sessionID
        let given = JSON(row.fields.details.utf8)
        details = shown.details.reduce(into: [:]) { details, name in details[name] = given?[name]?.string }
    }
}

extension AuthEvent.Name {
    /// The parts of such an event that the owner of the account is shown; `nil` for none.
    fileprivate var shownToOwner: (origin: Bool, details: Set<String>)? {
        switch self {
        case .userRegistered, .userDisabled, .userEnabled, .sessionStarted, .refreshTokenRepeated,
            .refreshTokenReused, .throttleCleared, .passwordChanged:
            (true, [])
        case .sessionEnded: (true, ["cause"])
        case .roleGranted, .roleRevoked: (true, ["role"])
        // The guesses may come from another user.
        case .loginStuffed, .throttleReached: (false, [])
        default: nil
        }
    }

    fileprivate static let allShownToOwner = Set(allCases.filter { $0.shownToOwner != nil })
}

extension AuditTrail {
    /// Returns at most `limit` events of the account, the newest first, older than `id` when one is
    /// given.
    public func events(of user: User.ID, before id: Int64?, limit: Int) async throws -> [AccountEvent] {
        var query = EventQuery()
        query.userID = user
        query.names = AuthEvent.Name.allShownToOwner
        query.order = .newestFirst(before: id)
        return try await storage.events(matching: query, limit: limit).compactMap(AccountEvent.init)
    }
}

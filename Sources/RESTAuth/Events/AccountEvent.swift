public import Foundation

/// What happened to an account, as its owner may know it: nothing of other users, and of an
/// operator only that it was one.
public struct AccountEvent: Sendable, Hashable, Identifiable {
    /// Of the event's row; the greater, the later it was recorded.
    public let id: Int64
    public let name: AuthEvent.Name
    public let at: Date
    /// Who did it: `user`, `client`, `operator`, `application` or `anonymous`.
    public let actor: String
    /// From where; `nil` where that is not known, or is nobody of the account.
    public let origin: SessionOrigin
    /// The session that it happened to.
    public let sessionID: Session.ID?
    public let details: [String: String]

    /// `nil` for what its owner need not know.
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
    /// What the owner of an account is shown of such an event; `nil` for nothing.
    fileprivate var shownToOwner: (origin: Bool, details: Set<String>)? {
        switch self {
        case .userRegistered, .userDisabled, .userEnabled, .sessionStarted, .refreshTokenRepeated,
            .refreshTokenReused, .throttleCleared, .passwordChanged:
            (true, [])
        case .sessionEnded: (true, ["cause"])
        case .roleGranted, .roleRevoked: (true, ["role"])
        // Whoever guesses may be another user.
        case .loginStuffed, .throttleReached: (false, [])
        default: nil
        }
    }

    fileprivate static let allShownToOwner = Set(allCases.filter { $0.shownToOwner != nil })
}

extension AuditTrail {
    /// At most `limit` events of the account, the newest first, older than `id` when one is given.
    public func events(of user: User.ID, before id: Int64?, limit: Int) async throws -> [AccountEvent] {
        var query = EventQuery()
        query.userID = user
        query.names = AuthEvent.Name.allShownToOwner
        query.order = .newestFirst(before: id)
        return try await storage.events(matching: query, limit: limit).compactMap(AccountEvent.init)
    }
}

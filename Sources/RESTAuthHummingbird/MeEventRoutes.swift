import Foundation
import Hummingbird
import RESTAuth

extension EventsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.account, MeEventRoutes(auth: auth).routes)]
    }
}

/// `GET /api/me/events`: the events of the user's own account.
struct MeEventRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        [
            Route(.get, "/api/me/events", .user(auth, scope: Scope.profile), "listEvents") { user, request in
                try await list(of: user, request)
            }
        ]
    }

    private func list(of identity: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let page = try Page(request.http) { WireText($0).decimalNumber }
        let events = try await auth.auditTrail.events(of: identity.userID, before: page.after, limit: page.limit)
        return page.answer(events.map(\.json), last: events.last?.id).notStored()
    }
}

extension AccountEvent {
    fileprivate var json: JSON {
        [
            "name": .string(name.rawValue), "at": .string(at.ISO8601Format()), "actor": .string(actor),
            "address": origin.address.map(JSON.string) ?? .null,
            "network": origin.address.flatMap(ClientNetwork.init).map { .string($0.description) } ?? .null,
            "user_agent": origin.userAgent.map(JSON.string) ?? .null,
            "session_id": sessionID.map { .string($0.description) } ?? .null,
            "details": .object(
                details.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                    .map { JSON.Member(name: $0.key, value: .string($0.value)) }),
        ]
    }
}

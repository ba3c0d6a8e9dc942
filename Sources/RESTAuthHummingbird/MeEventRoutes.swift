import Foundation
import Hummingbird
import RESTAuth

/// `GET /api/me/events`: what happened to the own account.
struct MeEventRoutes: Sendable {
    let auth: Auth

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource(
            "me/events",
            [.get: { request, context in try await list(request, auth.login.user(of: request, in: context)) }])
    }

    private func list(_ request: Request, _ identity: UserIdentity) async throws -> Response {
        let page = try Page(request) { WireText($0).decimalNumber }
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

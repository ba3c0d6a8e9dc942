import Foundation
import Hummingbird
import RESTAuth

extension AuditRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.operator, OperatorEventRoutes(auth: auth).routes)]
    }
}

/// `GET /api/operator/events` and `GET /api/operator/audit/head`: what `rest-auth audit list` and
/// `audit head` show.
struct OperatorEventRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        let reader = Access.operator(auth, changing: false)
        return [
            Route(.get, "/api/operator/events", reader, "listAllEvents") { _, request in try await list(request) },
            Route(.get, "/api/operator/audit/head", reader, "showAuditHead") { _, _ in try await showHead() },
        ]
    }

    private func list(_ request: RoutedRequest) async throws -> Response {
        let given = try Query(request.http, known: ["user", "id", "event", "since", "until", "after", "limit"])
        let page = try Page(given) { WireText($0).decimalNumber }
        var query = EventQuery()
        query.order = .newestFirst(before: page.after)
        query.userID = try await user(given)
        query.names = try Set(given.all("event").map { name throws(AuthError) in try Self.name(name) })
        query.since = try time("since", given)
        query.until = try time("until", given)
        let events = try await auth.auditTrail.events(matching: query, limit: page.limit)
        return page.answer(events.map(\.json), last: events.last?.id).notStored()
    }

    /// The id of the user whose events are asked for; `nil` for those of everybody.
    private func user(_ given: Query) async throws -> User.ID? {
        let (name, id) = (try given.value("user"), try given.value("id"))
        guard name == nil || id == nil else {
            throw AuthError(.validationFailed, "name one user, by user or by id", field: "id")
        }
        if let name { return try await auth.users.find(named: name).id }
        return try id.map { text throws(AuthError) in
            guard let id = WireText(text).decimalNumber else {
                throw AuthError(.validationFailed, "id must be the number of a user", field: "id")
            }
            return id
        }
    }

    private static func name(_ text: String) throws(AuthError) -> AuthEvent.Name {
        guard let name = AuthEvent.Name(rawValue: text) else {
            throw AuthError(.validationFailed, "there is no event of that name", field: "event")
        }
        return name
    }

    private func time(_ name: StaticString, _ given: Query) throws(AuthError) -> Date? {
        guard let text = try given.value(name) else { return nil }
        guard let date = EventQuery.time(text, at: auth.configuration.now()) else {
            throw AuthError(.validationFailed, "\(name) \(EventQuery.timeRule)", field: "\(name)")
        }
        return date
    }

    private func showHead() async throws -> Response {
        let head = try await auth.auditTrail.head()
        return Response.json([
            "head": head.map { .string($0.description) } ?? .null,
            "number": head.map { .integer(Int($0.link.number)) } ?? .null,
            "digest": head.map { .string($0.digest) } ?? .null,
            "sealed_at": head.map { .string(Timestamp.text($0.sealedAt)) } ?? .null,
        ]).notStored()
    }
}

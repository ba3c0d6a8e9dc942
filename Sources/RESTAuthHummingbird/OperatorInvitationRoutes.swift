import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// `/api/operator/invitations` and below: by each of them one user may register.
struct OperatorInvitationRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        let (path, changer) = ("/api/operator/invitations", Access.operator(auth, changing: true))
        return [
            Route(.get, path, .operator(auth, changing: false), "listInvitations") { _, request in
                let page = try Page(request.http) { $0 }
                return try page.answer(try await auth.registration.invitations(), key: \.id, \.json)
            },
            Route(.post, path, changer, "createInvitation") { _, request in try await create(request) },
            Route(.get, "\(path)/{id}", .operator(auth, changing: false), "showInvitation") { _, request in
                _ = try Query(request.http, known: [])
                return .json(try await auth.registration.invitation(request.segment("id")).json).notStored()
            },
            Route(.delete, "\(path)/{id}", changer, "deleteInvitation") { _, request in
                try await auth.registration.deleteInvitation(request.segment("id"), by: request.caller)
                return .empty()
            },
        ]
    }

    /// Seconds for which an invitation is valid, where the request does not say.
    private static let duration = 7 * 86400

    private func create(_ request: RoutedRequest) async throws -> Response {
        let fields = try await RequestBody(limit: configuration.bodyLimit).fieldsIfPresent(
            request.http, known: ["note", "expires_in"])
        return try await fields.named(in: request.http) {
            let location = try RequestOrigin(request.http, configuration: configuration)
            let duration = try fields.optionalInteger("expires_in", in: 1...Registration.longestInvitation)
            let (invitation, code) = try await auth.registration.invite(
                note: fields.optionalString("note") ?? "", duration: duration ?? Self.duration, by: request.caller)
            var response = Response.json(
                invitation.json.adding([("code", .string(code.value))]), status: .created
            ).notStored()
            response.headers[.location] = location.url(of: "\(request.http.uri.path.trimmingSlashes)/\(invitation.id)")
            return response
        }
    }
}

extension JSON {
    /// The object with more members at its end.
    fileprivate func adding(_ others: [(String, JSON)]) -> JSON {
        guard case .object(let members) = self else { return self }
        return .object(members + others.map(JSON.Member.init))
    }
}

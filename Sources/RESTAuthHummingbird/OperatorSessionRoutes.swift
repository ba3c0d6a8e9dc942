import Hummingbird
import RESTAuth

/// `DELETE /api/operator/sessions/{id}`: ends a session, whoever's it is.
struct OperatorSessionRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        [
            Route(
                .delete, "/api/operator/sessions/{id}", .operator(auth, changing: true), "endAnySession"
            ) { _, request in
                guard let id = try Session.ID(request.segment("id")) else {
                    throw AuthError(.sessionNotFound, "there is no such session")
                }
                try await auth.sessions.end(id, by: request.caller)
                return .empty()
            }
        ]
    }
}

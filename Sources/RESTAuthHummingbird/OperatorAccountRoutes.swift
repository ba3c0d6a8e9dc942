import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

/// What is below `/api/operator/users/{id}`: factors, passkeys, devices, tokens for programs,
/// sessions and events of a user.
struct OperatorAccountRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        [
            reading("/factors", "listUserFactors") { user, _ in
                let factors = try await auth.factors.list(of: user.id)
                return .json([
                    "factors": .array(factors.totp.map(\.json)), "recovery_codes_left": .integer(factors.recoveryCodes),
                ])
            },
            changing("/factors", "removeUserFactors") { user, request in
                try await auth.factors.removeAll(of: user.id, by: request.caller)
            },
            changing("/factors/{factor}", "removeUserFactor") { user, request in
                try await auth.factors.remove(request.segment("factor"), ofUser: user.id, by: request.caller)
            },
            reading("/passkeys", "listUserPasskeys") { user, _ in
                .json(["passkeys": .array(try await auth.passkeys.list(of: user.id).map(\.json))])
            },
            changing("/passkeys/{passkey}", "deleteUserPasskey") { user, request in
                try await auth.passkeys.delete(request.segment("passkey"), ofUser: user.id, by: request.caller)
            },
            reading("/devices", "listUserDevices") { user, _ in
                .json(["devices": .array(try await auth.trustedDevices.list(of: user.id).map(\.json))])
            },
            changing("/devices", "forgetUserDevices") { user, request in
                try await auth.trustedDevices.forget(nil, ofUser: user.id, by: request.caller)
            },
            changing("/devices/{device}", "forgetUserDevice") { user, request in
                try await auth.trustedDevices.forget(request.segment("device"), ofUser: user.id, by: request.caller)
            },
            reading("/tokens", "listUserTokens") { user, _ in
                ProgramTokenAnswers(auth: auth, configuration: configuration).list(
                    try await auth.personalTokens.list(of: user.id))
            },
            changing("/tokens", "deleteUserTokens") { user, request in
                try await auth.personalTokens.deleteAll(of: user.id, by: request.caller)
            },
            changing("/tokens/{token}", "deleteUserToken") { user, request in
                try await auth.personalTokens.delete(request.tokenID("token"), of: user.id, by: request.caller)
            },
            reading("/sessions", "listUserSessions", isPaged: true) { user, request in
                let page = try Page(request.http) { Session.ID($0) }
                let sessions = try await auth.sessions.list(of: user.id, after: page.after, limit: page.limit)
                return page.answer(sessions.map { $0.json(isCurrent: false) }, last: sessions.last?.id)
            },
            changing("/sessions", "endUserSessions") { user, request in
                try await auth.sessions.endAll(of: user.id, by: request.caller)
            },
            changing("/sessions/{session}", "endUserSession") { user, request in
                guard let id = try Session.ID(request.segment("session")) else {
                    throw AuthError(.sessionNotFound, "there is no such session")
                }
                try await auth.sessions.end(id, of: user.id, by: request.caller)
            },
            // Without a look for the user, whose events outlast the account.
            Route(.get, "/api/operator/users/{id}/events", .operator(auth, changing: false), "listUserEvents") {
                _, request in try await events(of: request.userID, request)
            },
        ]
    }

    private func reading(
        _ path: String, _ operationID: String, isPaged: Bool = false,
        handler: @escaping @Sendable (User, RoutedRequest) async throws -> Response
    ) -> Route {
        Route(.get, "/api/operator/users/{id}\(path)", .operator(auth, changing: false), operationID) { _, request in
            if !isPaged { _ = try Query(request.http, known: []) }
            return try await handler(auth.users.find(request.userID), request).notStored()
        }
    }

    private func changing(
        _ path: String, _ operationID: String,
        handler: @escaping @Sendable (User, RoutedRequest) async throws -> Void
    ) -> Route {
        Route(.delete, "/api/operator/users/{id}\(path)", .operator(auth, changing: true), operationID) { _, request in
            _ = try Query(request.http, known: [])
            try await handler(auth.users.find(request.userID), request)
            return .empty()
        }
    }

    private func events(of user: User.ID, _ request: RoutedRequest) async throws -> Response {
        let page = try Page(request.http) { WireText($0).decimalNumber }
        var query = EventQuery()
        query.userID = user
        query.order = .newestFirst(before: page.after)
        let events = try await auth.auditTrail.events(matching: query, limit: page.limit)
        return page.answer(events.map(\.json), last: events.last?.id).notStored()
    }
}

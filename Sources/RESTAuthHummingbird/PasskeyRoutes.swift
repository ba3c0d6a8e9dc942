import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

extension PasskeysRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        let routes = PasskeyRoutes(auth: auth, configuration: configuration)
        return [
            RouteGroup(.account, routes.ofAccount), RouteGroup(.sessions, routes.ofSessions),
            RouteGroup(.wellKnown, routes.wellKnown),
        ]
    }
}

/// `/api/me/passkeys`: the passkeys of a user. `POST /api/passkeys/options`: options for using one.
/// `GET /.well-known/webauthn`: the other sites that may use them.
struct PasskeyRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var ofAccount: [Route] {
        [
            Route(.post, "/api/me/passkeys/options", .user(auth, admittingEnrollment: true), "makePasskeyOptions") {
                user, _ in
                try await options(auth.passkeys.registrationOptions(for: user))
            },
            Route(.get, "/api/me/passkeys", .user(auth, admittingEnrollment: true), "listPasskeys") { user, _ in
                try await list(of: user)
            },
            Route(.post, "/api/me/passkeys", .user(auth, admittingEnrollment: true), "addPasskey") { user, request in
                try await add(of: user, request)
            },
            Route(.patch, "/api/me/passkeys/{id}", .user(auth), "renamePasskey") { user, request in
                try await rename(request.segment("id"), of: user, request)
            },
            Route(.delete, "/api/me/passkeys/{id}", .user(auth), "deletePasskey") { user, request in
                try await auth.passkeys.delete(request.segment("id"), of: user, by: request.caller)
                return try await accepted(of: user)
            },
        ]
    }

    /// Admits anyone: the ticket or the token is checked by the door.
    var ofSessions: [Route] {
        [
            Route(.post, "/api/passkeys/options", .anyone, "usePasskeyOptions") { _, request in
                try await signInOptions(request)
            }
        ]
    }

    var wellKnown: [Route] {
        [
            Route(.get, "/.well-known/webauthn", .everyPage, "showRelatedOrigins") { _, _ in
                guard let origins = auth.configuration.relyingParty?.relatedOrigins else { throw Problem.notFound }
                return .json(origins)
            }
        ]
    }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func options(_ options: PasskeyOptions) -> Response { Response.json(options.json).notStored() }

    // MARK: The passkeys of a user

    private func list(of user: UserIdentity) async throws -> Response {
        let passkeys = try await auth.passkeys.list(of: user.userID)
        let accepted = try await auth.passkeys.acceptedCredentials(of: user.userID)
        return Response.json([
            "passkeys": .array(passkeys.map(\.json)), "accepted_credentials": accepted ?? .null,
        ]).notStored()
    }

    private func accepted(of user: UserIdentity) async throws -> Response {
        let accepted = try await auth.passkeys.acceptedCredentials(of: user.userID)
        return Response.json(["accepted_credentials": accepted ?? .null]).notStored()
    }

    private func add(of user: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let location = try RequestOrigin(request.http, configuration: configuration)
        let fields = try await body.fields(request.http, known: ["name", "credential"])
        return try await fields.named(in: request.http) {
            let (name, credential) = try (fields.requiredString("name"), fields.optionalObject("credential"))
            guard let credential else { throw fields.missing("credential") }
            let added = try await auth.passkeys.add(credential.text, named: name, for: user, by: request.caller)
            let codes: JSON = added.recoveryCodes.map { .array($0.map(JSON.string)) } ?? .null
            var response = Response.json(
                added.passkey.json.adding([("recovery_codes", codes)]), status: .created
            ).notStored()
            response.headers[.location] = location.url(
                of: "\(request.http.uri.path.trimmingSlashes)/\(added.passkey.id)")
            return response
        }
    }

    private func rename(
        _ id: String, of user: UserIdentity, _ request: RoutedRequest
    ) async throws -> Response {
        let fields = try await body.fields(request.http, known: ["name"])
        return try await fields.named(in: request.http) {
            let name = try fields.requiredString("name")
            let passkey = try await auth.passkeys.rename(id, to: name, of: user, by: request.caller)
            return Response.json(passkey.json).notStored()
        }
    }

    // MARK: Using one

    /// Options for signing in: with the name or the ticket of the body, or without either. With an
    /// access token, options for raising its session.
    private func signInOptions(_ request: RoutedRequest) async throws -> Response {
        let user = try await auth.login.admit(
            request.http.head, accepting: .token, requiring: [.optional], at: auth.configuration.now,
            by: request.caller)?.user
        let fields = try await body.fieldsIfPresent(request.http, known: ["username", "ticket"])
        return try await fields.named(in: request.http) {
            let (username, ticket) = try (fields.optionalString("username"), fields.optionalString("ticket"))
            guard [user != nil, username != nil, ticket != nil].count(where: \.self) <= 1 else {
                throw AuthError(.validationFailed, "a username, a ticket and a token exclude each other")
            }
            if let user { return try await options(auth.passkeys.stepUpOptions(for: user)) }
            if let ticket {
                return try await options(auth.login.passkeyOptions(for: ticket, by: request.caller))
            }
            return try await options(auth.passkeys.signInOptions(named: username))
        }
    }
}

extension Passkey {
    /// The passkey for its owner, and for operators.
    var json: JSON {
        [
            "id": .string(id), "name": .string(name), "credential_id": .string(Base64.url.encode(credentialID)),
            "aaguid": .string(model), "transports": .array(transports.map(JSON.string)),
            "discoverable": isDiscoverable.map(JSON.bool) ?? .null, "user_verified": .bool(isUserVerified),
            "backup_eligible": .bool(isBackupEligible), "backed_up": .bool(isBackedUp),
            "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": lastUsedAt.map { .string($0.ISO8601Format()) } ?? .null,
        ]
    }

    /// The AAGUID as lists of authenticators write it: a UUID in small letters.
    private var model: String {
        let digits = aaguid.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0.clamped(to: digits.indices)].joined() }
            .joined(separator: "-")
    }
}

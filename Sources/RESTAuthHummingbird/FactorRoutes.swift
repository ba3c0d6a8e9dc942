import Foundation
import HTTPTypes
import Hummingbird
import RESTAuth

extension FactorsRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [RouteGroup(.account, FactorRoutes(auth: auth, configuration: configuration).routes)]
    }
}

/// `/api/me/factors`, `/api/me/recovery-codes` and `/api/me/devices`: second factors of a user.
struct FactorRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        [
            Route(.get, "/api/me/factors", enrolling, "listFactors") { user, _ in try await list(of: user) },
            Route(.post, "/api/me/factors", enrolling, "addFactor") { user, request in
                try await add(of: user, request)
            },
            Route(.put, "/api/me/factors/{id}", enrolling, "confirmFactor") { user, request in
                try await confirm(request.segment("id"), of: user, request)
            },
            Route(.delete, "/api/me/factors/{id}", .user(auth), "removeFactor") { user, request in
                try await auth.factors.remove(request.segment("id"), of: user, by: request.caller)
                return .empty()
            },
            Route(.post, "/api/me/recovery-codes", .user(auth), "makeRecoveryCodes") { user, request in
                let codes = try await auth.factors.makeRecoveryCodes(of: user, by: request.caller)
                return Response.json(["recovery_codes": .array(codes.map(JSON.string))], status: .created).notStored()
            },
            Route(.get, "/api/me/devices", .user(auth), "listDevices") { user, _ in
                let devices = try await auth.trustedDevices.list(of: user.userID)
                return Response.json(["devices": .array(devices.map(\.json))]).notStored()
            },
            Route(.delete, "/api/me/devices", .user(auth), "forgetDevices") { user, request in
                try await auth.trustedDevices.forget(of: user, by: request.caller)
                return .empty()
            },
            Route(.delete, "/api/me/devices/{id}", .user(auth), "forgetDevice") { user, request in
                try await auth.trustedDevices.forget(request.segment("id"), of: user, by: request.caller)
                return .empty()
            },
        ]
    }

    private var enrolling: Access<UserIdentity> { .user(auth, admittingEnrollment: true) }

    private var body: RequestBody { RequestBody(limit: configuration.bodyLimit) }

    private func list(of user: UserIdentity) async throws -> Response {
        let factors = try await auth.factors.list(of: user.userID)
        return Response.json([
            "factors": .array(factors.totp.map(\.json)), "recovery_codes_left": .integer(factors.recoveryCodes),
        ]).notStored()
    }

    private func add(of user: UserIdentity, _ request: RoutedRequest) async throws -> Response {
        let location = try RequestOrigin(request.http, configuration: configuration)
        let fields = try await body.fields(request.http, known: ["type", "name"])
        return try await fields.named(in: request.http) {
            guard WireText(try fields.requiredString("type")).equals("totp") else {
                throw AuthError(.validationFailed, "the type is totp: there is no other", field: "type")
            }
            let name = try fields.requiredString("name")
            let app = try await auth.factors.add(name, of: user)
            guard let picture = QRCode(app.uri) else { throw Problem.internalError }
            var response = Response.json(
                [
                    "id": .string(app.id), "type": "totp", "name": .string(name), "secret": .string(app.secret),
                    "uri": .string(app.uri), "qr": .string(picture.svg),
                    "expires_at": .string(app.expiresAt.ISO8601Format()),
                ], status: .created
            ).notStored()
            response.headers[.location] = location.url(of: "\(request.http.uri.path.trimmingSlashes)/\(app.id)")
            return response
        }
    }

    private func confirm(
        _ id: String, of user: UserIdentity, _ request: RoutedRequest
    ) async throws -> Response {
        let fields = try await body.fields(request.http, known: ["code"])
        return try await fields.named(in: request.http) {
            let code = try fields.requiredString("code")
            let codes = try await auth.factors.confirm(id, code: code, of: user, by: request.caller)
            return Response.json(["recovery_codes": codes.map { .array($0.map(JSON.string)) } ?? .null]).notStored()
        }
    }
}

extension FactorDescription {
    /// The factor for a client that has given the password.
    var json: JSON { ["id": .string(id), "type": .string(kind.rawValue), "name": .string(name)] }
}

extension StoredTOTP {
    /// The app for its owner, and for operators.
    var json: JSON {
        [
            "id": .string(id), "type": "totp", "name": .string(name), "active": .bool(confirmedAt != nil),
            "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": lastUsedAt.map { .string($0.ISO8601Format()) } ?? .null,
        ]
    }
}

extension TrustedDevice {
    /// The device for its owner, and for operators.
    var json: JSON {
        [
            "id": .string(id), "address": origin.address.map(JSON.string) ?? .null,
            "user_agent": origin.userAgent.map(JSON.string) ?? .null,
            "created_at": .string(createdAt.ISO8601Format()), "last_used_at": .string(lastUsedAt.ISO8601Format()),
            "expires_at": .string(expiresAt.ISO8601Format()),
        ]
    }
}

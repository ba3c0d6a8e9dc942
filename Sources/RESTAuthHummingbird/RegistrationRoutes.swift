import HTTPTypes
import Hummingbird
import RESTAuth

extension RegistrationRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [
            RouteGroup(.registration, RegistrationRoutes(auth: auth, configuration: configuration).routes),
            RouteGroup(.operator, OperatorInvitationRoutes(auth: auth, configuration: configuration).routes),
        ]
    }
}

/// `POST /api/users` registers a user. `GET /api/challenge` gives the work that a registration must
/// prove, where that is required; it is not below `users`, where every segment is a user's id.
struct RegistrationRoutes: Sendable {
    let auth: Auth
    let configuration: AuthRoutesConfiguration

    var routes: [Route] {
        [
            Route(.post, "/api/users", .anyone, "registerUser") { _, request in try await register(request) },
            Route(.get, "/api/challenge", .anyone, "showChallenge") { _, _ in try showChallenge() },
        ]
    }

    private static let fields: [StaticString] = ["username", "password", "invitation", "challenge", "nonce"]

    private func register(_ request: RoutedRequest) async throws -> Response {
        try auth.registration.refuseWhenClosed()
        let body = try await RequestBody(limit: configuration.bodyLimit).fields(request.http, known: Self.fields)
        return try await body.named(in: request.http) { try await register(request, body) }
    }

    private func register(_ request: RoutedRequest, _ body: RequestFields) async throws -> Response {
        let location = try RequestOrigin(request.http, configuration: configuration)
        let user: User
        do {
            user = try await auth.registration.register(
                body.requiredString("username"), password: body.requiredString("password"),
                proof: RegistrationProof(
                    invitation: body.optionalString("invitation"), challenge: body.optionalString("challenge"),
                    nonce: body.optionalString("nonce")),
                by: request.caller)
        } catch let error as AuthError where [.invitationRequired, .challengeRequired].contains(error.code) {
            throw body.naming(ignored: error)
        }
        var members = [JSON.Member(name: "username", value: .string(user.username))]
        if !body.ignored.isEmpty {
            members.append(JSON.Member(name: "ignored", value: .array(body.ignored.map(JSON.string))))
        }
        var response = Response.json(.object(members), status: .created)
        response.headers[.location] = location.url(of: "\(request.http.uri.path.trimmingSlashes)/\(user.id)")
        return response
    }

    private func showChallenge() throws -> Response {
        guard let challenge = auth.registration.challenge() else { throw Problem.notFound }
        return Response.json([
            "challenge": .string(challenge.value), "algorithm": "SHA-256", "difficulty": .integer(challenge.difficulty),
            "expires_in": .integer(challenge.duration),
        ]).notStored()
    }
}

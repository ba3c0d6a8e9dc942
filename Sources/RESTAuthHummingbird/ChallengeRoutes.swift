import Hummingbird
import RESTAuth

/// `GET /api/challenge`: work for who wants to register, where it is asked for; not below `users`,
/// where everything is a user's id.
struct ChallengeRoutes: Sendable {
    let registration: Registration

    func add(to routes: some RouterMethods<some RequestContext>) {
        routes.resource("challenge", [.get: { _, _ in try show() }])
    }

    private func show() throws -> Response {
        guard let challenge = registration.challenge() else { throw Problem.notFound }
        return Response.json([
            "challenge": .string(challenge.value), "algorithm": "SHA-256", "difficulty": .integer(challenge.difficulty),
            "expires_in": .integer(challenge.duration),
        ]).notStored()
    }
}

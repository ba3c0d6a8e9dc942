import Foundation

/// An access token and a refresh token.
public struct SignedIn: Sendable {
    public let access: String
    public let refresh: String
}

extension RunningServer {
    public func signIn(
        _ username: String = "miguel", _ password: String = "python", headers: [String] = []
    ) async throws -> SignedIn {
        let answer = try await send("POST", "/api/tokens", headers: [basic(username, password)] + headers)
        guard let access = answer.json["access_token"] as? String, let refresh = answer.json["refresh_token"] as? String
        else {
            throw UnexpectedAnswer(answer: answer)
        }
        return SignedIn(access: access, refresh: refresh)
    }

    public func refresh(_ token: String) async throws -> HTTPAnswer {
        try await send(
            "PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: json(["refresh_token": token]))
    }

    /// The sessions of the user who is authorized.
    public func sessions(_ authorization: String) async throws -> [[String: Any]] {
        let answer = try await send("GET", "/api/me/sessions?limit=100", headers: [authorization])
        guard let sessions = answer.json["data"] as? [[String: Any]] else { throw UnexpectedAnswer(answer: answer) }
        return sessions
    }

    /// Waits until a token is refused that another process has just ended.
    ///
    /// A request more than a second after that must not accept the token any more. This holds
    /// however slow the machine is, because a server that has not read the revocation log for a
    /// second does not rely on its memory.
    public func waitForRefusal(of token: String) async throws {
        let end = ContinuousClock.now
        try await wait(for: "the refusal") {
            let asked = ContinuousClock.now
            let status = try await send("GET", "/api/resource", headers: [bearer(token)]).status
            guard status != 200 || asked - end <= .seconds(1) else { throw BelievedTooLong() }
            return status == 401
        }
    }

    /// Runs a command on this server's database.
    @discardableResult
    public func command(_ arguments: String...) async throws -> CommandOutcome {
        let outcome = try await run(arguments)
        guard outcome.status == 0 else { throw CommandFailed(error: outcome.error) }
        return outcome
    }

    /// Adds a client and returns its secret.
    public func addClient(_ id: String) async throws -> String {
        let output = try await command("clients", "add", id, "--json").output
        let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: String]
        guard let secret = object?["client_secret"] else { throw CommandFailed(error: output) }
        return secret
    }
}

/// The error for a token that was accepted more than a second after its end.
public struct BelievedTooLong: Error {}

public struct CommandFailed: Error {
    let error: String
}

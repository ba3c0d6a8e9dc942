import Foundation

/// A pair of tokens.
public struct SignedIn: Sendable {
    public let access: String
    public let refresh: String
}

extension RunningServer {
    public func signIn(_ username: String = "miguel", _ password: String = "python", headers: [String] = []) throws -> SignedIn {
        let answer = try send("POST", "/api/tokens", headers: [basic(username, password)] + headers)
        guard let access = answer.json["access_token"] as? String, let refresh = answer.json["refresh_token"] as? String else {
            throw UnexpectedAnswer(answer: answer)
        }
        return SignedIn(access: access, refresh: refresh)
    }

    public func refresh(_ token: String) throws -> HTTPAnswer {
        try send("PUT", "/api/tokens", headers: ["Content-Type: application/json"], body: json(["refresh_token": token]))
    }

    /// The owner's sessions.
    public func sessions(_ authorization: String) throws -> [[String: Any]] {
        let answer = try send("GET", "/api/me/sessions?limit=100", headers: [authorization])
        guard let sessions = answer.json["data"] as? [[String: Any]] else { throw UnexpectedAnswer(answer: answer) }
        return sessions
    }

    /// Runs a command on this server's database.
    @discardableResult
    public func command(_ arguments: String...) async throws -> CommandOutcome {
        let outcome = try await run(arguments)
        guard outcome.status == 0 else { throw CommandFailed(error: outcome.error) }
        return outcome
    }

    /// The secret of a new client.
    public func addClient(_ id: String) async throws -> String {
        let output = try await command("clients", "add", id, "--json").output
        let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: String]
        guard let secret = object?["client_secret"] else { throw CommandFailed(error: output) }
        return secret
    }
}

public struct CommandFailed: Error {
    let error: String
}

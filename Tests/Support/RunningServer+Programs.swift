import Foundation

/// A token for a program, as it was shown once.
public struct ProgramCredential: Sendable {
    public let id: String
    public let token: String

    /// The header line with it.
    public var bearer: String { Support.bearer(token) }
}

extension RunningServer {
    /// Makes a personal token.
    public func personalToken(
        of account: Account, scopes: [String] = ["profile"], expiresIn seconds: Int? = nil
    ) async throws -> ProgramCredential {
        var members: [String: Any] = ["name": "test", "scopes": scopes]
        if let seconds { members["expires_in"] = seconds }
        let answer = try await send(
            "POST", "/api/me/tokens", headers: [account.basic, "Content-Type: application/json"], body: json(members))
        guard let credential = ProgramCredential(answer.json) else { throw UnexpectedAnswer(answer: answer) }
        return credential
    }

    /// Makes a service account of a name that no other test uses, with a token.
    public func serviceToken(
        scopes: [String] = ["notes:read"]
    ) async throws -> (service: String, credential: ProgramCredential) {
        let id = Self.newName("backup")
        try await command("services", "add", id)
        let words = scopes.flatMap { ["--scope", $0] }
        let outcome = try await run(["services", "tokens", "add", id, "test", "--json"] + words)
        guard let object = try? JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any],
            let credential = ProgramCredential(object)
        else { throw CommandFailed(error: outcome.error) }
        return (id, credential)
    }

    /// Deletes a personal token.
    public func delete(_ credential: ProgramCredential, of account: Account) async throws {
        let answer = try await send("DELETE", "/api/me/tokens/\(credential.id)", headers: [account.basic])
        guard answer.status == 204 else { throw UnexpectedAnswer(answer: answer) }
    }
}

extension ProgramCredential {
    fileprivate init?(_ object: [String: Any]) {
        guard let id = object["id"] as? String, let token = object["token"] as? String else { return nil }
        self.init(id: id, token: token)
    }
}

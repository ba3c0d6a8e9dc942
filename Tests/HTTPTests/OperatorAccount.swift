import Support
import Testing

extension RunningServer {
    /// Registers a user and makes it an operator.
    func newOperator() async throws -> Account {
        let account = try await newAccount("operator")
        try await command("users", "grant", account.name, "rest-auth:operator")
        return account
    }

    /// Sends a request with a JSON body.
    func send(_ method: String, _ path: String, as account: Account, json fields: [String: Any]) async throws
        -> HTTPAnswer
    {
        try await send(
            method, path, headers: [account.basic, "Content-Type: application/json"], body: json(fields))
    }

    func send(_ method: String, _ path: String, as account: Account) async throws -> HTTPAnswer {
        try await send(method, path, headers: [account.basic])
    }
}

extension HTTPAnswer {
    /// The entries of a list.
    var entries: [[String: Any]] { json["data"] as? [[String: Any]] ?? [] }
    /// The key after which the next page begins.
    var next: String? { (json["pagination"] as? [String: Any])?["after"] as? String }
    /// The field that was refused.
    var pointer: String? { (json["errors"] as? [[String: Any]])?.first?["pointer"] as? String }
}

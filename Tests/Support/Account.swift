import Synchronization

/// A user who is registered at a server.
public struct Account: Sendable {
    public let id: Int
    public let name: String
    public let password: String

    /// The header line that signs in with the password.
    public var basic: String { Support.basic(name, password) }
}

extension RunningServer {
    private static let accounts = Atomic(0)

    /// A user name that no other test uses.
    public static func newName(_ name: String = "miguel") -> String {
        "\(name)-\(accounts.add(1, ordering: .relaxed).newValue)"
    }

    /// Registers a user of a name that no other test uses.
    public func newAccount(_ name: String = "miguel", password: String = "python") async throws -> Account {
        let name = Self.newName(name)
        let answer = try await register(name, password)
        guard answer.status == 201, let id = answer["Location"]?.split(separator: "/").last.flatMap({ Int($0) }) else {
            throw UnexpectedAnswer(answer: answer)
        }
        return Account(id: id, name: name, password: password)
    }

    /// A token from `GET /api/token`.
    public func token(_ account: Account) async throws -> String { try await token(account.name, account.password) }

    public func signIn(_ account: Account, headers: [String] = []) async throws -> SignedIn {
        try await signIn(account.name, account.password, headers: headers)
    }
}

/// Who acts: proven, and made only by what proves it.
public enum Identity: Sendable, Hashable {
    /// A user: ``Login/identify(_:by:)`` gives it.
    case user(UserIdentity)
    /// Another service, which has shown its secret: ``Clients/authenticate(_:secret:)`` gives it.
    case client(ClientIdentity)
    /// Whoever runs a command on the machine, and may open the database by that.
    case `operator`(OperatorIdentity)

    /// The user; `nil` for anything else.
    public var user: UserIdentity? { if case .user(let user) = self { user } else { nil } }
    /// The client; `nil` for anything else.
    public var client: ClientIdentity? { if case .client(let client) = self { client } else { nil } }
}

/// A client that has shown its secret.
public struct ClientIdentity: Sendable, Hashable {
    /// `client_id`.
    public let id: String

    init(id: String) { self.id = id }
}

/// Whoever runs a command: known by the account of the operating system.
public struct OperatorIdentity: Sendable, Hashable {
    /// The account's name, or its number where it has none.
    public let account: String

    /// - Parameter account: as the operating system says it.
    package init(account: String) { self.account = account }
}

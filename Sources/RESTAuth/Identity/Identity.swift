/// A proven identity, made only by what proves it.
public enum Identity: Sendable, Hashable {
    /// A user, identified by ``Login/identify(_:by:)``.
    case user(UserIdentity)
    /// A service account of a program, which has shown one of its tokens.
    case service(ServiceIdentity)
    /// Another service, which has shown its secret to ``Clients/authenticate(_:secret:)``.
    case client(ClientIdentity)
    /// An operator who runs a command on the machine, and may therefore open the database.
    case `operator`(OperatorIdentity)

    /// The user; `nil` for anything else.
    public var user: UserIdentity? { if case .user(let user) = self { user } else { nil } }
    /// The service account; `nil` for anything else.
    public var service: ServiceIdentity? { if case .service(let service) = self { service } else { nil } }
    /// The id of the token for programs that was shown; `nil` where there was none.
    var programToken: ProgramToken.ID? {
        switch self {
        case .user(let user): if case .personalToken(let id) = user.presented { id } else { nil }
        case .service(let service): service.tokenID
        case .client, .operator: nil
        }
    }
    /// The client; `nil` for anything else.
    public var client: ClientIdentity? { if case .client(let client) = self { client } else { nil } }
}

/// A client that has shown its secret.
public struct ClientIdentity: Sendable, Hashable {
    /// `client_id`.
    public let id: String

    init(id: String) { self.id = id }
}

/// An operator who runs a command, known by the account of the operating system.
public struct OperatorIdentity: Sendable, Hashable {
    /// The account's name, or its number where it has none.
    public let account: String

    /// - Parameter account: the account as the operating system names it.
    package init(account: String) { self.account = account }
}

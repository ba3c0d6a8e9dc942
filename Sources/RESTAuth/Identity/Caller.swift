/// Who asks, and from where: made once where a request comes in, or once by a command, and handed
/// to every door.
///
///     let caller = Caller(address: "192.0.2.7", userAgent: "curl/8.5.0", requestID: id)
///     let tokens = try await auth.sessions.start(for: identity, by: caller)
public struct Caller: Sendable, Hashable {
    /// Who it is, where that is proven.
    public private(set) var identity: Identity?
    /// The client's IP address and agent, as they are stored with a session.
    public let origin: SessionOrigin
    /// The network of the address, by which guesses are counted; `nil` where the address is not
    /// known, or is none.
    public let network: ClientNetwork?
    /// What the log calls the request.
    public let requestID: String?

    /// Your own code, on nobody's behalf: no address that anything is counted by.
    public static let application = Caller()

    /// A request, before anybody is known to be behind it.
    /// - Parameters:
    ///   - address: the client's IP address; `nil` where it is not known.
    ///   - userAgent: the `User-Agent` field.
    ///   - requestID: what the log calls the request.
    public init(address: String? = nil, userAgent: String? = nil, requestID: String? = nil) {
        origin = SessionOrigin(address: address, userAgent: userAgent)
        network = address.flatMap(ClientNetwork.init)
        self.requestID = requestID
    }

    /// Whoever runs a command.
    package init(_ operator: OperatorIdentity) {
        self.init()
        identity = .operator(`operator`)
    }

    /// The same request, now that it is known who is behind it.
    public func identified(as identity: Identity) -> Caller {
        var caller = self
        caller.identity = identity
        return caller
    }

    /// The same request, where nobody was known to be behind it until now. Your own code acts as
    /// itself, whomever it vouches for.
    func nowKnown(as user: UserIdentity) -> Caller {
        identity == nil && self != .application ? identified(as: .user(user)) : self
    }

    /// The client's IP address.
    public var address: String? { origin.address }
}

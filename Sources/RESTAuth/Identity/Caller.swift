/// The origin of a request, with the identity behind it: made once where a request comes in, or
/// once by a command, and handed to every door.
///
///     let caller = Caller(address: "192.0.2.7", userAgent: "curl/8.5.0", requestID: id)
///     let tokens = try await auth.sessions.start(for: identity, by: caller)
///
/// What a door does for a signed-in user is done by `caller.identified(as: .user(identity))`. A
/// caller without an identity may change no user who is an operator (`forbidden`).
public struct Caller: Sendable, Hashable {
    /// The identity; `nil` where none is proven.
    public private(set) var identity: Identity?
    /// The client's IP address and agent, as they are stored with a session.
    public let origin: SessionOrigin
    /// The network of the address, by which guesses are counted; `nil` where the address is not
    /// known or not valid.
    public let network: ClientNetwork?
    /// The id of the request in the log.
    public let requestID: String?

    /// Your own code, on nobody's behalf: without an address that anything is counted by.
    public static let application = Caller()

    /// Makes the caller of a request, before an identity is proven.
    /// - Parameters:
    ///   - address: the client's IP address; `nil` where it is not known.
    ///   - userAgent: the `User-Agent` field.
    ///   - requestID: the id of the request in the log.
    public init(address: String? = nil, userAgent: String? = nil, requestID: String? = nil) {
        origin = SessionOrigin(address: address, userAgent: userAgent)
        network = address.flatMap(ClientNetwork.init)
        self.requestID = requestID
    }

    /// Makes the caller of a command.
    package init(_ operator: OperatorIdentity) {
        self.init()
        identity = .operator(`operator`)
    }

    /// The same caller, with a proven identity.
    public func identified(as identity: Identity) -> Caller {
        var caller = self
        caller.identity = identity
        return caller
    }

    /// The same caller, with this user as the identity if none was known. The application's own
    /// code stays itself, whomever it vouches for.
    func nowKnown(as user: UserIdentity) -> Caller {
        identity == nil && self != .application ? identified(as: .user(user)) : self
    }

    /// The client's IP address.
    public var address: String? { origin.address }
}

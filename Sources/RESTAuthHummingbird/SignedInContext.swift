public import Hummingbird
public import NIOCore
public import RESTAuth

/// A request context with room for who is signed in. Give your own context this property, or use
/// ``BasicAuthRequestContext``.
public protocol AuthRequestContext: RequestContext {
    /// Set by ``Authenticator``.
    var identity: Identity? { get set }
}

/// The context for an application that needs nothing more.
public struct BasicAuthRequestContext: AuthRequestContext, PeerAddressContext {
    /// Hummingbird's own.
    public var coreContext: CoreRequestContextStorage
    /// Who is signed in; `nil` before the ``Authenticator``, and for nobody where signing in is
    /// optional.
    public var identity: Identity?
    /// The other end of the connection.
    public let peerAddress: SocketAddress?
    /// The client's address, where ``TrustedProxies`` knows a better one.
    public var clientAddress: String?

    public init(source: Source) {
        coreContext = .init(source: source)
        peerAddress = source.channel.remoteAddress
    }
}

/// The context of routes that only someone signed in can reach: the identity is certain.
///
/// Making one without an identity is refused, so a route that forgot its ``Authenticator`` answers
/// 401 and not as nobody.
public struct SignedInContext<Parent: AuthRequestContext>: ChildRequestContext {
    /// Hummingbird's own.
    public var coreContext: CoreRequestContextStorage
    /// Who is signed in.
    public let identity: UserIdentity
    /// The context it was made from.
    public let parent: Parent

    public init(context: Parent) throws {
        guard let identity = context.identity?.user else { throw AuthError.credentialsRequired }
        coreContext = context.coreContext
        self.identity = identity
        parent = context
    }
}

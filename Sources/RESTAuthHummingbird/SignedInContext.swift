public import Hummingbird
public import NIOCore
public import RESTAuth

/// A request context with a property for the identity. Give your own context this property, or use
/// ``BasicAuthRequestContext``.
public protocol AuthRequestContext: RequestContext {
    /// Set by ``Authenticator``.
    var identity: Identity? { get set }
}

/// A context for applications that need nothing more.
public struct BasicAuthRequestContext: AuthRequestContext, PeerAddressContext {
    /// Hummingbird's own storage.
    public var coreContext: CoreRequestContextStorage
    /// The identity of the caller; `nil` before the ``Authenticator``, and for a request without
    /// credentials where signing in is optional.
    public var identity: Identity?
    /// The address at the other end of the connection.
    public let peerAddress: SocketAddress?
    /// The client's address, set by ``TrustedProxies``.
    public var clientAddress: String?

    public init(source: Source) {
        coreContext = .init(source: source)
        peerAddress = source.channel.remoteAddress
    }
}

/// The context of routes that only a signed-in user can reach: there always is an identity.
///
/// Making one without an identity throws, so a route that lacks an ``Authenticator`` answers 401
/// instead of serving nobody. A service account is answered 403: it is no user.
public struct SignedInContext<Parent: AuthRequestContext>: ChildRequestContext {
    /// Hummingbird's own storage.
    public var coreContext: CoreRequestContextStorage
    /// The signed-in user.
    public let identity: UserIdentity
    /// The context it was made from.
    public let parent: Parent

    public init(context: Parent) throws {
        guard let identity = context.identity?.user else {
            throw context.identity?.service == nil ? AuthError.credentialsRequired : AuthError.usersOnly
        }
        coreContext = context.coreContext
        self.identity = identity
        parent = context
    }
}

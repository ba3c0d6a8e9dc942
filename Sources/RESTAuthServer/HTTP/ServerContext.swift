import Hummingbird
import NIOCore
import RESTAuth
import RESTAuthHummingbird

/// The context of the server's own routes.
struct ServerContext: AuthRequestContext, PeerAddressContext {
    var coreContext: CoreRequestContextStorage
    var identity: Identity?
    let peerAddress: SocketAddress?
    var clientAddress: String?

    init(source: Source) {
        coreContext = .init(source: source)
        peerAddress = source.channel.remoteAddress
    }
}

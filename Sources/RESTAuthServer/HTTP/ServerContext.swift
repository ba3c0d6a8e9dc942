import Hummingbird
import Logging
import NIOCore
import RESTAuth
import RESTAuthHummingbird

/// The context of the server's own routes.
struct ServerContext: AuthRequestContext, PeerAddressContext {
    var coreContext: CoreRequestContextStorage
    var identity: Identity?
    let peerAddress: SocketAddress?
    var clientAddress: String?
    let requestID: RequestID
    private let plainLogger: Logger

    init(source: Source) {
        coreContext = .init(source: source)
        peerAddress = source.channel.remoteAddress
        plainLogger = source.logger
        requestID = .next()
    }

    /// Made on demand: most requests need no logger of their own.
    var logger: Logger {
        var logger = plainLogger
        logger[metadataKey: "hb.request.id"] = .stringConvertible(requestID)
        return logger
    }
}

import NIOCore
import RESTAuth

/// Logs that no connection can be accepted because the process or the machine has run out of file
/// descriptors. Waiting clients are accepted once other connections have closed.
final class FileLimitWatch: ChannelInboundHandler {
    typealias InboundIn = Channel

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? IOError { Shortage.noticeFiles(error.errnoCode) }
        context.fireErrorCaught(error)
    }
}

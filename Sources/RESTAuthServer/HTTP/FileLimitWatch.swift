import NIOCore
import RESTAuth

/// Says that no connection can be accepted, because the process or the machine has run out of
/// files. Whoever waits is accepted when others have gone.
final class FileLimitWatch: ChannelInboundHandler {
    typealias InboundIn = Channel

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? IOError { Shortage.noticeFiles(error.errnoCode) }
        context.fireErrorCaught(error)
    }
}

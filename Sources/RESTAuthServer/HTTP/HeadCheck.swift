import NIOCore
import NIOHTTP1

/// Refuses what the parser lets through and HTTP/1.1 does not, while the fields are still as they were sent (RFC 9112).
///
/// An HTTP/1.1 request names exactly one host; a body's length is said in one way only. HTTP/1.0 ends with its answer.
final class HeadCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        guard case .head(var head) = unwrapInboundIn(data) else {
            context.fireChannelRead(data)
            return
        }
        guard Self.isAcceptable(head) else {
            isRefused = true
            context.fireErrorCaught(HTTPParserError.invalidHeaderToken)
            return
        }
        if head.version != .http1_1 { head.headers.replaceOrAdd(name: "Connection", value: "close") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private static func isAcceptable(_ head: HTTPRequestHead) -> Bool {
        let hosts = head.headers["Host"]
        let isHostNamed = hosts.count == 1 || hosts.isEmpty && head.version != .http1_1
        let lengths = head.headers["Content-Length"]
        let codings = head.headers["Transfer-Encoding"]
        let isLengthClear = lengths.count + codings.count <= 1 && codings.allSatisfy { $0.lowercased() == "chunked" }
        let isDigitsOnly = lengths.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }
        return isHostNamed && isLengthClear && isDigitsOnly && head.uri.utf8.count <= 8192
    }
}

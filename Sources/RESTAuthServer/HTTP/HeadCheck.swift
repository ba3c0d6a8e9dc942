import NIOCore
import NIOHTTP1
import RESTAuthHummingbird

/// Refuses what the parser lets through and HTTP/1.1 does not, while the fields are still as they were sent (RFC 9112).
///
/// An HTTP/1.1 request names exactly one host, and the length of its body in one way only. A client that will not or cannot keep the
/// connection says `Connection: close` from here on, in just these words.
final class HeadCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    enum Violation: Error {
        case malformed, tunnel
    }

    /// In bytes.
    private static let maximumURI = 8192

    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        guard case .head(var head) = unwrapInboundIn(data) else {
            context.fireChannelRead(data)
            return
        }
        if let violation = Self.violation(in: head) {
            isRefused = true
            context.fireErrorCaught(violation)
            return
        }
        // After a request to change the protocol, which is not offered, the parser reads no other.
        if head.version != .http1_1 || !head.isKeepAlive || head.headers.contains(name: "Upgrade") {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private static func violation(in head: HTTPRequestHead) -> Violation? {
        if head.method == .CONNECT { return .tunnel }
        let hosts = head.headers["Host"]
        let isHostNamed = hosts.count == 1 ? HostName.isValid(hosts[0]) : hosts.isEmpty && head.version != .http1_1
        let lengths = head.headers["Content-Length"]
        let codings = head.headers["Transfer-Encoding"]
        let isLengthClear =
            lengths.count + codings.count <= 1 && codings.allSatisfy { $0.lowercased() == "chunked" }
            && lengths.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
        return isHostNamed && isLengthClear && head.uri.utf8.count <= maximumURI ? nil : .malformed
    }
}

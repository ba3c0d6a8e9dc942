import NIOCore
import NIOHTTP1
import RESTAuthHummingbird

/// Refuses what HTTP/1.1 forbids and the parser accepts, while the fields are still as they were
/// sent (RFC 9112).
///
/// An HTTP/1.1 request names exactly one host, and gives the length of its body in one way only.
/// For a client that will not or cannot keep the connection, the head passed on has exactly
/// `Connection: close`. The size of the head is checked against ``HeadLimits``.
final class HeadCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    enum Violation: Error {
        case malformed, tunnel
        /// The `Host` field is missing, repeated, or not a valid host.
        case host
    }

    private let limits: HeadLimits
    private var isRefused = false

    init(limits: HeadLimits) {
        self.limits = limits
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isRefused else { return }
        guard case .head(var head) = unwrapInboundIn(data) else {
            context.fireChannelRead(data)
            return
        }
        if let violation = violation(in: head) {
            isRefused = true
            context.fireErrorCaught(violation)
            return
        }
        // After a request to upgrade the protocol, which is not offered, the parser reads no
        // further request.
        guard head.version == .http1_1, head.isKeepAlive, !head.headers.contains(name: "Upgrade") else {
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            // HTTP/1.0 has no interim responses.
            if head.version != .http1_1 { head.headers.remove(name: "Expect") }
            context.fireChannelRead(wrapInboundOut(.head(head)))
            return
        }
        context.fireChannelRead(data)
    }

    private func violation(in head: HTTPRequestHead) -> (any Error)? {
        if head.method == .CONNECT { return Violation.tunnel }
        var sizes = HeadLimits.Sizes()
        sizes.add(head.uri.utf8.count)
        var (hosts, lengths) = (0, 0)
        for (name, value) in head.headers {
            sizes.add(name.utf8.count + value.utf8.count)
            // Comparing the length first rules out most fields cheaply.
            switch name.utf8.count {
            case 4 where Self.isEqual(name, "host"):
                hosts += 1
                if !HostName.isValid(value) { return Violation.host }
            case 14 where Self.isEqual(name, "content-length"):
                lengths += 1
                if value.isEmpty || !value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                    return Violation.malformed
                }
            case 17 where Self.isEqual(name, "transfer-encoding"):
                lengths += 1
                if !Self.isEqual(value, "chunked") { return Violation.malformed }
            default: break
            }
        }
        let isHostNamed = hosts == 1 || hosts == 0 && head.version != .http1_1
        guard isHostNamed else { return Violation.host }
        guard lengths <= 1 else { return Violation.malformed }
        return limits.admit(sizes, path: head.uri) ? nil : HeadLimits.Exceeded()
    }

    /// Compares without regard to case.
    private static func isEqual(_ text: String, _ lowercased: StaticString) -> Bool {
        lowercased.withUTF8Buffer {
            text.utf8.elementsEqual($0) { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 == $1 : $0 == $1 }
        }
    }
}

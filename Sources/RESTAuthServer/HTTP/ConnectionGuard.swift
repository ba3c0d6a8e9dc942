import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Watches one connection, or one stream of HTTP/2, in front of everything else: its time, its end, and what is not HTTP.
///
/// - A request must arrive whole within `requestTimeout`, whatever it drips; a connection without one is closed after `idleTimeout`.
/// - What the parser refuses is answered with a problem document, where an answer is still possible, and the connection closed.
/// - `Connection: close` on a response is kept: what the client still sends is thrown away, for a while, so that it can read the answer.
///   HTTP/2 has no such field; there the stream ends by itself.
/// - `Expect: 100-continue` is answered when the body would be read.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let requestTimeout: TimeAmount
    private let idleTimeout: TimeAmount
    private let bodyLimit: Int
    private var isHTTP1 = false

    /// Requests whose response has not been written to its end.
    private var openRequests = 0
    private var isReceiving = false
    private var isResponding = false
    private var closesAfterResponse = false
    /// After the last response: nothing that arrives matters any more.
    private var isLingering = false
    /// When to give up waiting for the client; `nil` while it waits for us.
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?

    private static let lingerTime = TimeAmount.seconds(2)

    init(requestTimeout: TimeAmount, idleTimeout: TimeAmount, bodyLimit: Int) {
        self.bodyLimit = bodyLimit
        self.requestTimeout = requestTimeout
        self.idleTimeout = idleTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Only HTTP/1 has this codec, and only before it are the fields as they were sent.
        let pipeline = context.pipeline.syncOperations
        if let codec = try? pipeline.handler(type: HTTP1ToHTTPServerCodec.self) {
            isHTTP1 = (try? pipeline.addHandler(HeadCheck(), position: .before(codec))) != nil
        }
        deadline = .now() + requestTimeout
        schedule(context, at: .now() + requestTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isLingering {
            if case .end = part { context.close(promise: nil) }
            return
        }
        switch part {
        case .head(let head):
            openRequests += 1
            isReceiving = true
            deadline = .now() + requestTimeout
            if head.headerFields[.expect] != nil { invite(context, head) }
        case .body: break
        case .end:
            isReceiving = false
            deadline = nil
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.fireErrorCaught(error)
            return
        }
        if canAnswer {
            answer(context, Refusal(error))
        } else {
            context.close(promise: nil)
        }
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isLingering else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isResponding = true
            if head.headerFields[.connection] == "close" {
                closesAfterResponse = isHTTP1
                if !isHTTP1 { head.headerFields[.connection] = nil }
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            openRequests -= 1
            isResponding = false
            if openRequests == 0, !isReceiving { deadline = .now() + idleTimeout }
            context.write(data, promise: promise)
            if closesAfterResponse { linger(context) }
        }
    }

    /// Says that a body is welcome (RFC 9110 section 10.1.1), unless it is known to be refused.
    private func invite(_ context: ChannelHandlerContext, _ head: HTTPRequest) {
        guard canAnswer, (head.headerFields[.contentLength].flatMap { Int($0) } ?? 0) <= bodyLimit else { return }
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
    }

    /// Ends our half; the other half ends when the client has sent its request, or after a while.
    private func linger(_ context: ChannelHandlerContext) {
        context.flush()
        isLingering = true
        guard isReceiving else {
            context.close(promise: nil)
            return
        }
        context.close(mode: .output, promise: nil)
        deadline = .now() + Self.lingerTime
        schedule(context, at: .now() + Self.lingerTime)
    }

    /// Whether the next bytes that we write would be taken for the answer to what was just read.
    private var canAnswer: Bool {
        !isLingering && !isResponding && openRequests == (isReceiving ? 1 : 0)
    }

    private func answer(_ context: ChannelHandlerContext, _ refusal: Refusal) {
        isReceiving = true
        openRequests = 1
        write(context: context, data: wrapOutboundOut(.head(refusal.head)), promise: nil)
        write(context: context, data: wrapOutboundOut(.body(refusal.body)), promise: nil)
        write(context: context, data: wrapOutboundOut(.end(nil)), promise: nil)
    }

    // MARK: Time

    /// One timer a connection, moved only when it fires: requests change the deadline, which costs nothing.
    private func schedule(_ context: ChannelHandlerContext, at time: NIODeadline) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: time) {
            let (guarding, context) = bound.value
            guarding.check(context)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        guard let deadline, deadline <= .now() else {
            schedule(context, at: deadline ?? .now() + requestTimeout)
            return
        }
        if isReceiving, canAnswer {
            answer(context, .timeout)
        } else {
            context.close(promise: nil)
        }
    }
}

import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Watches one connection, in front of everything else: its time, its end, and what is not HTTP.
///
/// - A request must arrive whole within `requestTimeout`, whatever it drips; a connection without one is closed after `idleTimeout`.
/// - What the parser refuses is answered with a problem document, where an answer is still possible, and the connection closed.
/// - `Connection: close` on a response is kept: what the client still sends is thrown away, for a while, so that it can read the answer.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let requestTimeout: TimeAmount
    private let idleTimeout: TimeAmount

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

    init(requestTimeout: TimeAmount, idleTimeout: TimeAmount) {
        self.requestTimeout = requestTimeout
        self.idleTimeout = idleTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
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
        case .head:
            openRequests += 1
            isReceiving = true
            deadline = .now() + requestTimeout
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
        case .head(let head):
            isResponding = head.status.kind != .informational
            closesAfterResponse = closesAfterResponse || head.headerFields[.connection] == "close"
            context.write(data, promise: promise)
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

    /// Ends our half; the other half ends when the client has sent its request, or after a while.
    private func linger(_ context: ChannelHandlerContext) {
        context.flush()
        isLingering = true
        guard isReceiving else {
            context.close(promise: nil)
            return
        }
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

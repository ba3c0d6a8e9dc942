import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Passes on the requests of one connection, or of one stream of HTTP/2, whole and one at a time.
///
/// - A request is passed on when its end has arrived: later handlers never see an incomplete
///   request, and its credentials are checked when it is complete.
/// - The next one waits until the answer before it has been written to its end and the channel is
///   writable. It then comes in the next of the loop's ``Rounds``, so that the buffered requests of
///   one client never keep another waiting: not on the event loop, and not in the thread pool,
///   which gets a chance to serve others between two requests.
/// - While a whole request waits, nothing more is read.
final class RequestTurns: ChannelDuplexHandler, RemovableChannelHandler, TurnTaker {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var context: ChannelHandlerContext?
    /// Set on a connection of HTTP/1.
    private var sentAhead: SentAhead?
    /// Set on a stream of HTTP/2.
    private var streams: StreamTurns?

    /// The parts that have arrived and were not passed on: whole requests, and the beginning of the
    /// one after them.
    private var parts = CircularBuffer<(data: NIOAny, isEnd: Bool)>()
    private var wholeRequests = 0
    /// Whether a request was passed on whose answer has not been written to its end.
    private var isAnswering = false
    /// Whether a request was passed on since the loop last polled this connection.
    private var hasHadTurn = false
    private var isWaiting = false
    /// Whether the client's end of input is still to be passed on, after the requests before it.
    private var isInputClosed = false
    private var isQuiescing = false

    var hasWholeRequest: Bool { wholeRequests > 0 }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let pipeline = context.pipeline.syncOperations
        guard let budget = try? pipeline.handler(type: RequestBudget.self) else {
            streams = StreamTurns.ofConnection(of: context.channel)
            return
        }
        let sentAhead = SentAhead()
        if (try? pipeline.addHandler(sentAhead, position: .before(budget))) != nil { self.sentAhead = sentAhead }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        forget()
        self.context = nil
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else {
            parts.append((data, isEnd: false))
            return
        }
        parts.append((data, isEnd: true))
        wholeRequests += 1
        // Streams take turns only as part of their connection.
        if streams == nil, !hasHadTurn, isReady(context) { handOn(context) }
        if hasWholeRequest { sentAhead?.hold() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        hasHadTurn = false
        waitForTurn(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            forgetIncomplete()
            isInputClosed = true
            handOnEvents(context)
        case ChannelEvent.outputClosed:
            // No more answers can be sent.
            forget()
            handOnEvents(context)
            context.fireUserInboundEventTriggered(event)
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
            handOnEvents(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        forget()
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        forget()
        context.fireChannelInactive()
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        guard case .end = unwrapOutboundIn(data) else { return }
        isAnswering = false
        waitForTurn(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        waitForTurn(context)
    }

    // MARK: Turns

    private func isReady(_ context: ChannelHandlerContext) -> Bool {
        hasWholeRequest && !isAnswering && !isWaiting && context.channel.isWritable
    }

    private func waitForTurn(_ context: ChannelHandlerContext) {
        guard !hasHadTurn, isReady(context) else { return }
        isWaiting = true
        if let streams {
            streams.join(self, on: context.eventLoop)
        } else {
            Rounds.current(on: context.eventLoop).join(self)
        }
    }

    func takeTurn() -> Bool {
        isWaiting = false
        guard let context, isReady(context) else { return false }
        handOn(context)
        context.fireChannelReadComplete()
        hasHadTurn = false
        isWaiting = isReady(context)
        return isWaiting
    }

    private func handOn(_ context: ChannelHandlerContext) {
        hasHadTurn = true
        isAnswering = true
        wholeRequests -= 1
        while let part = parts.popFirst() {
            context.fireChannelRead(part.data)
            if part.isEnd { break }
        }
        handOnEvents(context, behindRequest: true)
        if !hasWholeRequest { sentAhead?.release() }
    }

    /// Passes on events in order: the end of the client's side after the last whole request, and
    /// the server's shutdown after the first one, which then is the last.
    private func handOnEvents(_ context: ChannelHandlerContext, behindRequest: Bool = false) {
        if isQuiescing, behindRequest || parts.isEmpty {
            isQuiescing = false
            context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        if isInputClosed, !hasWholeRequest {
            isInputClosed = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    private func forget() {
        parts.removeAll()
        wholeRequests = 0
    }

    private func forgetIncomplete() {
        while let part = parts.last, !part.isEnd { parts.removeLast() }
    }
}

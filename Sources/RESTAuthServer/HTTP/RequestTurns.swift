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
/// - A request of ``LongRequests`` has its turn when its head has arrived. Of its body nothing is
///   read until its route has admitted it; then it is passed on as it comes, at the pace at which
///   it is worked on.
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
    private var parts = CircularBuffer<(data: NIOAny, kind: Kind)>()
    /// The requests among them that can have their turn: whole ones, and long ones from their head
    /// on.
    private var wholeRequests = 0

    private enum Kind {
        case longHead, end, other
    }

    private let longRequests: LongRequests
    /// Whether the request that arrives is a long one, which is counted already.
    private var isLongArriving = false
    /// Whether a long request was passed on whose end was not.
    private var isPassingOn = false
    /// Whether nothing of its body may be passed on yet.
    private var isBodyHeld = false
    /// Whether a read was requested while the body was held.
    private var isReadWanted = false
    /// Whether a request was passed on whose answer has not been written to its end.
    private var isAnswering = false
    /// Whether a request was passed on since the loop last polled this connection.
    private var hasHadTurn = false
    private var isWaiting = false
    /// Whether the client's end of input is still to be passed on, after the requests before it.
    private var isInputClosed = false
    private var isQuiescing = false

    var hasWholeRequest: Bool { wholeRequests > 0 }

    init(longRequests: LongRequests = .none) { self.longRequests = longRequests }

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
        switch unwrapInboundIn(data) {
        case .head(let head) where longRequests.contains(head):
            isLongArriving = true
            parts.append((data, .longHead))
            becameReady(context)
        case .end where !isLongArriving:
            parts.append((data, .end))
            becameReady(context)
        case .end:
            isLongArriving = false
            parts.append((data, .end))
            passOnBody(context)
        case .head, .body:
            parts.append((data, .other))
            if isLongArriving { passOnBody(context) }
        }
    }

    private func becameReady(_ context: ChannelHandlerContext) {
        wholeRequests += 1
        // Streams take turns only as part of their connection.
        if streams == nil, !hasHadTurn, isReady(context) { handOn(context) }
        if hasWholeRequest || isBodyHeld { sentAhead?.hold() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        hasHadTurn = false
        waitForTurn(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            if !isPassingOn || parts.contains(where: { $0.kind == .longHead }) { forgetIncomplete() }
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

    // MARK: Long bodies

    func read(context: ChannelHandlerContext) {
        if isBodyHeld { isReadWanted = true } else { context.read() }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        context.triggerUserOutboundEvent(event, promise: promise)
        guard event is LongBodyAdmission, isBodyHeld else { return }
        isBodyHeld = false
        passOnBody(context)
        context.fireChannelReadComplete()
        handOnEvents(context)
        if !hasWholeRequest {
            sentAhead?.release()
            // What was held is passed on after the reading was said to be complete.
            context.fireChannelReadComplete()
        }
        guard isReadWanted else { return }
        isReadWanted = false
        context.read()
    }

    /// Drops the body of a request that has been answered before it was read. What has not arrived
    /// of it is read, so that the client gets to read the answer, and ``ConnectionGuard`` discards
    /// it.
    private func abandonBody(_ context: ChannelHandlerContext) {
        (isPassingOn, isBodyHeld) = (false, false)
        while let part = parts.popFirst(), part.kind != .end {}
        if !hasWholeRequest { sentAhead?.release() }
        guard isReadWanted else { return }
        isReadWanted = false
        context.read()
    }

    /// Passes on what has arrived of the body of the request that has its turn.
    private func passOnBody(_ context: ChannelHandlerContext) {
        while isPassingOn, !isBodyHeld, let part = parts.popFirst() {
            if part.kind == .end { isPassingOn = false }
            context.fireChannelRead(part.data)
        }
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        guard case .end = unwrapOutboundIn(data) else { return }
        isAnswering = false
        if isPassingOn { abandonBody(context) }
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
            if part.kind == .longHead { (isPassingOn, isBodyHeld) = (true, true) }
            context.fireChannelRead(part.data)
            if part.kind != .other { break }
        }
        handOnEvents(context, behindRequest: true)
        if !hasWholeRequest, !isBodyHeld { sentAhead?.release() }
    }

    /// Passes on events in order: the end of the client's side after the last whole request, and
    /// the server's shutdown after the first one, which then is the last.
    private func handOnEvents(_ context: ChannelHandlerContext, behindRequest: Bool = false) {
        if isQuiescing, behindRequest || parts.isEmpty {
            isQuiescing = false
            context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        if isInputClosed, !hasWholeRequest, !isBodyHeld {
            isInputClosed = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    private func forget() {
        parts.removeAll()
        wholeRequests = 0
    }

    private func forgetIncomplete() {
        while let part = parts.last, part.kind != .end {
            if part.kind == .longHead { wholeRequests -= 1 }
            parts.removeLast()
        }
    }
}

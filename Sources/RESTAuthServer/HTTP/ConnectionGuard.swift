import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL
import RESTAuth
import RESTAuthHummingbird

/// Guards one connection, or one stream of HTTP/2, in front of all other HTTP handlers: timeouts,
/// the end of the connection, and input that is not HTTP.
///
/// - A request must arrive whole within `requestTimeout`, even if bytes keep trickling in.
///   ``ConnectionLifetime`` covers connections without a request.
/// - Input that the parser refuses, and a body over the limit, announced or sent, are answered with
///   a problem document, after the answers to earlier requests, and the connection is closed.
/// - `Connection: close` is honoured from either side: what the client still sends is discarded for
///   a while, so that the client can read the answer. HTTP/2 has no such field; there the stream
///   ends by itself.
/// - `Expect: 100-continue` is answered when the body would be read.
/// - The body of a request of ``LongRequests`` has no limit, of size or of time, once its route has
///   admitted it. Until then ``RequestTurns`` reads nothing of it. After that the client must not
///   let the server wait for the end of a line for longer than `requestTimeout`, even if bytes keep
///   trickling in. Else the body is cut short, and its route answers what came.
/// - When the client has closed its sending side, or the whole connection, work that is queued on
///   its behalf is told (``ClientWatch``).
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    struct BodyTooLarge: Error {
        /// The configured limit, in bytes.
        let limit: Int
    }

    private let requestTimeout: TimeAmount
    private let headLimits: HeadLimits
    private let bodyLimit: Int
    private let longRequests: LongRequests
    private var isHTTP1 = false
    private var budget: RequestBudget?
    /// Set on a connection of HTTP/1.
    private var headAnswers: HeadAnswers?

    /// Requests whose response has not been written to its end.
    private var openRequests = 0
    /// Whether the client of the arriving request has been told that its body is welcome, or did
    /// not ask.
    private var isInvited = true
    /// The count of requests that were passed on, reported to the connection's
    /// ``ConnectionLifetime``.
    private var count: RequestCount?
    /// Whether the head of a request has arrived and its end has not.
    private var isReceiving = false
    /// The number of bytes of the body that have arrived.
    private var bodySize = 0
    /// Whether the request that arrives is one of ``LongRequests``.
    private var isLong = false
    /// The body of that request, once its route has admitted it.
    private var longBody: LongBody?
    /// The input that broke its body off.
    private var fault: (any Error)?
    private var patience: LinePatience
    /// Whether the body was cut short, so that nothing more of the connection is read.
    private var isCutShort = false
    /// Whether the head of a response has been written and its end has not.
    private var isResponding = false
    /// The number of responses still to write before closing; `nil` until one side asks to close.
    private var responsesUntilClose: Int?
    /// The answer to input that could not be parsed, kept while earlier requests are still open.
    private var refusal: Refusal?
    /// Whether the last response has been written; everything that arrives afterwards is discarded.
    private var isLingering = false
    /// The time to give up waiting for the client; `nil` while the client waits for the server.
    private var deadline: NIODeadline?
    /// The time to give up on a client that does not read; `nil` while it reads.
    private var readingDeadline: NIODeadline?
    private var timer: Scheduled<Void>?
    /// Whether the client has closed at least its sending side.
    private var hasClientLeft = false
    /// The action to run then, for the request that is being answered.
    private var departure: (@Sendable () -> Void)?

    private static let lingerTime = TimeAmount.seconds(2)

    init(
        requestTimeout: TimeAmount, headLimits: HeadLimits, bodyLimit: Int, longRequests: LongRequests = .none
    ) {
        self.requestTimeout = requestTimeout
        patience = LinePatience(requestTimeout)
        self.headLimits = headLimits
        self.bodyLimit = bodyLimit
        self.longRequests = longRequests
    }

    func handlerAdded(context: ChannelHandlerContext) {
        count = RequestCount(context.channel)
        watchHTTP1(context.pipeline.syncOperations)
        deadline = .now() + requestTimeout
        schedule(context, at: .now() + requestTimeout)
    }

    /// Adds handlers to an HTTP/1 connection at the points where the bytes, and the header fields,
    /// are still as they were sent.
    private func watchHTTP1(_ pipeline: ChannelPipeline.SynchronousOperations) {
        guard let parser = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self),
            let encoder = try? pipeline.handler(type: HTTPResponseEncoder.self),
            let codec = try? pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
        else { return }
        // A body in chunks of a few bytes takes several times its size on the wire.
        let budget = RequestBudget(limit: headLimits.largest + 8 * bodyLimit)
        self.budget = budget
        let headAnswers = HeadAnswers()
        self.headAnswers = headAnswers
        isHTTP1 =
            (try? pipeline.addHandler(budget, position: .before(parser))) != nil
            && (try? pipeline.addHandler(headAnswers, position: .before(encoder))) != nil
            && (try? pipeline.addHandler(HeadCheck(limits: headLimits), position: .before(codec))) != nil
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        clientLeft()
        count?.allEnded()
        context.fireChannelInactive()
    }

    // MARK: The client's end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { clientLeft() }
        context.fireUserInboundEventTriggered(event)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        if let admission = event as? LongBodyAdmission {
            promise?.succeed()
            return admit(admission.body, context)
        }
        if event is AnswerWithoutLength {
            promise?.succeed()
            headAnswers?.answerBegins()
            return
        }
        guard let watch = event as? ClientWatch else {
            context.triggerUserOutboundEvent(event, promise: promise)
            return
        }
        promise?.succeed()
        if hasClientLeft { watch.gone() } else { departure = watch.gone }
    }

    // MARK: Long bodies

    private func admit(_ body: LongBody, _ context: ChannelHandlerContext) {
        guard isLong else { return }
        if let fault { return context.fireErrorCaught(fault) }
        longBody = body
        guard isReceiving else { return body.end() }
        patience.renew()
        deadline = patience.deadline
        invite(context)
    }

    /// The server waits for more of the body from now on. While it does not read, because it is not
    /// done with what came, the client has all the time.
    func read(context: ChannelHandlerContext) {
        if longBody != nil, isReceiving, deadline == nil { deadline = patience.deadline }
        context.read()
    }

    /// Ends a body whose next line takes too long. To its route that is a body that broke off.
    private func cutShort(_ context: ChannelHandlerContext) {
        isCutShort = true
        longBody = nil
        deadline = nil
        schedule(context, at: .now() + requestTimeout)
        context.fireChannelRead(wrapInboundOut(.end(nil)))
        context.fireChannelReadComplete()
    }

    private func clientLeft() {
        hasClientLeft = true
        departure?()
        departure = nil
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if isLingering {
            // A stream of HTTP/2 ends by itself here; closing it now would lose the rest of the
            // answer.
            if case .end = part, isHTTP1 { context.close(promise: nil) }
            return
        }
        // Discards the rest of a refused request, and everything after it.
        guard refusal == nil, !isCutShort else { return }
        switch part {
        case .head(let head):
            guard responsesUntilClose == nil else { return }
            openRequests += 1
            isReceiving = true
            bodySize = 0
            deadline = .now() + requestTimeout
            if isHTTP1, head.headerFields.closeConnection { responsesUntilClose = openRequests }
            // On HTTP/1, HeadCheck has already checked the head.
            guard isHTTP1 || headLimits.admit(head) else { return refuse(context, HeadLimits.Exceeded()) }
            (isLong, longBody, fault) = (longRequests.contains(head), nil, nil)
            guard isLong || head.announcedSize <= bodyLimit else {
                return refuse(context, BodyTooLarge(limit: bodyLimit))
            }
            let expectation = head.headerFields[.expect].map { WireText($0) }
            isInvited = expectation?.isWord("100-continue") != true
            if isLong { budget?.lift() } else { invite(context) }
            count?.requestBegan()
        case .body(let bytes):
            isInvited = true
            if longBody != nil { patience.take(bytes, by: &deadline) }
            if !isLong { bodySize += bytes.readableBytes }
            guard bodySize <= bodyLimit else { return refuse(context, BodyTooLarge(limit: bodyLimit)) }
        case .end:
            isReceiving = false
            deadline = nil
            longBody?.end()
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        refuse(context, error)
    }

    private func refuse(_ context: ChannelHandlerContext, _ error: any Error) {
        guard let refusal = Refusal(error) else {
            context.fireErrorCaught(error)
            return
        }
        if isReceiving, openRequests == 1, !isLingering, isLong || isResponding {
            // The unparsable bytes are the rest of a request whose route is at work already. That
            // of a long one is told when it reads.
            responsesUntilClose = 1
            if isLong { fault = error }
            if longBody != nil { context.fireErrorCaught(error) }
        } else if canAnswer {
            answer(context, refusal)
        } else if openRequests == 0, isReceiving, !isLingering {
            // The unparsable bytes are the rest of a request that has been answered already.
            linger(context)
        } else if isReceiving || responsesUntilClose == nil {
            self.refusal = refusal
        }
    }

    /// Says that a body is welcome (RFC 9110 section 10.1.1), once all earlier answers have been
    /// written.
    private func invite(_ context: ChannelHandlerContext) {
        guard !isInvited, isReceiving, canAnswer, !isLong || longBody != nil else { return }
        isInvited = true
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
    }

    // MARK: Out

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readingDeadline = context.channel.isWritable ? nil : .now() + requestTimeout
        context.fireChannelWritabilityChanged()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isLingering else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head):
            isResponding = true
            write(head, as: data, context, promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            context.write(data, promise: promise)
            headAnswers?.answerEnded()
            responseEnded(context)
        }
    }

    private func write(
        _ head: HTTPResponse, as data: NIOAny, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) {
        let saysSo = head.headerFields.closeConnection
        // The body of a long request that was not admitted is not read.
        let isRefusal = isLong && longBody == nil && isReceiving
        if isHTTP1, saysSo || isRefusal || count?.isStopping == true { responsesUntilClose = 1 }
        // A client that asked to close is told that the connection will close (RFC 9112 section
        // 9.6).
        let willClose = isHTTP1 && responsesUntilClose == 1
        guard saysSo != willClose else {
            context.write(data, promise: promise)
            return
        }
        var head = head
        head.headerFields[.connection] = willClose ? "close" : nil
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    private func responseEnded(_ context: ChannelHandlerContext) {
        openRequests -= 1
        isResponding = false
        departure = nil
        budget?.renew()
        count?.requestEnded()
        if let refusal, canAnswer {
            answer(context, refusal)
        } else if isLong, isReceiving {
            // Answered before its end: nobody reads the rest.
            linger(context)
        } else if let count = responsesUntilClose {
            responsesUntilClose = count - 1
            if count == 1 { linger(context) } else { invite(context) }
        } else {
            invite(context)
        }
    }

    /// Closes the sending side; the connection closes when the client has sent all of its request,
    /// or after a while.
    private func linger(_ context: ChannelHandlerContext) {
        context.flush()
        isLingering = true
        guard isReceiving else {
            context.close(promise: nil)
            return
        }
        // On HTTP/2, the answer has already ended the server's side of the stream.
        if isHTTP1 { context.close(mode: .output, promise: nil) }
        deadline = .now() + Self.lingerTime
        schedule(context, at: .now() + Self.lingerTime)
    }

    /// Whether the next bytes written would be taken for the answer to what was just read.
    private var canAnswer: Bool {
        !isLingering && !isResponding && openRequests == (isReceiving ? 1 : 0)
    }

    private func answer(_ context: ChannelHandlerContext, _ refusal: Refusal) {
        isReceiving = true
        openRequests = 1
        var head = refusal.head
        if isSecure(context) { head.headerFields[.strictTransportSecurity] = Completion.strictTransportSecurity }
        for part in [HTTPResponsePart.head(head), .body(refusal.body), .end(nil)] {
            write(context: context, data: wrapOutboundOut(part), promise: nil)
        }
        // HTTP/2 has no `Connection: close` field that would have triggered this.
        if !isHTTP1 { linger(context) }
    }

    /// Whether the connection, or the one that carries the stream, uses TLS.
    private func isSecure(_ context: ChannelHandlerContext) -> Bool {
        let connection = isHTTP1 ? context.channel : context.channel.parent ?? context.channel
        return (try? connection.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self)) != nil
    }

    // MARK: Time

    /// Schedules the one timer of the connection. Requests change only the deadline, which costs
    /// nothing; the timer is moved when it fires.
    private func schedule(_ context: ChannelHandlerContext, at time: NIODeadline) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: time) {
            let (guarding, context) = bound.value
            guarding.check(context)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        let next = [deadline, readingDeadline].compactMap { $0 }.min() ?? .now() + requestTimeout
        guard next <= .now() else {
            schedule(context, at: min(next, .now() + requestTimeout))
            return
        }
        if isReceiving, canAnswer, readingDeadline == nil {
            answer(context, .timeout)
        } else if isReceiving, openRequests > 1, readingDeadline == nil {
            // The arriving request waits behind earlier ones, for the server.
            deadline = .now() + requestTimeout
            schedule(context, at: .now() + requestTimeout)
        } else if longBody != nil, isReceiving, readingDeadline == nil {
            cutShort(context)
        } else {
            context.close(promise: nil)
        }
    }
}

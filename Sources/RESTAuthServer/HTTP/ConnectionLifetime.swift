import NIOCore

/// Ends a connection that serves no request. Comes before every other handler in the pipeline, TLS
/// included, so that it also covers a client that never gets that far.
///
/// - From accept to the head of the first request, handshake included, the client has the smaller
///   of `idle` and `request`. A late client is cut off without an answer, because it has asked for
///   nothing.
/// - After that it has `idle` from the end of one request to the head of the next, in HTTP/2 as
///   well: a ping or half the fields of a request do not count. Then the connection is ended as its
///   protocol prescribes, and cut off when the client does not complete that in time.
/// - When the server stops, connections without a request end at once. The others may finish, and
///   are cut off after `shutdown`, whatever they do.
///
/// ``RequestCount`` reports when requests begin and end.
final class ConnectionLifetime: ChannelInboundHandler {
    typealias InboundIn = Any

    struct Limits: Sendable {
        let idle: TimeAmount
        let request: TimeAmount
        let shutdown: TimeAmount
    }

    private let limits: Limits
    private var context: ChannelHandlerContext?
    /// Requests whose response has not been written to its end.
    private var openRequests = 0
    private var hasServed = false
    private var isHTTP2 = false
    /// Whether the server takes no more requests.
    private(set) var isStopping = false
    /// Whether the client has been told that the connection ends.
    private var isEnding = false
    /// The time to end the connection; `nil` while there is a request.
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?
    private var cutOff: Scheduled<Void>?

    /// The time that a client has after it has been told that the connection ends, for example to
    /// read the last answer.
    private static let farewell = TimeAmount.seconds(2)

    init(_ limits: Limits) {
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        end(context, in: min(limits.idle, limits.request))
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        timer?.cancel()
        cutOff?.cancel()
    }

    // MARK: Requests

    /// - Parameter isStream: whether the request came on a stream of HTTP/2.
    func requestBegan(isStream: Bool) {
        openRequests += 1
        hasServed = true
        isHTTP2 = isStream
        deadline = nil
    }

    func requestEnded() {
        openRequests -= 1
        guard openRequests == 0, let context else { return }
        if isEnding || isStopping {
            end(context, in: Self.farewell)
        } else {
            // The timer, which is moved only when it fires, fires before that: requests cost
            // nothing.
            deadline = .now() + limits.idle
        }
    }

    // MARK: Stopping

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        isStopping = true
        cutOff = schedule(context, in: limits.shutdown) { _, context in context.close(promise: nil) }
        if !hasServed {
            context.close(promise: nil)
        } else if openRequests == 0 {
            sayFarewell(context)
        } else if isHTTP2 {
            // Streams that are open may finish; no more are opened.
            isEnding = true
            context.fireUserInboundEventTriggered(event)
        }
        // On HTTP/1, the next answer says that it is the last one.
    }

    // MARK: Time

    private func end(_ context: ChannelHandlerContext, in time: TimeAmount) {
        deadline = .now() + time
        wait(context, for: time)
    }

    private func wait(_ context: ChannelHandlerContext, for time: TimeAmount) {
        timer?.cancel()
        timer = schedule(context, in: time) { $0.check($1) }
    }

    private func check(_ context: ChannelHandlerContext) {
        guard let deadline, deadline <= .now() else {
            wait(context, for: deadline.map { $0 - .now() } ?? limits.idle)
            return
        }
        if hasServed, !isEnding, !isStopping {
            sayFarewell(context)
        } else {
            context.close(promise: nil)
        }
    }

    /// Lets HTTP and TLS end the connection as their protocols prescribe.
    private func sayFarewell(_ context: ChannelHandlerContext) {
        isEnding = true
        end(context, in: Self.farewell)
        context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }

    private func schedule(
        _ context: ChannelHandlerContext, in time: TimeAmount,
        _ work: @escaping (ConnectionLifetime, ChannelHandlerContext) -> Void
    ) -> Scheduled<Void> {
        let bound = NIOLoopBound((self, context, work), eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: time) {
            let (lifetime, context, work) = bound.value
            work(lifetime, context)
        }
    }
}

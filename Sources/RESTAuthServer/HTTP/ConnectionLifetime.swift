import NIOCore

/// Ends a connection that serves no request: in front of everything else in its pipeline, TLS
/// included, so that there is nothing that a client must reach first.
///
/// - From accept to the head of the first request, handshake included, there is the smaller one of
///   `idle` and `request`. Who is late is cut off: to who has asked for nothing there is nothing
///   to say.
/// - After that there is `idle` from the end of one request to the head of the next, in HTTP/2 as
///   well: a ping or half the fields of a request do not count. Then the connection is ended as
///   its protocol has it, and cut off when the client does not play its part of that in time.
/// - When the server stops, connections without a request end at once. The others may finish, and
///   are cut off after `shutdown`, whatever they do.
///
/// What happens in between is told by ``RequestCount``.
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
    /// The server takes no more requests.
    private(set) var isStopping = false
    /// The client has been told to go.
    private var isEnding = false
    /// When to end this; `nil` while there is a request.
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?
    private var cutOff: Scheduled<Void>?

    /// How long a client that has been told to go may take, to read the last answer for one.
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

    /// - Parameter isStream: whether it came on a stream of HTTP/2.
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
            // The timer, moved only when it fires, is there before that: requests cost nothing.
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
        // In HTTP/1 the answer will say that it is the last.
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

    /// Lets HTTP and TLS end the connection in their own ways.
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

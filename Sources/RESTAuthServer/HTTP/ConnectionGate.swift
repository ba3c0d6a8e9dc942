import NIOCore
import Synchronization

/// How many connections are open, on all sockets together.
final class ConnectionCount: Sendable {
    private struct State {
        var open = 0
        /// What the sockets do that would accept the next one.
        var waiting: [@Sendable () -> Void] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
    }

    fileprivate func opened() { state.withLock { $0.open += 1 } }

    fileprivate func closed() {
        let waiting = state.withLock { state in
            state.open -= 1
            defer { state.waiting = [] }
            return state.waiting
        }
        for accept in waiting { accept() }
    }

    /// - Returns: whether there is room for one more; otherwise `accept` is called when there may be.
    fileprivate func hasRoom(orElse accept: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            if state.open >= limit { state.waiting.append(accept) }
            return state.open < limit
        }
    }
}

/// Accepts no connection on a socket as long as there are as many as may be.
final class ConnectionGate: ChannelDuplexHandler {
    typealias InboundIn = Channel
    typealias InboundOut = Channel
    typealias OutboundIn = Never

    private let count: ConnectionCount
    private var isWaiting = false

    init(_ count: ConnectionCount) {
        self.count = count
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        count.opened()
        unwrapInboundIn(data).closeFuture.whenComplete { [count] _ in count.closed() }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        guard !isWaiting else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let hasRoom = count.hasRoom { [loop = context.eventLoop] in
            loop.execute {
                let (gate, context) = bound.value
                gate.isWaiting = false
                gate.read(context: context)
            }
        }
        if hasRoom { context.read() } else { isWaiting = true }
    }
}

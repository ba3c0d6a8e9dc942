import Foundation
import NIOCore
import RESTAuth
import Synchronization

/// How many connections are open, on all sockets together.
final class ConnectionCount: Sendable {
    private struct State {
        var open = 0
        /// What the sockets do that would accept the next one.
        var waiting: [@Sendable () -> Void] = []
    }

    /// How many may be.
    let limit: Int
    /// Whether more would be open if the process might open more files.
    private let isOfFiles: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: as many as are configured.
    ///   - reserve: how many files are left for everything else, where the process may not have
    ///     that many open. Without one the database would fail, and libdispatch, which looks at its
    ///     threads in files, end the process.
    init(limit: Int, reserve: Int) {
        let room = max(1, Shortage.filesLeft - reserve)
        self.limit = min(limit, room)
        isOfFiles = room < limit
    }

    /// How many are.
    var open: Int { state.withLock { $0.open } }

    fileprivate func opened() { state.withLock { $0.open += 1 } }

    fileprivate func closed() {
        let waiting = state.withLock { state in
            state.open -= 1
            defer { state.waiting = [] }
            return state.waiting
        }
        for accept in waiting { accept() }
    }

    /// - Returns: whether there is room for one more; otherwise `accept` is called when there may
    ///   be.
    fileprivate func hasRoom(orElse accept: @escaping @Sendable () -> Void) -> Bool {
        let hasRoom = state.withLock { state in
            if state.open >= limit { state.waiting.append(accept) }
            return state.open < limit
        }
        if !hasRoom, isOfFiles { Shortage.noticeFiles(EMFILE) }
        return hasRoom
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

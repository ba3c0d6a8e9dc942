import Foundation
import NIOCore
import RESTAuth
import Synchronization

/// The count of open connections on all sockets.
final class ConnectionCount: Sendable {
    private struct State {
        var open = 0
        /// The actions of sockets that wait to accept a connection.
        var waiting: [@Sendable () -> Void] = []
    }

    /// The largest number of open connections.
    let limit: Int
    /// Whether the limit comes from the number of files that the process may open.
    private let isOfFiles: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: the configured number.
    ///   - reserve: the file descriptors kept for everything else when the process may not open as
    ///     many as `limit` asks for. Without them the database would fail, and libdispatch, which
    ///     reads files about its threads, would end the process.
    init(limit: Int, reserve: Int) {
        let room = max(1, Shortage.filesLeft - reserve)
        self.limit = min(limit, room)
        isOfFiles = room < limit
    }

    /// The number of open connections.
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

    /// - Returns: whether one more connection may be accepted; otherwise `accept` is called later.
    fileprivate func hasRoom(orElse accept: @escaping @Sendable () -> Void) -> Bool {
        let hasRoom = state.withLock { state in
            if state.open >= limit { state.waiting.append(accept) }
            return state.open < limit
        }
        if !hasRoom, isOfFiles { Shortage.noticeFiles(EMFILE) }
        return hasRoom
    }
}

/// A handler that accepts no connection on a socket while the limit is reached.
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

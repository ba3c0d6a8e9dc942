import Foundation
import Synchronization

/// A proxy between a node and its database that produces network faults: it drops data, closes
/// connections, and falls silent.
///
/// One thread forwards data in both directions.
public final class DatabaseProxy: Sendable {
    /// A loss: the next bytes that contain this text are dropped.
    public enum Loss: Sendable {
        /// Bytes on the way to the database, which never receives them.
        case question(String)
        /// Bytes on the way back, after the database has done what was asked.
        case answer(String)
    }

    private struct State {
        /// The losses that follow, one after the other.
        var losses: [Loss] = []
        var stallsAtLoss = false
        var isStalled = false
        var isClosed = false
    }

    /// The two ends of a connection.
    private struct Link {
        let node: Int32
        let database: Int32

        func end() {
            for end in [node, database] {
                // Also takes effect where a child process has the descriptor.
                shutdown(end, Int32(SHUT_RDWR))
                close(end)
            }
        }
    }

    public let port: Int
    private let server: PostgresServer
    private let listener: Int32
    private let state = Mutex(State())
    /// Wakes the thread while nothing is forwarded.
    private let isChanged = DispatchSemaphore(value: 0)

    public init(to server: PostgresServer) throws {
        self.server = server
        port = try FreePort.next()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in.loopback(port: UInt16(port))
        guard address.withSocketAddress({ bind(listener, $0, $1) }) == 0, listen(listener, 128) == 0 else {
            throw POSIXError(.EADDRINUSE)
        }
        Thread { [weak self, listener] in
            var links: [Link] = []
            while let proxy = self, proxy.handOn(&links) {}
            for link in links { link.end() }
            close(listener)
        }.start()
    }

    /// The URL of a database through the proxy.
    public func url(_ database: String) -> String { server.networkURL(database, port: port) }

    // MARK: Faults

    /// Drops these one after the other, and closes the connection that each was on.
    public func cut(at losses: Loss...) {
        state.withLock { ($0.losses, $0.stallsAtLoss) = (losses, false) }
    }

    /// Drops this, and forwards nothing from then on.
    public func stall(at loss: Loss) {
        state.withLock { ($0.losses, $0.stallsAtLoss) = ([loss], true) }
    }

    /// Forwards nothing from now on, and keeps the connections open.
    public func stall() {
        state.withLock { $0.isStalled = true }
    }

    /// Forwards everything again.
    public func resume() {
        state.withLock { $0.isStalled = false }
        isChanged.signal()
    }

    public var isStalled: Bool { state.withLock { $0.isStalled } }
    /// Whether all losses have happened.
    public var hasLostAll: Bool { state.withLock { $0.losses.isEmpty } }

    /// Closes every connection and stops accepting.
    public func end() {
        state.withLock { $0.isClosed = true }
        isChanged.signal()
    }

    // MARK: The thread

    /// Waits briefly for data to forward, and forwards it.
    /// - Returns: whether to continue.
    private func handOn(_ links: inout [Link]) -> Bool {
        let (isStalled, isClosed) = state.withLock { ($0.isStalled, $0.isClosed) }
        guard !isClosed else { return false }
        guard !isStalled else {
            _ = isChanged.wait(timeout: .now() + 0.1)
            return true
        }
        let descriptors = [listener] + links.flatMap { [$0.node, $0.database] }
        var files = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&files, nfds_t(files.count), 10) > 0 else { return true }
        let isReady = files.map { $0.revents != 0 }
        var open: [Link] = []
        for (number, link) in links.enumerated() {
            if (!isReady[2 * number + 1] || handOn(from: link.node, to: link.database, isAnswer: false))
                && (!isReady[2 * number + 2] || handOn(from: link.database, to: link.node, isAnswer: true))
            {
                open.append(link)
            } else {
                link.end()
            }
        }
        if isReady[0], let link = accept() { open.append(link) }
        links = open
        return true
    }

    private func accept() -> Link? {
        let node = Foundation.accept(listener, nil, nil)
        guard node >= 0, fcntl(node, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        let link = Link(node: node, database: socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_in.loopback(port: UInt16(server.port))
        guard address.withSocketAddress({ connect(link.database, $0, $1) }) == 0 else {
            link.end()
            return nil
        }
        var on: Int32 = 1
        for end in [link.node, link.database] {
            setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        return link
    }

    /// - Returns: whether the connection stays open.
    private func handOn(from: Int32, to: Int32, isAnswer: Bool) -> Bool {
        // Another connection has just caused a stall: the data stays in the socket.
        guard !isStalled else { return true }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(from, &bytes, bytes.count, 0)
        guard count > 0 else { return false }
        var rest = bytes[..<count]
        if let stalls = loses(Array(rest), isAnswer: isAnswer) { return stalls }
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Foundation.send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    /// Whether everything stalls now, when these bytes are lost; `nil` when they are not lost.
    private func loses(_ bytes: [UInt8], isAnswer: Bool) -> Bool? {
        state.withLock { state in
            guard let loss = state.losses.first, loss.concerns(bytes, isAnswer: isAnswer) else { return nil }
            state.losses.removeFirst()
            state.isStalled = state.stallsAtLoss
            return state.stallsAtLoss
        }
    }
}

extension DatabaseProxy.Loss {
    fileprivate func concerns(_ bytes: [UInt8], isAnswer: Bool) -> Bool {
        switch self {
        case .question(let text): !isAnswer && bytes.firstRange(of: Array(text.utf8)) != nil
        case .answer(let text): isAnswer && bytes.firstRange(of: Array(text.utf8)) != nil
        }
    }
}

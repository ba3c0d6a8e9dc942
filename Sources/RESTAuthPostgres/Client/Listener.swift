import CLibpq
import Foundation
import Logging
import Synchronization

/// Listens for notifications of the database (LISTEN), on a connection and a thread of its own.
///
/// A notification only makes a node read sooner. Those that are missed, as while the connection is
/// lost, are made up for by reading regularly.
final class Listener: Sendable {
    private struct State {
        /// Whether there was a notification since the last call of ``news(within:)``.
        var hasNews = false
        var waiting: CheckedContinuation<Void, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let call: WakeUpCall
    private let connector: Connector
    private let channel: String

    init(_ connector: Connector, channel: String, call: WakeUpCall) {
        self.call = call
        self.connector = connector
        self.channel = channel
        let thread = Thread { [self] in run() }
        thread.name = "postgres-listen"
        thread.start()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        call.ring()
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }

    // MARK: Waiting

    /// Waits for a notification, which may have come since the last call, and no longer than
    /// `duration`. There is one waiter at a time.
    func news(within duration: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.news() }
            group.addTask { try await Task.sleep(for: duration) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func news() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.hasNews || Task.isCancelled {
                        state.hasNews = false
                        return true
                    }
                    state.waiting = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            wake(hasNews: false)
        }
    }

    private func wake(hasNews: Bool) {
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            if state.waiting == nil, hasNews { state.hasNews = true }
            return state.waiting
        }
        waiting?.resume()
    }

    // MARK: The connection's thread

    private func run() {
        var pause: Duration = .milliseconds(20)
        while !isClosed {
            do {
                let connection = try connector.connect()
                // Through a pooler, another client might get the notifications, and go on getting
                // them.
                guard !connection.isThroughPooler else { return }
                try connection.execute("LISTEN \(channel)")
                pause = .milliseconds(20)
                // There may have been notifications while it was not listening.
                wake(hasNews: true)
                try listen(connection)
            } catch {
                Logger(label: "rest-auth.postgres").debug("not listening", metadata: ["error": "\(error)"])
            }
            call.wait(pause)
            pause = min(pause * 2, .milliseconds(500))
        }
    }

    private func listen(_ connection: Connection) throws {
        while !isClosed {
            let hasSpoken = call.wait(.seconds(15), for: PQsocket(connection.handle))
            // After a long silence, this checks that the server is still there.
            if !hasSpoken {
                try connection.query(
                    Statement("SELECT 1"), within: .seconds(connector.configuration.timeout + 1))
            }
            guard PQconsumeInput(connection.handle) == 1 else { throw connection.lost }
            var isNews = false
            while let notification = PQnotifies(connection.handle) {
                PQfreemem(notification)
                isNews = true
            }
            if isNews { wake(hasNews: true) }
        }
    }
}

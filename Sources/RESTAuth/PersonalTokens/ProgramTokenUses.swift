import Foundation
import Logging
import ServiceLifecycle
import Synchronization

/// Notes the uses of tokens for programs, beside the requests that made them: however long the
/// storage takes, no request waits for it.
///
/// A use that cannot be noted, because too many wait or the storage refuses, is left out. The next
/// use of the token is noted in its place, and the same holds for a digest that is to be replaced.
/// Where this service does not run, a use is noted before its request goes on.
package final class ProgramTokenUses: Service {
    /// A use of a token, and the digest that it is to have from then on.
    struct Use: Sendable {
        let id: ProgramToken.ID
        let at: Date
        /// The digest by which the token was found.
        let digest: [UInt8]
        /// The digest that it gets; the same to keep it.
        let replacement: [UInt8]
    }

    private struct State {
        /// The uses that wait or are being written, one a token.
        var noted: [ProgramToken.ID: Use] = [:]
        /// The way to the service while it runs.
        var queue: AsyncStream<Use>.Continuation?
        /// Whether the last write failed, so that an outage is logged once.
        var isFailing = false
    }

    /// The most uses that wait; a token takes a place at most once.
    private static let capacity = 10_000
    /// The most uses that are written at the same time: half of the connections of a PostgreSQL
    /// backend that write by default, so that uses which wait for a locked row leave some to
    /// others.
    private static let writers = 2

    private let storage: any Storage
    private let state = Mutex(State())

    init(storage: any Storage) {
        self.storage = storage
    }

    // MARK: Noting

    /// Notes a use: at once returns where the service runs, and otherwise after the write.
    func note(_ use: Use) async {
        let isOwn = state.withLock { state in
            guard state.noted[use.id] == nil, state.noted.count < Self.capacity else { return false }
            state.noted[use.id] = use
            state.queue?.yield(use)
            return state.queue == nil
        }
        if isOwn { await write(use) }
    }

    /// Whether the service runs.
    package var isRunning: Bool { state.withLock { $0.queue != nil } }

    /// The times of the uses that are not written yet.
    var unwritten: [ProgramToken.ID: Date] { state.withLock { $0.noted.mapValues(\.at) } }

    // MARK: Writing

    /// Writes the uses until graceful shutdown, and before it ends those that still wait.
    package func run() async throws {
        let (uses, queue) = AsyncStream.makeStream(of: Use.self)
        state.withLock { $0.queue = queue }
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                var count = 0
                for await use in uses {
                    if count == Self.writers { _ = await group.next() } else { count += 1 }
                    group.addTask { await self.write(use) }
                }
            }
        } onGracefulShutdown: {
            // From here on, a request notes its own use.
            self.state.withLock { $0.queue = nil }
            queue.finish()
        }
        // What a cancelled service has not written.
        state.withLock { ($0.queue, $0.noted) = (nil, [:]) }
    }

    private func write(_ use: Use) async {
        var failure: (any Error)?
        do {
            _ = try await storage.useProgramToken(
                id: use.id, at: use.at, unlessUsedAfter: use.at.addingTimeInterval(-ProgramTokens.memory),
                replacing: use.digest, with: use.replacement)
        } catch {
            failure = error
        }
        let isNews = state.withLock { state in
            state.noted[use.id] = nil
            defer { state.isFailing = failure != nil }
            return !state.isFailing
        }
        if let failure {
            Logger.current.log(
                level: isNews ? .warning : .debug, "the use of a token could not be noted",
                metadata: ["error": "\(failure)"])
        }
    }
}

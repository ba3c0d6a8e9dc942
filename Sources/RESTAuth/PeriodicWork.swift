import Logging
import ServiceLifecycle

/// Does `work` now and then again and again, until graceful shutdown. What fails is logged and tried anew the next time: nothing that is done
/// this way has to be undone.
package func every(_ interval: Duration, _ failure: String, _ work: () async throws -> Void) async throws {
    while !Task.isCancelled && !Task.isShuttingDownGracefully {
        do {
            try await work()
        } catch {
            Logger.current.warning("\(failure)", metadata: ["error": "\(error)"])
        }
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: interval) }
    }
}

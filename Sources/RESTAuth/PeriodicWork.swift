import Logging
import ServiceLifecycle

/// Does `work` now and then again and again, until graceful shutdown. What fails is logged, the
/// first time, and tried anew the next time: nothing that is done this way has to be undone.
package func every(_ interval: Duration, _ failure: String, _ work: () async throws -> Void) async throws {
    try await repeatedly(failure, pause: { try await Task.sleep(for: interval) }, work)
}

/// The same with a pause of one's own, which must end when its task is cancelled.
func repeatedly(
    _ failure: String, pause: @escaping @Sendable () async throws -> Void, _ work: () async throws -> Void
) async throws {
    var isFailing = false
    while !Task.isCancelled && !Task.isShuttingDownGracefully {
        do {
            try await work()
            isFailing = false
        } catch {
            // An outage is one line, not one for each try.
            Logger.current.log(level: isFailing ? .debug : .warning, "\(failure)", metadata: ["error": "\(error)"])
            isFailing = true
        }
        try? await cancelWhenGracefulShutdown { try await pause() }
    }
}

import Logging
import ServiceLifecycle

/// Does `work` now and then at each interval, until graceful shutdown. A failure is logged, once
/// until it works again, and `work` is tried again at the next interval; it must leave nothing
/// behind that has to be undone.
package func every(_ interval: Duration, _ failure: String, _ work: () async throws -> Void) async throws {
    try await repeatedly(failure, pause: { try await Task.sleep(for: interval) }, work)
}

/// Does `work` again after each `pause`, which must end when its task is cancelled.
func repeatedly(
    _ failure: String, pause: @escaping @Sendable () async throws -> Void, _ work: () async throws -> Void
) async throws {
    var isFailing = false
    while !Task.isCancelled && !Task.isShuttingDownGracefully {
        do {
            try await work()
            isFailing = false
        } catch {
            // An outage is logged once, not at each try.
            Logger.current.log(level: isFailing ? .debug : .warning, "\(failure)", metadata: ["error": "\(error)"])
            isFailing = true
        }
        try? await cancelWhenGracefulShutdown { try await pause() }
    }
}

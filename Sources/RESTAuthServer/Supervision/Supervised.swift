import Logging
import NIOCore
import RESTAuth
import ServiceLifecycle

/// A service that answers the watchdog of the service manager while the server runs, and reports
/// that the server stops.
struct Supervised: Service {
    let manager: ServiceManager
    let loops: any EventLoopGroup

    func run() async throws {
        try await withGracefulShutdownHandler {
            guard let interval = manager.watchdogInterval else { return try await gracefulShutdown() }
            try await every(interval, "the service manager could not be told") {
                try await answer()
                manager.isAlive()
            }
        } onGracefulShutdown: {
            manager.stopping()
        }
    }

    /// Returns when each thread that serves connections, and the cooperative pool, has run a step:
    /// a hanging thread keeps the watchdog from being answered.
    private func answer() async throws {
        for loop in loops.makeIterator() { try await loop.submit {}.get() }
    }
}

import Logging
import NIOCore
import RESTAuth
import ServiceLifecycle

/// Tells the service manager, as long as the server runs, that it is alive, and in the end that it
/// stops.
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

    /// Returns when each thread that serves connections has done something else for a moment, and
    /// those that wait for the database or a hash have run this: whatever hangs keeps the word from
    /// being said.
    private func answer() async throws {
        for loop in loops.makeIterator() { try await loop.submit {}.get() }
    }
}

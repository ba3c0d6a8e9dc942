import Dispatch
import Foundation
import Logging
import ServiceLifecycle

/// Ends the process when the time to stop is over, whatever is still running: a request or a
/// service that waits for its database, or a blocked log output.
///
/// Connections are cut off and tasks cancelled after `seconds`; one second later the process exits,
/// because nothing that is still waited for would reach a client. What has been confirmed to
/// clients is in the database.
struct StopLimit: Service {
    let seconds: Int
    let logger: Logger

    /// Returns as soon as the server is told to stop: services stop one after the other, and those
    /// started before this one must not wait for it.
    func run() async throws {
        try await gracefulShutdown()
        // Uses a dispatch queue, not a task: blocked tasks may be what delays the stop.
        let (queue, end) = (DispatchQueue.global(), DispatchTime.now() + .seconds(seconds))
        queue.asyncAfter(deadline: end) { [logger] in logger.warning("what was in flight is cut off") }
        queue.asyncAfter(deadline: end + .seconds(1)) { _exit(EXIT_SUCCESS) }
    }
}

import Dispatch
import Foundation
import Logging
import ServiceLifecycle

/// Ends the process when the time to stop is over, whatever is still running then: a request or a
/// service that waits for its database, say, or the log for somebody to read it.
///
/// Connections are cut off and tasks cancelled after `seconds`, and one second later nothing that
/// could be waited for would reach anybody. What has been promised is in the database.
struct StopLimit: Service {
    let seconds: Int
    let logger: Logger

    /// Returns as soon as the server is told to stop: services stop one after the other, and those
    /// before this one must not wait for it.
    func run() async throws {
        try await gracefulShutdown()
        // No task: those may be what holds things up.
        let (queue, end) = (DispatchQueue.global(), DispatchTime.now() + .seconds(seconds))
        queue.asyncAfter(deadline: end) { [logger] in logger.warning("what was in flight is cut off") }
        queue.asyncAfter(deadline: end + .seconds(1)) { _exit(EXIT_SUCCESS) }
    }
}

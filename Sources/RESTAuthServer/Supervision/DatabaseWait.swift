import Foundation
import Logging
import RESTAuth
import RESTAuthPostgres

extension Settings {
    /// Opens the core over the configured database. At a start, waits for the database up to
    /// `wait_for_database` seconds.
    /// - Throws: the last error when the time is over; at once for errors that waiting does not
    ///   solve, such as a wrong password or the database of another program.
    func openAuthWhenThere(_ logger: Logger, _ manager: ServiceManager) async throws -> Auth {
        let end = ContinuousClock.now + .seconds(waitForDatabase)
        var (said, saidAt) = ("", ContinuousClock.now)
        while true {
            do {
                return try await openAuth(createsMissing: true, isServer: true)
            } catch let error as AuthError {
                let rest = end - .now
                guard rest > .zero, await mayPass(error) else { throw error }
                // A new reason is logged at once, the same one every five seconds.
                if error.detail != said || .now - saidAt >= .seconds(5) {
                    (said, saidAt) = (error.detail, .now)
                    logger.notice(
                        "waiting for the database",
                        metadata: ["error": "\(said)", "seconds_left": "\(rest.components.seconds)"])
                }
                manager.starting("waiting for the database: \(error.detail)", for: 30)
                try await Task.sleep(for: min(rest, .milliseconds(500)))
            }
        }
    }

    /// Whether the error may disappear by itself: the database cannot be reached or found, is
    /// starting or locked, or its directory is not mounted yet.
    private func mayPass(_ error: AuthError) async -> Bool {
        if error.code == .storageUnavailable { return true }
        return switch database {
        case .sqlite(let path): !FileManager.default.fileExists(atPath: Self.directory(of: path))
        case .postgres(let url): await !PostgresStorage.isAnswering(postgresConfiguration(url))
        }
    }

    private static func directory(of path: String) -> String {
        URL(fileURLWithPath: path).deletingLastPathComponent().path
    }
}

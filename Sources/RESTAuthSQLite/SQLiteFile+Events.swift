import Foundation
import GRDB
import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension SQLiteFile {
    /// Records what is done with the file.
    /// - Returns: whether it was; not in a database of a version without events.
    /// - Throws: `misconfigured` where the file cannot be written.
    func record(_ event: AuthEvent) throws -> Bool {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        for (place, mode) in [(path, W_OK), (directory, W_OK | X_OK)] {
            guard let problem = FileAccess.problem(place, mode: mode, remedy: .otherUser) else { continue }
            throw AuthError(.misconfigured, problem)
        }
        do {
            // Before anything is written: it may be anybody's file.
            let hasEvents = try look { database in
                try Int32.fetchOne(database, sql: "PRAGMA application_id") == Migrations.applicationID
                    && database.tableExists("audit_events")
            }
            guard hasEvents else { return false }
            let queue = try DatabaseQueue(path: path, configuration: SQLiteStorage.configuration)
            defer { try? queue.close() }
            try queue.write { try $0.append(event) }
            return true
        } catch {
            throw SQLiteStorage.unusable(path, error)
        }
    }
}

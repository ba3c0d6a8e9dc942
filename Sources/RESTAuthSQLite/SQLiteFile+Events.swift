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
    /// Records an event about the file.
    /// - Returns: whether it was recorded; `false` for a database of a version without events, or
    ///   of another program.
    /// - Throws: `misconfigured` when the file cannot be written.
    func record(_ event: AuthEvent) throws -> Bool {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        for (place, mode) in [(path, W_OK), (directory, W_OK | X_OK)] {
            guard let problem = FileAccess.problem(place, mode: mode, remedy: .otherUser) else { continue }
            throw AuthError(.misconfigured, problem)
        }
        do {
            // Checked before anything is written: the file may belong to another program.
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

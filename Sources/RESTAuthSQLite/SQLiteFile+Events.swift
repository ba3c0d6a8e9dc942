import Foundation
import GRDB
package import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension SQLiteFile {
    /// Records an event about the file, if the file is writable and has a table of events.
    package func record(_ event: AuthEvent) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard access(path, W_OK) == 0, access(directory, W_OK | X_OK) == 0 else { return }
        do {
            let queue = try DatabaseQueue(path: path, configuration: SQLiteStorage.configuration)
            try queue.write { database in
                if try database.tableExists("audit_events") { try database.append(event) }
            }
            try queue.close()
        } catch {
            throw SQLiteStorage.unusable(path, error)
        }
    }
}

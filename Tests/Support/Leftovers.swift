import Foundation
import Synchronization

/// What the tests have outside their own process, and what becomes of it when that ends.
enum Leftovers {
    private static let processes = Mutex<Set<Int32>>([])

    /// Every directory of the tests lies in this one, which goes with their process.
    static let directory: String = {
        var template = Array("/tmp/rest-auth-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no directory can be made in /tmp") }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // PostgreSQL runs as another user, in a directory of its own.
        chmod(path, 0o755)
        atexit { Leftovers.clear() }
        return path
    }()

    static func add(process: Int32) { processes.withLock { _ = $0.insert(process) } }
    static func remove(process: Int32) { processes.withLock { _ = $0.remove(process) } }

    private static func clear() {
        for process in processes.withLock({ $0 }) { kill(-process, SIGKILL) }
        try? FileManager.default.removeItem(atPath: directory)
    }
}

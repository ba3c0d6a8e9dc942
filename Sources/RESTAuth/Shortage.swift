import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A shortage of the machine. While it lasts, every request runs into it, so the shortage and its
/// remedy are logged at most once a minute.
package final class Shortage: Sendable {
    private struct State {
        var saidAt: ContinuousClock.Instant?
        var unsaid = 0
    }

    private let state = Mutex(State())

    private static let pause = Duration.seconds(60)
    private static let disk = Shortage()
    private static let files = Shortage()

    private init() {}

    /// Logs that the disk of the database is full.
    package static func noticeDisk() {
        disk.say(
            """
            the disk of the database is full: nothing can be stored, so that nobody can register or sign in; make room \
            on it, or move the database to a larger one. This goes on by itself then
            """)
    }

    /// Logs that no more files can be opened, if `code` says so.
    /// - Parameter code: the error of opening a file or a connection.
    /// - Returns: whether it is such a shortage.
    @discardableResult
    package static func noticeFiles(_ code: Int32) -> Bool {
        switch code {
        case EMFILE:
            files.say(
                """
                the process has as many files and connections open as it may (ulimit -n is \
                \(limit.map(String.init) ?? "unknown")), so that who comes waits: raise that, with LimitNOFILE= in a \
                unit of systemd or --ulimit nofile= of a container, or lower max_connections
                """)
        case ENFILE:
            files.say("the machine has as many files open as it may, so that who comes waits: raise fs.file-max")
        default: return false
        }
        return true
    }

    /// Whether no more files can be opened, for callers that do not know the error number.
    package static var isOutOfFiles: Bool {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor < 0 else {
            close(descriptor)
            return false
        }
        return noticeFiles(errno)
    }

    /// Number of files that the process may still open; 0 when it is unknown.
    package static var filesLeft: Int {
        // The lowest free descriptor.
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0, let limit else { return 0 }
        close(descriptor)
        return max(0, limit - Int(descriptor))
    }

    private static var limit: Int? {
        var limit = rlimit()
        #if canImport(Glibc)
            let status = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
            let status = getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        return status == 0 ? Int(clamping: limit.rlim_cur) : nil
    }

    private func say(_ message: String) {
        let now = ContinuousClock.now
        let unsaid = state.withLock { state -> Int? in
            if let saidAt = state.saidAt, now - saidAt < Self.pause {
                state.unsaid += 1
                return nil
            }
            defer { state = State(saidAt: now) }
            return state.unsaid
        }
        guard let unsaid else { return }
        Logger.current.error(
            "\(message)", metadata: unsaid > 0 ? ["failures_since_last_line": "\(unsaid + 1)"] : [:])
    }
}

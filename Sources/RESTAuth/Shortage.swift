import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What the machine has run out of. While it lasts, every request runs into it: what it is and what
/// to do is logged once a minute, and no more often.
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

    /// The disk of the database takes nothing any more.
    package static func noticeDisk() {
        disk.say(
            """
            the disk of the database is full: nothing can be stored, so that nobody can register or sign in; make room \
            on it, or move the database to a larger one. This goes on by itself then
            """)
    }

    /// - Parameter code: why a file, or a connection, could not be opened; nothing is said unless
    ///   it is for want of files.
    /// - Returns: whether it is.
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

    /// Whether a file can be opened; for who was only told that something could not be.
    package static var isOutOfFiles: Bool {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor < 0 else {
            close(descriptor)
            return false
        }
        return noticeFiles(errno)
    }

    /// How many files the process may open beside those that it has open; 0 when nobody knows.
    package static var filesLeft: Int {
        // The lowest number that is free.
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

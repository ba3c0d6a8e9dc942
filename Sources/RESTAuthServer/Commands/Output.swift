import Foundation
import RESTAuth
import Synchronization

/// Standard output and standard error: the one place that writes to them.
///
/// Neither may end a server, whatever has become of it: closed, full, or a pipe that nobody reads.
enum Output {
    /// Before anything else is opened: where one of the three is closed, the next file, a database
    /// say, would be given its number, and what is meant for a terminal would be written into it.
    ///
    /// What takes its place can only be read, so that writing fails as it would have.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest number that is free, which is this one.
            _ = open("/dev/null", O_RDONLY)
        }
    }

    /// Writes a line that a command was run for to standard output.
    /// - Throws: `misconfigured` when not all of it could be written.
    static func write(_ line: String) throws(AuthError) { try write(Array((line + "\n").utf8)) }

    /// Writes lines to standard output, in one piece.
    /// - Throws: `misconfigured` when not all of them could be written.
    static func write(lines: some Sequence<String>) throws(AuthError) {
        try write(lines.flatMap { Array($0.utf8) + [UInt8(ascii: "\n")] })
    }

    /// - Throws: `misconfigured` when not all of it could be written.
    static func write(_ bytes: some Collection<UInt8>) throws(AuthError) {
        let failure = send(Array(bytes), to: STDOUT_FILENO)
        guard failure == 0 else { throw unwritable(failure) }
    }

    /// Writes a line that is shown this once, and waits until it is on disk where it goes to a
    /// file: some file systems say that they are full only then.
    /// - Throws: `misconfigured` when it may have been lost.
    static func deliver(_ line: String) throws(AuthError) {
        try write(line)
        guard fsync(STDOUT_FILENO) == 0 || [EINVAL, EROFS, ENOTSUP, ENOSYS].contains(errno) else {
            throw unwritable(errno)
        }
    }

    /// Says on standard output what was done. Where that cannot be written it is done all the same,
    /// and what follows must be: it is said on standard error, and ``end()`` says that it was.
    static func report(_ line: String) {
        do {
            try write(line)
        } catch {
            failure.withLock { $0 = error }
            note(line + "\n")
        }
    }

    /// - Throws: what kept a report from standard output.
    static func end() throws(AuthError) {
        if let error = failure.withLock(\.self) { throw error }
    }

    private static let failure = Mutex<AuthError?>(nil)

    /// Writes to standard error, as far as that is possible.
    static func note(_ text: String) { log(Array(text.utf8)) }

    /// Writes to standard error, as far as that is possible.
    static func log(_ bytes: [UInt8]) { _ = send(bytes, to: STDERR_FILENO) }

    private static func unwritable(_ failure: Int32) -> AuthError {
        // What stands in for one that is closed can only be read.
        let reason = failure == EBADF ? "it is closed" : String(cString: strerror(failure))
        return AuthError(.misconfigured, "standard output cannot be written: \(reason)")
    }

    /// - Returns: 0, or the number of the error.
    private static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                } else if errno == EAGAIN {
                    // Whoever shares it has said that it does not wait.
                    var one = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&one, 1, -1)
                } else if count == 0 || errno != EINTR {
                    return count == 0 ? EIO : errno
                }
            }
            return 0
        }
    }
}

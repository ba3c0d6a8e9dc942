import Foundation
import RESTAuth
import Synchronization

/// Standard output and standard error; only this type writes to them.
///
/// Neither may end a server, whether it is closed, full, or a pipe that nobody reads.
enum Output {
    /// Opens standard descriptors that are closed. Must be called before any other file is opened:
    /// that file, for example the database, would get the number of the closed descriptor, and text
    /// meant for a terminal would be written into it.
    ///
    /// The replacement can only be read, so that writing fails as it would have.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) == -1 {
            // Gives the lowest free number, which is this one.
            _ = open("/dev/null", O_RDONLY)
        }
    }

    /// Writes a line of a command's result to standard output.
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

    /// Writes a line that is shown only once, and waits until it is on disk when standard output is
    /// a file: some file systems report only then that they are full.
    /// - Throws: `misconfigured` when it may have been lost.
    static func deliver(_ line: String) throws(AuthError) {
        try write(line)
        guard fsync(STDOUT_FILENO) == 0 || [EINVAL, EROFS, ENOTSUP, ENOSYS].contains(errno) else {
            throw unwritable(errno)
        }
    }

    /// Reports on standard output what was done. Where that fails the command goes on, because the
    /// change is made: the line goes to standard error, and ``end()`` throws the error.
    static func report(_ line: String) {
        do {
            try write(line)
        } catch {
            failure.withLock { $0 = error }
            note(line + "\n")
        }
    }

    /// - Throws: the error that kept a report from standard output.
    static func end() throws(AuthError) {
        if let error = failure.withLock(\.self) { throw error }
    }

    private static let failure = Mutex<AuthError?>(nil)

    /// Writes to standard error; errors are ignored.
    static func note(_ text: String) { log(Array(text.utf8)) }

    /// Writes to standard error; errors are ignored.
    static func log(_ bytes: [UInt8]) { _ = send(bytes, to: STDERR_FILENO) }

    private static func unwritable(_ failure: Int32) -> AuthError {
        // The replacement of a closed descriptor can only be read.
        let reason = failure == EBADF ? "it is closed" : String(cString: strerror(failure))
        return AuthError(.misconfigured, "standard output cannot be written: \(reason)")
    }

    /// - Returns: 0, or the value of `errno`.
    private static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                } else if errno == EAGAIN {
                    // Another process that shares the descriptor has made it non-blocking.
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

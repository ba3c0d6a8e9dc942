#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A regular file that is opened for reading.
///
/// Anything else is refused at once. A pipe, for example, keeps its reader waiting, and is empty
/// when it is read a second time, as a server does.
package final class RegularFile {
    package let descriptor: Int32
    let status: stat

    /// Opens a file, following links.
    package init(_ path: String) throws(Unreadable) {
        // Without O_NONBLOCK a pipe blocks until somebody writes into it.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unreadable(path, errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw Unreadable(kind: status.st_mode & S_IFMT)
        }
        (self.descriptor, self.status) = (descriptor, status)
    }

    deinit { close(descriptor) }

    /// Reads the whole file, or the first `limit` bytes and one more if it is longer.
    package func bytes(limit: Int = .max) throws(Unreadable) -> [UInt8] {
        var (bytes, piece) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
        while bytes.count <= limit {
            let count = read(descriptor, &piece, min(piece.count, limit == .max ? .max : limit + 1 - bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Unreadable("", errno) }
            if count == 0 { break }
            bytes += piece.prefix(count)
        }
        return bytes
    }

    /// The reason why a file cannot be read.
    package struct Unreadable: Error {
        /// Whether there is no such file, or no target of a link.
        package let isMissing: Bool
        /// Reason as words that follow "cannot be read: ".
        package let reason: String

        fileprivate init(_ path: String, _ code: Int32) {
            isMissing = code == ENOENT
            reason =
                switch code {
                case EACCES, EPERM: FileAccess.problem(path, mode: R_OK) ?? String(cString: strerror(code))
                case ENOTDIR: "what stands before a slash in it is a file, and no directory"
                case ENXIO: "it is a socket, and no file"
                default: String(cString: strerror(code))
                }
        }

        fileprivate init(kind: mode_t) {
            isMissing = false
            reason =
                switch kind {
                case S_IFDIR: "it is a directory: name the file in it"
                case S_IFIFO: "it is a pipe, which can be read only once: put what it has into a file"
                default: "it is a device, and no file"
                }
        }
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that is opened to be read, and is one.
///
/// Whatever else has a name is refused at once. A pipe keeps its reader waiting, and has nothing
/// for who reads a second time, as a server does.
package final class RegularFile {
    package let descriptor: Int32
    let status: stat

    /// Opens what a link leads to.
    package init(_ path: String) throws(Unreadable) {
        // A pipe would keep whoever opens it until somebody writes into it.
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

    /// All that it has, or so many bytes and one more.
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

    /// Why there is nothing to be read.
    package struct Unreadable: Error {
        /// There is no such file, or a link leads to none.
        package let isMissing: Bool
        /// In words that follow "cannot be read: ".
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

import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that is written as a whole: made beside its destination under a name of its own, and
/// moved there when all of it is on disk. Whenever the machine stops, the destination has its old
/// contents, or all of the new ones.
///
/// The temporary name is removed with the last reference, whether or not the file was moved.
package final class NewFile {
    /// The temporary path.
    package let path: String
    /// The descriptor, open for reading and writing; the file's mode is 0600.
    package let descriptor: Int32
    private let place: String

    /// Makes an empty file beside `place`.
    /// - Throws: the system's error.
    package init(for place: String) throws(SystemError) {
        let url = URL(fileURLWithPath: place)
        let beside = url.deletingLastPathComponent().appendingPathComponent("." + url.lastPathComponent).path
        var template = Array("\(beside).XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw SystemError() }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.place = place
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// Appends bytes, and waits until all of the file is on disk.
    /// - Throws: the system's error.
    package func write(_ bytes: [UInt8]) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, min($0.count, 1 << 24)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError() }
            rest = rest.dropFirst(count)
        }
        try synchronize()
    }

    /// Waits until all of the file is on disk, even what others have written.
    /// - Throws: the system's error.
    package func synchronize() throws(SystemError) {
        guard fsync(descriptor) == 0 else { throw SystemError() }
    }

    /// Moves the file to its destination in one step. The name is synced to disk too, if this
    /// process may read the directory.
    /// - Parameter isReplacing: whether an existing file is replaced.
    /// - Throws: the system's error: `EEXIST` for an existing file that is not to be replaced.
    package func put(isReplacing: Bool) throws(SystemError) {
        // A link fails if a file has been made there in the meantime, which a rename would replace.
        guard (isReplacing ? rename(path, place) : link(path, place)) == 0 else { throw SystemError() }
        let directory = open(URL(fileURLWithPath: place).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }
}

/// An error number of the system.
package struct SystemError: Error {
    package let code: Int32

    /// Takes the last error of this thread.
    package init() { code = errno }

    /// Text of the system for the error.
    package var reason: String { String(cString: strerror(code)) }
}

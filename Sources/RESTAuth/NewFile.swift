import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A file that is written whole: made beside the place that it is for, under a name of its own, and
/// put there when all of it is on disk. Whenever the machine stops, the place has what it had
/// before, or all of the new file.
///
/// Its own name is removed with the last reference, whether or not it was put in its place.
package final class NewFile {
    /// Its own name.
    package let path: String
    /// Open for reading and writing; the mode is 0600.
    package let descriptor: Int32
    private let place: String

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

    /// Adds bytes, and waits until all of the file is on disk.
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

    /// Waits until all of the file is on disk, whoever has written it.
    /// - Throws: the system's error.
    package func synchronize() throws(SystemError) {
        guard fsync(descriptor) == 0 else { throw SystemError() }
    }

    /// Puts the file in its place at once, and brings the name to disk as far as this process may
    /// read the directory.
    /// - Parameter isReplacing: whether a file that is there gives way.
    /// - Throws: the system's error: `EEXIST` for a file that is there and does not give way.
    package func put(isReplacing: Bool) throws(SystemError) {
        // A link fails where a rename would replace what has come in the meantime.
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

    /// The last one of this thread.
    package init() { code = errno }

    /// In words.
    package var reason: String { String(cString: strerror(code)) }
}

import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Lock held by the one process that makes the file, brings its schema up to date or replaces it;
/// other processes wait for it.
///
/// It is a lock on the directory, not on the file: closing a second descriptor of the file would
/// drop SQLite's own locks.
struct DirectoryLock {
    private let descriptor: Int32

    init(of path: String) {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor >= 0 { flock(descriptor, LOCK_EX) }
    }

    func release() {
        if descriptor >= 0 { close(descriptor) }
    }
}

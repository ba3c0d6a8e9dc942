import Foundation
import RESTAuth

/// A unix-domain socket in the file system: a name that outlives its process, and a mode and group
/// that say who may connect.
struct UnixSocket: Sendable {
    let path: String
    /// Who may write to it may connect.
    let mode: mode_t
    /// `nil` for that of the process.
    let group: gid_t?

    private var directory: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    /// Makes sure that the name can be taken: that nothing else has it, and nobody listens there.
    /// - Throws: `misconfigured`, with what is in the way and what to do.
    func check() throws(AuthError) {
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFSOCK else {
                throw AuthError(.misconfigured, "\(path) is there and is no socket; it was left untouched")
            }
            if isLive { throw AuthError(.addressInUse, "\(path) is in use: a server listens there; stop it first") }
        } else if errno != ENOENT {
            throw failed("cannot be made")
        }
        guard access(directory, W_OK | X_OK) == 0 else {
            let reason = errno == ENOENT ? "there is no directory \(directory)" : String(cString: strerror(errno))
            throw AuthError(.misconfigured, "the socket \(path) cannot be made: \(reason)")
        }
    }

    /// Takes the name, from a server that ended without giving it back as well, and listens.
    func open(backlog: Int32) throws(AuthError) -> Taken {
        // Of two that start at once, the second looks when the first listens.
        let lock = Foundation.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(lock) }
        if lock >= 0 { while flock(lock, LOCK_EX) != 0, errno == EINTR {} }
        try check()
        unlink(path)
        let descriptor = Self.socket()
        guard descriptor >= 0 else { throw failed("cannot be made") }
        do {
            // The process's own mask lets nobody else in before mode and group are what they should
            // be.
            guard withAddress({ bind(descriptor, $0, $1) }) == 0 else { throw failed("cannot be made") }
            if let group, chown(path, uid_t.max, group) != 0 {
                throw failed("cannot be given to the group \(group); the process has to be in it")
            }
            guard chmod(path, mode) == 0, listen(descriptor, backlog) == 0 else { throw failed("cannot be used") }
        } catch let error as AuthError {
            close(descriptor)
            throw error
        } catch {
            close(descriptor)
            throw failed("cannot be used")
        }
        return Taken(descriptor: descriptor, file: file)
    }

    /// What listens, and the file that is its name.
    struct Taken {
        let descriptor: Int32
        fileprivate let file: ino_t?
    }

    /// Takes the name away, unless it is another server's by now.
    func remove(_ taken: Taken) {
        if let file, file == taken.file { unlink(path) }
    }

    private var file: ino_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_ino : nil
    }

    /// Whether somebody listens there.
    private var isLive: Bool {
        let descriptor = Self.socket(flags: SOCK_NONBLOCK.rawValue)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // A queue that is full is somebody's.
        return withAddress { connect(descriptor, $0, $1) } == 0 || errno == EAGAIN || errno == EACCES
    }

    private static func socket(flags: UInt32 = 0) -> Int32 {
        Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | flags), 0)
    }

    private func withAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    private func failed(_ what: String) -> AuthError {
        AuthError(.misconfigured, "the socket \(path) \(what): \(String(cString: strerror(errno)))")
    }
}

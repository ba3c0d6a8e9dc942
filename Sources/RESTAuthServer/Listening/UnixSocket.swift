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
            if try isLive() {
                throw AuthError(.addressInUse, "\(path) is in use: a server listens there; stop it first")
            }
        } else if errno != ENOENT {
            throw failed("cannot be made")
        }
        let elsewhere = "take one of its own, as with --hostname unix:/run/rest-auth/rest-auth.sock"
        if let obstacle = FileAccess.obstacle(toMaking: path, elsewhere: elsewhere) {
            throw AuthError(.misconfigured, "the socket \(path) cannot be made: \(obstacle)")
        }
        if let group, geteuid() != 0, !FileOwner.isOfProcess(group: group) { throw foreign(group) }
    }

    private func foreign(_ group: gid_t) -> AuthError {
        let (process, name) = (FileOwner.process.userName, FileOwner(user: 0, group: group).groupName)
        return AuthError(
            .misconfigured,
            """
            the socket \(path) cannot be given to the group \(name): \(process), as whom this process runs, has to be \
            in it (SupplementaryGroups=\(name) in a unit of systemd)
            """
        )
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
        // The process's own mask lets nobody else in before mode and group are what they should be.
        guard withAddress({ bind(descriptor, $0, $1) }) == 0 else {
            let failure = failed("cannot be made")
            close(descriptor)
            throw failure
        }
        let taken = Taken(descriptor: descriptor, file: file)
        if let failure = admit(taken, backlog: backlog) {
            remove(taken)
            close(descriptor)
            throw failure
        }
        return taken
    }

    /// Lets in who may come, and listens.
    /// - Returns: what kept it from that.
    private func admit(_ taken: Taken, backlog: Int32) -> AuthError? {
        if let group, chown(path, uid_t.max, group) != 0 { return foreign(group) }
        guard chmod(path, mode) == 0, listen(taken.descriptor, backlog) == 0 else { return failed("cannot be used") }
        return nil
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
    /// - Throws: `misconfigured` where the process may not ask.
    private func isLive() throws(AuthError) -> Bool {
        let descriptor = Self.socket(flags: SOCK_NONBLOCK.rawValue)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        if withAddress({ connect(descriptor, $0, $1) }) == 0 { return true }
        if errno == EACCES, let owner = FileOwner(of: path) {
            throw AuthError(
                .misconfigured,
                """
                \(path) belongs to \(owner.userName), and \(FileOwner.process.userName), as whom this process runs, \
                may not ask whether a server listens there: stop that server, or, where one that was killed has left \
                it, take it away with: rm \(path)
                """
            )
        }
        // A queue that is full is somebody's.
        return errno == EAGAIN
    }

    private static func socket(flags: UInt32 = 0) -> Int32 {
        Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | flags), 0)
    }

    /// The address of a path, of which as much is taken as there is room for.
    static func address(of path: String) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return address
    }

    private func withAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        var address = Self.address(of: path)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    private func failed(_ what: String) -> AuthError {
        AuthError(.misconfigured, "the socket \(path) \(what): \(String(cString: strerror(errno)))")
    }
}

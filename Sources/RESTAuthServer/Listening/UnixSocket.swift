import Foundation
import RESTAuth

/// A unix-domain socket in the file system: its name outlives the process, and its mode and group
/// decide who may connect.
struct UnixSocket: Sendable {
    let path: String
    /// Mode of the socket file; write permission allows connecting.
    let mode: mode_t
    /// `nil` for the group of the process.
    let group: gid_t?

    private var directory: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    /// Checks that the name can be used: that it is not another file, and that no server listens
    /// there.
    /// - Throws: `misconfigured`, or `address_in_use` for a server that listens, with what is in
    ///   the way and what to do.
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

    /// Binds the name, replacing one left behind by a server that was killed, and starts listening.
    func open(backlog: Int32) throws(AuthError) -> Taken {
        // When two servers start at once, the second checks only after the first listens.
        let lock = Foundation.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(lock) }
        if lock >= 0 { while flock(lock, LOCK_EX) != 0, errno == EINTR {} }
        try check()
        unlink(path)
        let descriptor = Self.socket()
        guard descriptor >= 0 else { throw failed("cannot be made") }
        // The umask of the process keeps all others out until mode and group are set.
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

    /// Sets group and mode, and starts listening.
    /// - Returns: the error that prevented it, or `nil`.
    private func admit(_ taken: Taken, backlog: Int32) -> AuthError? {
        if let group, chown(path, uid_t.max, group) != 0 { return foreign(group) }
        guard chmod(path, mode) == 0, listen(taken.descriptor, backlog) == 0 else { return failed("cannot be used") }
        return nil
    }

    /// The descriptor of a listening socket, and the inode of its name.
    struct Taken {
        let descriptor: Int32
        fileprivate let file: ino_t?
    }

    /// Removes the name, unless another server has replaced it.
    func remove(_ taken: Taken) {
        if let file, file == taken.file { unlink(path) }
    }

    private var file: ino_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_ino : nil
    }

    /// Whether a server listens there.
    /// - Throws: `misconfigured` where the process has no permission to connect.
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
        // A full queue belongs to a server that listens.
        return errno == EAGAIN
    }

    private static func socket(flags: UInt32 = 0) -> Int32 {
        Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | flags), 0)
    }

    /// The socket address of a path, cut off at the size of the field.
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

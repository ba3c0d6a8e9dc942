import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Owner of a file: its user and group.
package struct FileOwner: Sendable, Hashable {
    package let user: UInt32
    package let group: UInt32

    package init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }

    /// Reads the owner of a file; `nil` when there is no such file, or it cannot be seen.
    package init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(user: status.st_uid, group: status.st_gid)
    }

    /// User and group that this process runs as.
    package static var process: FileOwner { FileOwner(user: geteuid(), group: getegid()) }

    /// Name of the user; its number when it has no name.
    package var userName: String { account { $0.pw_name } ?? String(user) }

    /// The user's home directory.
    var home: String? { account { $0.pw_dir } }

    private func account(_ field: (passwd) -> UnsafeMutablePointer<CChar>?) -> String? {
        var (entry, found) = (passwd(), UnsafeMutablePointer<passwd>?.none)
        var names = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(user, &entry, &names, names.count, &found) == 0, found != nil, let text = field(entry)
        else { return nil }
        return String(cString: text)
    }

    /// Name of the group; its number when it has no name.
    package var groupName: String {
        var (entry, found) = (Foundation.group(), UnsafeMutablePointer<Foundation.group>?.none)
        var names = [CChar](repeating: 0, count: 65_536)
        guard getgrgid_r(group, &entry, &names, names.count, &found) == 0, found != nil, let name = entry.gr_name
        else { return String(group) }
        return String(cString: name)
    }

    /// Advice to run a command as this owner.
    package var advice: String { user == 0 ? "run this as root" : "run this as \(userName), or as root" }

    /// The owner as an argument of `chown`.
    package var argument: String { "\(userName):\(groupName)" }

    /// Whether the process is in that group.
    package static func isOfProcess(group: UInt32) -> Bool {
        if group == getegid() { return true }
        let count = getgroups(0, nil)
        guard count > 0 else { return false }
        var groups = [gid_t](repeating: 0, count: Int(count))
        return groups.withUnsafeMutableBufferPointer { getgroups(count, $0.baseAddress) } >= 0
            && groups.contains(group)
    }

    /// Gives a file that root has just made to the owner of its directory, so that the service can
    /// open its files even if root ran the command that made them.
    /// - Parameters:
    ///   - descriptor: the descriptor of the new file, which must still be unknown to other
    ///     processes.
    ///   - path: the path of the new file, or of one in the same directory.
    /// - Returns: the new owner; `nil` if the file stays the process's.
    package static func handOver(_ descriptor: Int32, madeAt path: String) -> FileOwner? {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard geteuid() == 0, let owner = FileOwner(of: directory), owner.user != 0,
            fchown(descriptor, owner.user, owner.group) == 0
        else { return nil }
        return owner
    }
}

/// Access of the process to a file, as its owner, mode and mount allow it.
package enum FileAccess {
    /// Advice to give when a file belongs to another user.
    package enum Remedy {
        /// `chown` these files of root to the process's user; when the file is not listed, `chown`
        /// it alone.
        case chown([String])
        /// `chown` the directory of that file, if it is root's, to the process's user. If others
        /// use the directory as well, the advice is `elsewhere`: how to choose another place for
        /// the file.
        case directory(of: String, elsewhere: String)
        /// Leave the file to its owner, and run the command as that user.
        case otherUser
    }

    /// Explains why the process cannot use a file, with its owner and a remedy; `nil` when it can.
    /// - Parameters:
    ///   - path: the file or directory.
    ///   - mode: `R_OK`, `W_OK` and `X_OK`, as `access` takes them.
    package static func problem(_ path: String, mode: Int32, remedy: Remedy = .chown([])) -> String? {
        // Execute permission means searching a directory here, so a file does not pass.
        if mode & X_OK != 0, access(path, F_OK) == 0, !isDirectory(path) { return "\(path) is no directory" }
        guard access(path, mode) != 0 else { return nil }
        let code = errno
        let name = isDirectory(path) ? "the directory \(path)" : path
        switch code {
        case ENOENT where mode & X_OK != 0: return "there is no directory \(path)"
        case EROFS: return "\(name) lies on a file system that is mounted read-only"
        case EACCES, EPERM:
            if let closed = closedDirectory(above: path) {
                return "\(path) is not reached: " + denied("the directory \(closed)", closed, remedy)
            }
            return denied(name, path, remedy)
        default: return "\(name): \(String(cString: strerror(code)))"
        }
    }

    /// Explains why the process cannot make a file of that name, with a remedy; `nil` when it can.
    /// - Parameter elsewhere: how to choose another place, if others use the directory as well.
    package static func obstacle(toMaking file: String, elsewhere: String) -> String? {
        let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
        return problem(directory, mode: W_OK | X_OK, remedy: .directory(of: file, elsewhere: elsewhere))
    }

    /// Follows all links in a path; returns the path itself when nothing is there.
    static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func denied(_ name: String, _ path: String, _ remedy: Remedy) -> String {
        let process = FileOwner.process
        guard let owner = FileOwner(of: path) else { return "\(name): \(String(cString: strerror(EACCES)))" }
        guard owner.user != process.user else {
            let rights = isDirectory(path) ? "u+rwx" : "u+rw"
            return "\(name) is closed to its owner, \(owner.userName): chmod \(rights) \(path)"
        }
        let mending =
            switch remedy {
            // The owner is another user, perhaps the one that this service should run as.
            case _ where owner.user != 0: owner.advice
            case .chown(let files) where files.contains(path):
                "chown \(process.argument) \(files.joined(separator: " "))"
            case .chown where isDirectory(path):
                mending(directory: path, of: path, elsewhere: "put what is meant into a directory of its own")
            case .chown: "chown \(process.argument) \(path)"
            case .directory(let file, let elsewhere): mending(directory: path, of: file, elsewhere: elsewhere)
            case .otherUser: owner.advice
            }
        return "\(name) belongs to \(owner.userName), and this process runs as \(process.userName): \(mending)"
    }

    /// Advice that gives the process access to a directory, without giving away one that others use
    /// as well.
    private static func mending(directory: String, of file: String, elsewhere: String) -> String {
        let chown = "chown \(FileOwner.process.argument) \(directory)"
        return switch DirectoryUse(of: directory, keeping: file) {
        case .alone: chown
        case .unknown: "\(chown) if it is for this service alone; otherwise \(elsewhere)"
        case .shared: "others use that directory as well, so \(elsewhere)"
        }
    }

    /// The topmost directory of those above `path` that the process cannot search.
    private static func closedDirectory(above path: String) -> String? {
        var directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var closed: String?
        while access(directory, X_OK) != 0 {
            closed = directory
            guard directory != "/" else { break }
            directory = URL(fileURLWithPath: directory).deletingLastPathComponent().path
        }
        return closed
    }

    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}

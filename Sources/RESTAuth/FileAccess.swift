import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Who owns a file.
package struct FileOwner: Sendable, Hashable {
    package let user: UInt32
    package let group: UInt32

    package init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }

    /// `nil` when there is no such file, or it cannot be seen.
    package init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(user: status.st_uid, group: status.st_gid)
    }

    /// Whoever runs this process.
    package static var process: FileOwner { FileOwner(user: geteuid(), group: getegid()) }

    /// The user's name; the number where there is none.
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

    /// The group's name; the number where there is none.
    package var groupName: String {
        var (entry, found) = (Foundation.group(), UnsafeMutablePointer<Foundation.group>?.none)
        var names = [CChar](repeating: 0, count: 65_536)
        guard getgrgid_r(group, &entry, &names, names.count, &found) == 0, found != nil, let name = entry.gr_name
        else { return String(group) }
        return String(cString: name)
    }

    /// Who has to run a command that is for the owner.
    package var advice: String { user == 0 ? "run this as root" : "run this as \(userName), or as root" }

    /// As `chown` takes it.
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

    /// Gives a file that root has just made to the owner of its directory: a service's files are
    /// the service's, whoever runs a command, or it could not open them.
    /// - Parameters:
    ///   - descriptor: of the new file, which nobody else has named.
    ///   - path: in the directory.
    /// - Returns: the new owner; `nil` where the file stays the process's.
    package static func handOver(_ descriptor: Int32, madeAt path: String) -> FileOwner? {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard geteuid() == 0, let owner = FileOwner(of: directory), owner.user != 0,
            fchown(descriptor, owner.user, owner.group) == 0
        else { return nil }
        return owner
    }
}

/// Whether the process can use a file, by its owner, its mode and its mount.
package enum FileAccess {
    /// What mends that a file belongs to another.
    package enum Remedy {
        /// Files that root has made are given to whoever runs the process; the file itself, if
        /// empty.
        case chown([String])
        /// The directory of that file, if root's, is given to whoever runs the process, unless
        /// others use it as well; then the file is to lie elsewhere, and these words say how that
        /// is written.
        case directory(of: String, elsewhere: String)
        /// The file is rightly another's, and what is to be done is for that one.
        case otherUser
    }

    /// Why not, with whose the file is and what mends it; `nil` when it can.
    /// - Parameters:
    ///   - path: of the file or directory.
    ///   - mode: `R_OK`, `W_OK` and `X_OK`, as `access` takes them.
    package static func problem(_ path: String, mode: Int32, remedy: Remedy = .chown([])) -> String? {
        // What is searched is a directory, whatever the mode of another file says.
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

    /// Why the process can make no file of that name, with what mends it; `nil` when it can.
    /// - Parameter elsewhere: how another place is written where others use the directory as well.
    package static func obstacle(toMaking file: String, elsewhere: String) -> String? {
        let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
        return problem(directory, mode: W_OK | X_OK, remedy: .directory(of: file, elsewhere: elsewhere))
    }

    /// Where a path leads, every link on the way followed; the path itself where there is nothing.
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
            // Another service's, perhaps this one's when it is run as it should be.
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

    /// What lets the process use a directory. One that others use as well is not given away.
    private static func mending(directory: String, of file: String, elsewhere: String) -> String {
        let chown = "chown \(FileOwner.process.argument) \(directory)"
        return switch DirectoryUse(of: directory, keeping: file) {
        case .alone: chown
        case .unknown: "\(chown) if it is for this service alone; otherwise \(elsewhere)"
        case .shared: "others use that directory as well, so \(elsewhere)"
        }
    }

    /// The first directory on the way that nothing is reached through.
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

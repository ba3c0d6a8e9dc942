import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Use of a directory: whether one service uses it alone, so that its ownership may be given to
/// that service.
enum DirectoryUse {
    case alone
    /// The directory cannot be listed.
    case unknown
    /// A system directory, somebody's home, a directory open to all, or one that contains files of
    /// other users.
    case shared

    /// Examines a directory.
    /// - Parameter file: the service's own file; files whose names begin with its name, whatever
    ///   their extension, belong to the service too.
    init(of directory: String, keeping file: String) {
        let path = FileAccess.resolved(directory)
        var status = stat()
        if Self.isSystems(path) || stat(path, &status) != 0 || status.st_mode & (S_ISVTX | S_IWOTH) != 0
            || FileOwner(user: status.st_uid, group: status.st_gid).home == path
        {
            self = .shared
            return
        }
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            self = .unknown
            return
        }
        let own = [URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent, "rest-auth", "lost+found"]
        let isShared = names.contains { name in
            !own.contains { name.utf8.starts(with: $0.utf8) || name.utf8.starts(with: ".\($0)".utf8) }
                && FileOwner(of: "\(path)/\(name)")?.user != FileOwner.process.user
        }
        self = isShared ? .shared : .alone
    }

    /// Whether the directory is one of hier(7), or the home of a user.
    private static func isSystems(_ path: String) -> Bool {
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        guard let first = parts.first else { return true }
        if wholly.contains(first) || first.utf8.starts(with: "lib".utf8) { return true }
        if parts.count == 1 { return withPlaces.contains(first) }
        return parts.count == 2
            && (first == "home" || first == "Users"
                || first == "var" && ["cache", "lib", "log", "run", "spool", "tmp"].contains(parts[1])
                || first == "run" && ["credentials", "lock", "secrets", "user"].contains(parts[1]))
    }

    /// Directories of the system, with all that is below them.
    private static let wholly: Set<String> = ["bin", "boot", "dev", "etc", "proc", "root", "sbin", "sys", "usr"]
    /// Directories of the system in which services have directories of their own.
    private static let withPlaces: Set<String> = ["home", "Users", "media", "mnt", "opt", "run", "srv", "tmp", "var"]
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Exposure of a confidential file, which is a secret, a private key, settings with secrets or a
/// database: whether others than this process can read it. A link is judged by the mode of its
/// target.
package struct FileExposure: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// Readable by its owner alone, or by a group that the process is in, as `fsGroup` of
        /// Kubernetes makes it.
        case none
        /// Readable by others, but provided by the container runtime, where no command can change
        /// the mode: in a directory for secrets, or on a read-only mount other than the root file
        /// system.
        case mounted
        /// Readable by others.
        case others
    }

    package let kind: Kind
    package let path: String
    private let mode: mode_t
    private let owner: FileOwner

    /// Reads the status of the file; `nil` when there is no such file.
    package init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(path, status)
    }

    init(_ path: String, _ status: stat) {
        self.path = path
        mode = status.st_mode & 0o7777
        owner = FileOwner(user: status.st_uid, group: status.st_gid)
        let isOpenToGroup = mode & 0o070 != 0 && !FileOwner.isOfProcess(group: owner.group)
        guard isOpenToGroup || mode & 0o007 != 0 else {
            kind = .none
            return
        }
        kind = Self.isMounted(path) ? .mounted : .others
    }

    /// Fault and remedy in one line; `nil` when nothing is wrong.
    package var advice: String? { remedy.map { "\(fault); \($0)" } }

    /// Description of who can read the file.
    package var fault: String {
        "\(path) can be read by others (mode \(octal), owner \(owner.userName), group \(owner.groupName))"
    }

    /// Advice how to change that; `nil` when nothing is wrong.
    package var remedy: String? {
        switch kind {
        case .none: nil
        case .mounted:
            """
            it is mounted there, so change that where it comes from: defaultMode: 0440 with fsGroup in Kubernetes, uid \
            and mode: 0400 in Compose, Swarm and Podman
            """
        case .others: "take that away with: \(owning)chmod 600 \(path)"
        }
    }

    /// Command that gives root's file to the process's user first, because only its owner can read
    /// a file of mode 0600; empty when the owner stays.
    private var owning: String {
        let process = FileOwner.process
        // A file of a user other than root stays with that user.
        return process.user == 0 || owner.user != 0 ? "" : "chown \(process.argument) \(path) && "
    }

    private var octal: String { "0" + String(mode, radix: 8) }

    // MARK: The place

    /// Directories where container runtimes and systemd put secrets, on any file system.
    private static let places = ["/run/secrets/", "/var/run/secrets/", "/run/credentials/", "/vault/secrets/"]

    private static func isMounted(_ path: String) -> Bool {
        guard let target = realpath(path, nil) else { return false }
        defer { free(target) }
        let name = Array(String(cString: target).utf8)
        if places.contains(where: { name.starts(with: $0.utf8) }) { return true }
        var system = statvfs()
        guard statvfs(target, &system) == 0, system.f_flag & UInt(ST_RDONLY) != 0 else { return false }
        guard let mount = mountID(of: target), let root = mountID(of: "/") else { return false }
        return mount != root
    }

    /// Id of the mount that the path is on. The device would be the same for a directory that is
    /// mounted a second time.
    private static func mountID(of path: UnsafePointer<CChar>) -> [UInt8]? {
        #if os(Linux)
            let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
            defer { close(descriptor) }
            let information = open("/proc/self/fdinfo/\(descriptor)", O_RDONLY | O_CLOEXEC)
            guard information >= 0 else { return nil }
            defer { close(information) }
            var bytes = [UInt8](repeating: 0, count: 1024)
            let count = read(information, &bytes, bytes.count)
            guard count > 0 else { return nil }
            return bytes.prefix(count).split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "mnt_id:".utf8) }
                .map(Array.init)
        #else
            var system = statfs()
            guard statfs(path, &system) == 0 else { return nil }
            return withUnsafeBytes(of: system.f_mntonname) { Array($0.prefix { $0 != 0 }) }
        #endif
    }
}

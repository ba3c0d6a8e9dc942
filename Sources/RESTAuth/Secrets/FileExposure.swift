#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Whether others than this process can read a confidential file: a secret, a private key, settings
/// with secrets, a database. A link is judged by the mode of its target.
package struct FileExposure: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// Readable by its owner alone, or by a group of the process, as `fsGroup` of Kubernetes
        /// makes it.
        case none
        /// Readable by others, but provided by the container runtime, where no command can change
        /// the mode: in a directory for secrets, or on a read-only mount that is not the root file
        /// system.
        case mounted
        /// Others as well.
        case others
    }

    package let kind: Kind
    package let path: String
    private let mode: mode_t
    private let owner: FileOwner

    /// `nil` when there is no such file.
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

    /// What is wrong and how to mend it, in one line; `nil` when nothing is.
    package var advice: String? { remedy.map { "\(fault); \($0)" } }

    /// Who can read the file, in words.
    package var fault: String {
        "\(path) can be read by others (mode \(octal), owner \(owner.userName), group \(owner.groupName))"
    }

    /// How to mend it; `nil` when nothing is wrong.
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

    /// Nobody but its owner reads a file of mode 0600.
    private var owning: String {
        let process = FileOwner.process
        // What is another user's is not given away.
        return process.user == 0 || owner.user != 0 ? "" : "chown \(process.argument) \(path) && "
    }

    private var octal: String { "0" + String(mode, radix: 8) }

    // MARK: The place

    /// Where container runtimes and systemd put secrets, whatever file system that is.
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

    /// Which mount it lies on: the device would be the same for a directory that is mounted a
    /// second time.
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

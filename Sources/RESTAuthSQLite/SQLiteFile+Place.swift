import Foundation
import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where the file lies, and whether that will do.
extension SQLiteFile {
    /// Why the process can make no file beside it, with what mends it; `nil` when it can.
    var directoryProblem: String? {
        FileAccess.obstacle(
            toMaking: path,
            elsewhere: "take one of its own, as with --database sqlite:/var/lib/rest-auth/rest-auth.sqlite")
    }

    private var directory: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    /// Why this process cannot write the database, as owners, modes and mounts say: the file, what
    /// SQLite keeps beside it, and the directory, in which that is made. With what mends it; `nil`
    /// when it can.
    package var accessProblem: String? {
        let files = ["", "-wal", "-shm", "-journal"].map { path + $0 }.filter(Self.exists)
        let foreign = files.filter { FileOwner(of: $0)?.user != FileOwner.process.user }
        for file in files {
            if let problem = FileAccess.problem(file, mode: R_OK | W_OK, remedy: .chown(foreign)) { return problem }
        }
        return directoryProblem.map { "SQLite keeps its log beside it, and \($0)" }
    }

    /// What is dangerous about the file system on which the database lies; `nil` for nothing.
    package var networkProblem: String? {
        networkFileSystem.map {
            """
            the database \(path) lies on a network file system (\($0)), where SQLite's locks and log cannot be relied \
            on: take a disk of this machine, or PostgreSQL
            """
        }
    }

    private var networkFileSystem: String? {
        var status = stat()
        // Where there is no such list, nothing is known.
        guard stat(directory, &status) == 0,
            let mounts = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        else { return nil }
        return Self.networkFileSystem(ofDevice: UInt64(truncatingIfNeeded: status.st_dev), in: mounts)
    }

    /// The name of a device's file system, when that is one of a network.
    /// - Parameter mounts: as in `/proc/self/mountinfo` (proc(5)): the third field is the device,
    ///   the name comes after a dash.
    package static func networkFileSystem(ofDevice device: UInt64, in mounts: String) -> String? {
        let major = device >> 8 & 0xFFF | device >> 32 & 0xFFFF_F000
        let minor = device & 0xFF | device >> 12 & 0xFFFF_FF00
        for line in mounts.utf8.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard fields.count > 2, fields[2] == "\(major):\(minor)",
                let name = fields.drop(while: { $0 != "-" }).dropFirst().first
            else { continue }
            return networkFileSystems.contains(name) ? name : nil
        }
        return nil
    }

    private static let networkFileSystems: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "lustre", "afs", "glusterfs", "gpfs", "vboxsf", "fuse.sshfs",
        "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.goofys", "fuse.mountpoint-s3",
    ]
}

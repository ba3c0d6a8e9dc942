import Foundation
import RESTAuth

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Checks of the file's directory and file system.
extension SQLiteFile {
    /// Explains why the process cannot make a file beside the database, with a remedy; `nil` when
    /// it can.
    var directoryProblem: String? {
        FileAccess.obstacle(
            toMaking: path,
            elsewhere: "take one of its own, as with --database sqlite:/var/lib/rest-auth/rest-auth.sqlite")
    }

    private var directory: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    /// Explains why this process cannot write the database, judging by owners, modes and mounts of
    /// the file, of SQLite's files beside it, and of the directory in which those are made; with a
    /// remedy. `nil` when it can.
    package var accessProblem: String? {
        let files = ["", "-wal", "-shm", "-journal"].map { path + $0 }.filter(Self.exists)
        let foreign = files.filter { FileOwner(of: $0)?.user != FileOwner.process.user }
        for file in files {
            if let problem = FileAccess.problem(file, mode: R_OK | W_OK, remedy: .chown(foreign)) { return problem }
        }
        return directoryProblem.map { "SQLite keeps its log beside it, and \($0)" }
    }

    /// Warning about the file system of the database; `nil` when there is none.
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
        // Without the list of mounts the file system is unknown.
        guard stat(directory, &status) == 0,
            let mounts = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        else { return nil }
        return Self.networkFileSystem(ofDevice: UInt64(truncatingIfNeeded: status.st_dev), in: mounts)
    }

    /// Finds the name of a device's file system, if it is a network file system.
    /// - Parameter mounts: the text of `/proc/self/mountinfo` (proc(5)): the third field is the
    ///   device, and the name follows a dash.
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

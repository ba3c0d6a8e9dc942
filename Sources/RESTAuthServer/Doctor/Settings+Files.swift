import Foundation
import RESTAuth
import RESTAuthSQLite

#if canImport(Glibc)
    import CLinux
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Findings about the files of a deployment, and their disks.
extension Settings {
    var findingsOnFiles: [Finding] {
        exposedFiles.map { file in
            file.kind == .mounted
                ? .note(file.path, file.fault, file.remedy) : .dangerous(file.path, file.fault, file.remedy)
        } + findingsOnOwners + findingsOnTheDisk
    }

    /// Findings on files that the owner of their directory, and so the service, cannot open,
    /// checked when root runs the doctor: root can open any file.
    private var findingsOnOwners: [Finding] {
        guard case .sqlite(let path) = database, FileOwner.process.user == 0,
            let owner = FileOwner(of: URL(fileURLWithPath: path).deletingLastPathComponent().path), owner.user != 0
        else { return [] }
        let files = ["", "-wal", "-shm"].map { path + $0 } + [placeOfSecret].compactMap(\.self)
        return files.compactMap { file in
            guard let found = FileOwner(of: file), found.user != owner.user else { return nil }
            return .wrong(
                file,
                "\(file) belongs to \(found.userName), and its directory to \(owner.userName), who cannot open it",
                "chown \(owner.argument) \(file)")
        }
    }

    private var findingsOnTheDisk: [Finding] {
        guard case .sqlite(let path) = database else { return [] }
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        return [
            SQLiteFile(path).networkProblem.map { .dangerous(Setting.database.url.name, $0) },
            Disk(directory)?.findingOnItsKind, Disk(directory)?.findingOnItsSpace,
        ].compactMap(\.self)
    }
}

/// The file system of a directory.
private struct Disk {
    private let directory: String
    private let free: UInt64
    private let size: UInt64
    private let type: UInt32
    /// Whether no more files can be made, because no inodes are free.
    private let isOutOfNames: Bool

    /// `nil` when the system does not tell.
    init?(_ directory: String) {
        var status = statfs()
        guard statfs(directory, &status) == 0 else { return nil }
        self.directory = directory
        free = Self.bytes(status.f_bavail, status.f_bsize)
        size = Self.bytes(status.f_blocks, status.f_bsize)
        type = UInt32(truncatingIfNeeded: status.f_type)
        isOutOfNames = status.f_files > 0 && status.f_ffree == 0
    }

    private static func bytes(_ blocks: some BinaryInteger, _ blockSize: some BinaryInteger) -> UInt64 {
        let (bytes, isTooLarge) = UInt64(clamping: blocks).multipliedReportingOverflow(by: UInt64(clamping: blockSize))
        return isTooLarge ? .max : bytes
    }

    /// A finding on the type of the file system, by the numbers of statfs(2).
    var findingOnItsKind: Finding? {
        switch type {
        case 0x0102_1994, 0x8584_58F6:
            .dangerous(
                "database_url", "\(directory) is in memory: its users are gone after a restart",
                "put the database on a disk")
        case 0x794C_7630:
            .dangerous(
                "database_url",
                "\(directory) is a layer of a container: its users are gone when the container is replaced",
                "mount a volume there")
        default: nil
        }
    }

    var findingOnItsSpace: Finding? {
        if isOutOfNames {
            return .wrong(
                "disk", "\(directory) has no room for another file (no inode is free)", "take files away there")
        }
        guard size > 0 else { return nil }
        let text = "\(directory) has \(free >> 20) MiB free"
        let remedy = "make room: without it nobody can sign in"
        if free < 1 << 20 { return .wrong("disk", text, remedy) }
        return free < 256 << 20 ? .dangerous("disk", text, remedy) : nil
    }
}

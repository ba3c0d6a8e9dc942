import Foundation

/// The state of files, by which replacing or writing them is detected without reading them.
/// Symbolic links, as certbot and Kubernetes make them, are followed.
struct FileState: Sendable, Equatable {
    private let files: [[Int64]?]

    init(of paths: [String]) {
        files = paths.map { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            return [
                Int64(truncatingIfNeeded: status.st_dev), Int64(truncatingIfNeeded: status.st_ino),
                Int64(status.st_size), Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
                // The owner and mode change when an unreadable file is made readable.
                Int64(status.st_mode), Int64(status.st_uid), Int64(status.st_gid),
            ]
        }
    }
}

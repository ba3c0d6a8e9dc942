import Foundation

/// What tells files from others under the same names, without reading them. Of a link, as certbot
/// and Kubernetes make them, it is that of the file.
struct FileState: Sendable, Equatable {
    private let files: [[Int64]?]

    init(of paths: [String]) {
        files = paths.map { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            return [
                Int64(truncatingIfNeeded: status.st_dev), Int64(truncatingIfNeeded: status.st_ino),
                Int64(status.st_size), Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
                // For one that could not be read.
                Int64(status.st_mode), Int64(status.st_uid), Int64(status.st_gid),
            ]
        }
    }
}

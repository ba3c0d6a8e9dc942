#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reading of confidential files.
package enum ConfidentialFile {
    /// Longest file that is read, in bytes.
    private static let limit = 12288

    /// Reads the text of a file; `nil` when there is none. A link is followed.
    /// - Parameters:
    ///   - keepsLines: whether line ends inside are part of the text.
    ///   - isExposureAllowed: whether a file that others may read is accepted.
    /// - Throws: `misconfigured` with the path and the reason, for a file that others may read,
    ///   that is not a regular file, that is too long or that cannot be read, and for a link whose
    ///   target does not exist.
    package static func text(
        of path: String, keepsLines: Bool = false, isExposureAllowed: Bool = false
    ) throws(AuthError) -> GivenText? {
        guard let bytes = try bytes(of: path, isExposureAllowed) else { return nil }
        do {
            return try GivenText(bytes, keepsLines: keepsLines)
        } catch {
            throw AuthError(.misconfigured, "\(path) \(error.detail)")
        }
    }

    private static func bytes(of path: String, _ isExposureAllowed: Bool) throws(AuthError) -> [UInt8]? {
        do {
            let file = try RegularFile(path)
            // The status of the opened file, as another file may have the path by now.
            let exposure = FileExposure(path, file.status)
            if !isExposureAllowed, exposure.kind == .others, let advice = exposure.advice {
                throw AuthError(.misconfigured, advice)
            }
            let bytes = try file.bytes(limit: limit)
            guard bytes.count <= limit else {
                throw AuthError(.misconfigured, "\(path) has more than \(limit) bytes, which no secret has")
            }
            return bytes
        } catch let error as RegularFile.Unreadable {
            guard error.isMissing else {
                throw AuthError(.misconfigured, "\(path) cannot be read: \(error.reason)")
            }
            if let target = linkTarget(path) {
                throw AuthError(.misconfigured, "\(path) is a link to \(target), which is not there")
            }
            return nil
        } catch let error as AuthError {
            throw error
        } catch {
            throw AuthError(.misconfigured, "\(path) cannot be read")
        }
    }

    /// The target of the link `path`; `nil` when it is not a link.
    static func linkTarget(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.bindMemory(to: CChar.self).baseAddress.map { readlink(path, $0, buffer.count) } ?? -1
        }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}

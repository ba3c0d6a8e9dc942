#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reading of files that are secret.
package enum ConfidentialFile {
    /// The largest file that is read, in bytes.
    private static let limit = 12288

    /// The text of a file; `nil` when there is none. A link is followed.
    /// - Parameters:
    ///   - keepsLines: whether line ends inside are part of it.
    ///   - isExposureAllowed: whether others may read it, too.
    /// - Throws: `misconfigured` for a file that others may read, what is no file, a link to
    ///   nothing, one that is too long, or what cannot be read, with the reason; beginning with the
    ///   path.
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
            // Of what was opened, and not of what may lie there by then.
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

    /// - Returns: what `path` is a link to; `nil` when it is none.
    static func linkTarget(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.bindMemory(to: CChar.self).baseAddress.map { readlink(path, $0, buffer.count) } ?? -1
        }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}

import Crypto
package import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The file with the secrets of an instance: the present one, optionally followed by a line `next:`
/// or `previous:` and a second secret.
///
/// A file without such a line is one secret, however many lines it has.
package struct SecretFile: Sendable {
    private let path: String

    package init(_ path: String) { self.path = path }

    /// The texts of the secrets, without the blanks around them.
    private struct Contents: Redacted {
        var present: String
        var other: (text: String, role: KnownSecrets.Role)?
    }

    /// The version of the file's contents, found without reading them. This works because the file
    /// is always replaced as a whole, never written in place.
    struct Version: Sendable, Equatable {
        private let device: UInt64
        private let number: UInt64
        private let size: Int64
        private let changedAt: [Int]

        fileprivate init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            (device, number, size) = (UInt64(status.st_dev), UInt64(status.st_ino), Int64(status.st_size))
            #if canImport(Darwin)
                changedAt = [status.st_ctimespec.tv_sec, status.st_ctimespec.tv_nsec]
            #else
                changedAt = [status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
            #endif
        }
    }

    /// The present version; `nil` when there is no file.
    var version: Version? { Version(path) }

    // MARK: Reading

    /// Reads the secrets; `nil` when there is no file.
    /// - Throws: `misconfigured` for a file that others may read, that cannot be read, or whose
    ///   secrets are refused.
    package func secrets() throws(AuthError) -> KnownSecrets? {
        try contents().map { contents throws(AuthError) in try secrets(contents) }
    }

    /// Makes the error for a missing file when its secret is needed to decrypt the stored signing
    /// keys.
    package var missing: AuthError {
        AuthError(
            .misconfigured,
            """
            there is no secret in \(path), and no other opens the signing keys of the database: put the one there that \
            belongs to it, or give it as SECRET_KEY; nothing was made in its place
            """
        )
    }

    private func secrets(_ contents: Contents) throws(AuthError) -> KnownSecrets {
        do {
            let present = try InstanceSecret(contents.present)
            guard let other = contents.other else { return KnownSecrets(present) }
            let second =
                switch other.role {
                case .next: try InstanceSecret(other.text)
                case .previous: try InstanceSecret(retired: other.text)
                }
            return try KnownSecrets(present, second, as: other.role)
        } catch {
            throw AuthError(.misconfigured, "the secret file \(path): \(error.detail)")
        }
    }

    private func contents() throws(AuthError) -> Contents? {
        guard let text = try InstanceSecret.read(path) else { return nil }
        return try Self.contents(of: text, path: path)
    }

    /// Splits the text: what precedes the line `next:` or `previous:` is the present secret, what
    /// follows it the other one.
    private static func contents(of text: String, path: String) throws(AuthError) -> Contents {
        func trimmed(_ lines: some Sequence<String>) -> String {
            lines.joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let lines = text.components(separatedBy: "\n")
        let heads = lines.indices.filter { role(of: lines[$0]) != nil }
        guard let head = heads.first, let role = role(of: lines[head]) else { return Contents(present: trimmed(lines)) }
        guard heads.count == 1 else {
            throw AuthError(
                .misconfigured, "the secret file \(path) has more than one line \"next:\" or \"previous:\"")
        }
        return Contents(present: trimmed(lines[..<head]), other: (trimmed(lines[(head + 1)...]), role))
    }

    private static func role(of line: String) -> KnownSecrets.Role? {
        switch line.trimmingCharacters(in: .whitespaces.union(.newlines)) {
        case "next:": .next
        case "previous:": .previous
        default: nil
        }
    }

    /// Finds the present secret in the text of a file.
    static func present(in text: String, path: String) throws(AuthError) -> String {
        try contents(of: text, path: path).present
    }

    // MARK: Writing

    /// Makes a file with one secret when there is none.
    /// - Returns: the version of the file; `nil` when another process made it or it exists.
    func makeFirst() throws(AuthError) -> Version? {
        guard try InstanceSecret.read(path) == nil else { return nil }
        return try InstanceSecret.create(path) ? version : nil
    }

    func remove() { unlink(path) }

    package enum Step: Sendable {
        /// Takes a new secret into use at once, when no other node has a copy of the file.
        case begin
        /// Adds a new secret that is accepted but not used, so that it can be copied to other
        /// nodes.
        case prepare
        /// Takes the prepared secret into use.
        case useNext
    }

    /// Takes one step of a rotation. Repeating a step changes nothing.
    /// - Returns: whether the file was changed.
    /// - Throws: `misconfigured` when there is no next secret to use.
    @discardableResult
    package func take(_ step: Step) throws(AuthError) -> Bool {
        try locked { () throws(AuthError) in
            let contents = try presentContents()
            let (present, other) = (contents.present, contents.other)
            let after: Contents
            switch (step, other?.role) {
            case (.begin, nil): after = Contents(present: InstanceSecret.randomText(), other: (present, .previous))
            case (.prepare, nil): after = Contents(present: present, other: (InstanceSecret.randomText(), .next))
            case (.begin, .next), (.useNext, .next):
                after = Contents(present: other?.text ?? present, other: (present, .previous))
            case (.useNext, nil):
                throw AuthError(
                    .misconfigured, "there is no next secret in \(path); see: rest-auth secret rotate --help")
            case (.prepare, .next), (_, .previous): return false
            }
            // The new contents are checked, so that they can be read again.
            _ = try secrets(after)
            try replace(with: after)
            return true
        }
    }

    /// Removes the previous secret.
    /// - Throws: `misconfigured` when the previous secret does not have that id.
    package func drop(_ previous: SecretID) throws(AuthError) {
        try locked { () throws(AuthError) in
            var contents = try presentContents()
            guard try secrets(contents).previous?.id == previous else {
                throw AuthError(.misconfigured, "the previous secret in \(path) is not \(previous) any more")
            }
            contents.other = nil
            try replace(with: contents)
        }
    }

    /// Time of the last write to the file.
    package var writtenAt: Date? {
        try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }

    private func presentContents() throws(AuthError) -> Contents {
        guard let contents = try contents() else {
            throw AuthError(.misconfigured, "there is no secret in \(path)")
        }
        return contents
    }

    /// Runs one change of the file at a time, among all processes. The lock is on the directory,
    /// because the file is replaced.
    private func locked<Value>(_ body: () throws(AuthError) -> Value) throws(AuthError) -> Value {
        let directory = URL(fileURLWithPath: target).deletingLastPathComponent().path
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw irreplaceable(SystemError()) }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX) == 0 else { throw irreplaceable(SystemError()) }
        return try body()
    }

    /// The path that is replaced: the target of a link, so that the link stays.
    private var target: String { FileAccess.resolved(path) }

    /// Replaces the file, keeping its owner and mode.
    private func replace(with contents: Contents) throws(AuthError) {
        var text = contents.present + "\n"
        if let other = contents.other { text += "\(other.role.rawValue):\n\(other.text)\n" }
        do throws(SystemError) {
            let file = try NewFile(for: target)
            try keepOwner(on: file.descriptor)
            try file.write(Array(text.utf8))
            try file.put(isReplacing: true)
        } catch {
            throw irreplaceable(error)
        }
    }

    /// Gives the new file the owner, group and mode of the present one, as the server may run as
    /// another user than the command.
    private func keepOwner(on descriptor: Int32) throws(SystemError) {
        var status = stat()
        guard stat(path, &status) == 0,
            status.st_uid == geteuid() && status.st_gid == getegid()
                || fchown(descriptor, status.st_uid, status.st_gid) == 0,
            fchmod(descriptor, status.st_mode & 0o660) == 0
        else { throw SystemError() }
    }

    private func irreplaceable(_ error: SystemError) -> AuthError {
        guard error.code == EROFS else { return InstanceSecret.unusable(path, "cannot be replaced", error) }
        return AuthError(
            .misconfigured,
            """
            the secret file \(path) is mounted to be read only: change it where it comes from, as it is done for \
            SECRET_KEY
            """
        )
    }
}

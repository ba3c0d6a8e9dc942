import Crypto
import Foundation
import Logging
import Synchronization

/// The secrets of an instance: the present one, and during a rotation the next or the previous one,
/// whose tokens and digests are accepted too.
///
/// A running process follows the file and takes over what ``SecretRotation`` writes there.
public final class InstanceSecrets: Sendable {
    private let state: Mutex<KnownSecrets>
    /// The file; `nil` for secrets that were given as text.
    private let file: FollowedFile?
    /// The version of the file that this process made; `nil` when the file existed already.
    private let made: SecretFile.Version?

    /// Makes an instance's secrets of one secret alone.
    public init(_ present: InstanceSecret) {
        state = Mutex(KnownSecrets(present))
        file = nil
        made = nil
    }

    /// Makes an instance's secrets of the present one and the next one. The next one is accepted
    /// already, so that nodes can change over one after the other.
    /// - Throws: ``AuthError/Code/misconfigured`` when both are the same.
    public init(_ present: InstanceSecret, next: InstanceSecret) throws(AuthError) {
        state = Mutex(try KnownSecrets(present, next, as: .next))
        file = nil
        made = nil
    }

    /// Makes an instance's secrets of the present one and the previous one, which is still
    /// accepted.
    /// - Throws: ``AuthError/Code/misconfigured`` when both are the same.
    public init(_ present: InstanceSecret, previous: InstanceSecret) throws(AuthError) {
        state = Mutex(try KnownSecrets(present, previous, as: .previous))
        file = nil
        made = nil
    }

    /// Reads a file as ``InstanceSecret/init(file:)`` does, with the second secret that it may
    /// contain, and follows it.
    /// - Throws: ``AuthError/Code/misconfigured``.
    public convenience init(file path: String) throws(AuthError) {
        try self.init(file: path, makesMissing: true)
    }

    /// Reads and follows a file, and makes it when it is missing only if `makesMissing` is set.
    /// - Parameter makesMissing: whether a missing file may be made: `false` when something is
    ///   stored that the missing secret opens.
    /// - Throws: `misconfigured`; also for a missing file that may not be made, as another secret
    ///   would open nothing.
    package init(file path: String, makesMissing: Bool) throws(AuthError) {
        let file = SecretFile(path)
        made = makesMissing ? try file.makeFirst() : nil
        // The version is taken before the contents are read, so that a write in between is seen as
        // a change.
        let version = file.version
        guard let secrets = try file.secrets() else { throw file.missing }
        state = Mutex(secrets)
        self.file = FollowedFile(file, version)
    }

    /// Removes the file if this process made it and it has not been replaced since.
    package func takeBack() {
        if let made, let file, file.file.version == made { file.file.remove() }
    }

    /// The secrets at this moment.
    package var known: KnownSecrets { state.withLock { $0 } }

    // MARK: Following the file

    private final class FollowedFile: Sendable {
        let file: SecretFile
        /// The versions of the contents in use, and of contents that were refused.
        let versions: Mutex<(known: SecretFile.Version?, refused: SecretFile.Version?)>

        init(_ file: SecretFile, _ version: SecretFile.Version?) {
            self.file = file
            versions = Mutex((version, nil))
        }
    }

    /// Whether the file has changed since it was read.
    var isFileChanged: Bool {
        guard let file, let version = file.file.version else { return false }
        return file.versions.withLock { version != $0.known && version != $0.refused }
    }

    /// Takes up changed contents of the file if `check` accepts them. Otherwise the known secrets
    /// stay, the reason is logged once, and the file is tried again next time.
    func follow(_ check: (KnownSecrets) throws -> Void) {
        guard let file, let version = file.file.version, version != file.versions.withLock({ $0.known }) else { return }
        do {
            guard let secrets = try file.file.secrets() else { return }
            try check(secrets)
            let before = state.withLock { state in
                defer { state = secrets }
                return state
            }
            file.versions.withLock { $0 = (version, nil) }
            secrets.recordChange(from: before)
        } catch {
            let isNew = file.versions.withLock { versions in
                defer { versions.refused = version }
                return versions.refused != version
            }
            Logger.current.log(
                level: isNew ? .error : .debug, "the secrets could not be read again",
                metadata: ["error": "\(error)"])
        }
    }
}

/// Id of a secret in rows, tokens and reports. It is derived from the secret and reveals nothing
/// about it.
public struct SecretID: Sendable, Hashable, CustomStringConvertible {
    static let length = 4
    let bytes: [UInt8]

    /// Eight hexadecimal digits.
    public var description: String { bytes.hexadecimal }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// Parses a ``description``; `nil` for anything else.
    init?(_ description: String) {
        let digits = description.utf8.compactMap { WireText.value(ofHexDigit: $0) }
        guard digits.count == description.utf8.count, digits.count == 2 * Self.length else { return nil }
        bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

extension [UInt8] {
    /// Hexadecimal digits in lower case, two for each byte.
    package var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}

extension InstanceSecret {
    var id: SecretID {
        SecretID(bytes: key(for: "secret id").withUnsafeBytes { Array($0.prefix(SecretID.length)) })
    }
}

/// The one or two secrets that are known at one moment.
package struct KnownSecrets: Sendable {
    /// The relation of the second secret to the present one.
    package enum Role: String, Sendable {
        /// The secret that will be the present one.
        case next
        /// The secret that was the present one before.
        case previous
    }

    let present: InstanceSecret
    let other: (secret: InstanceSecret, role: Role)?

    package init(_ present: InstanceSecret) {
        self.present = present
        other = nil
    }

    init(_ present: InstanceSecret, _ other: InstanceSecret, as role: Role) throws(AuthError) {
        guard present.id != other.id else {
            throw AuthError(.misconfigured, "the \(role.rawValue) secret key is the present one: there must be two")
        }
        self.present = present
        self.other = (other, role)
    }

    var all: [InstanceSecret] { [present] + (other.map { [$0.secret] } ?? []) }

    var previous: InstanceSecret? { other?.role == .previous ? other?.secret : nil }

    var next: InstanceSecret? { other?.role == .next ? other?.secret : nil }

    fileprivate func recordChange(from before: KnownSecrets) {
        if present.id != before.present.id {
            AuthEvent.secretRotated(present.id, previous: before.present.id).record()
        }
        let ids = Set(all.map(\.id))
        for secret in before.all where !ids.contains(secret.id) { AuthEvent.secretDropped(secret.id).record() }
    }

    /// The maker of new tokens and digests. While there is a previous secret, they begin with the
    /// id of the present one; otherwise they have no id.
    var maker: SecretMaker { SecretMaker(secret: present, isMarked: previous != nil) }

    /// The makers that a digest or token may come from: with an id, the secret of that id; without,
    /// every known secret.
    func makers(of work: some Collection<UInt8>, isMarked: Bool) -> [SecretMaker] {
        guard isMarked else { return all.map { SecretMaker(secret: $0, isMarked: false) } }
        let id = Array(work.prefix(SecretID.length))
        return all.filter { $0.id.bytes == id }.map { SecretMaker(secret: $0, isMarked: true) }
    }
}

/// A secret, and whether the tokens and digests made with it begin with its id.
struct SecretMaker: Sendable {
    let secret: InstanceSecret
    let isMarked: Bool

    /// The id that tokens and digests begin with; empty for none.
    var mark: [UInt8] { isMarked ? secret.id.bytes : [] }
}

package import Crypto
import Foundation
import PasswordHashing
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A secret of an instance: whoever has it can decrypt the signing keys in the database.
///
/// It is never stored in the database and never printed. Each use derives a key of its own (HKDF,
/// RFC 5869), so that a leak in one of them reveals nothing about the others.
public struct InstanceSecret: Sendable {
    /// Shortest secret that is accepted, in bytes.
    public static let minimumLength = 32

    /// Fewest bits of randomness that the text must appear to have; 32 random characters of any
    /// alphabet have more.
    private static let minimumStrength = 64.0

    private let keys: DerivedKeys

    /// Makes a secret of the bytes of `text`, without the blanks around it.
    /// - Throws: ``AuthError/Code/misconfigured`` when there are fewer than ``minimumLength``
    ///   bytes, when they are too regular to be random (repetitions, runs, words), or when the
    ///   secret has been published (the original Flask server's article, common documentation).
    public init(_ text: String) throws(AuthError) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.utf8.count >= Self.minimumLength else {
            throw AuthError(
                .misconfigured,
                """
                the secret key has \(text.utf8.count) bytes and needs at least \(Self.minimumLength); make one with: \
                openssl rand -base64 32
                """
            )
        }
        guard !Self.published.contains(where: text.lowercased().contains),
            GuessableSecret.bits(of: text) >= Self.minimumStrength
        else {
            throw AuthError(
                .misconfigured, "the secret key is published or easy to guess; make one with: openssl rand -base64 32")
        }
        keys = DerivedKeys(of: SymmetricKey(data: Data(text.utf8)))
    }

    /// Makes a secret that was in use and is to be dropped. Its strength is not checked: a rule
    /// that is newer than the secret should not keep anyone from rotating it.
    /// - Throws: ``AuthError/Code/misconfigured`` when there are fewer than ``minimumLength``
    ///   bytes.
    public init(retired text: String) throws(AuthError) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.utf8.count >= Self.minimumLength else {
            throw AuthError(
                .misconfigured,
                "the previous secret key has \(text.utf8.count) bytes and had at least \(Self.minimumLength)")
        }
        keys = DerivedKeys(of: SymmetricKey(data: Data(text.utf8)))
    }

    /// Makes a new random secret of 256 bits that lives as long as this process.
    public init() {
        keys = DerivedKeys(of: SymmetricKey(data: Random.bytes(32)))
    }

    static let published = [
        "quick brown fox", "change me", "changeme", "change-me", "change_me", "your-secret", "your_secret",
        "secret-key-goes",
        "super-secret", "supersecret", "top-secret", "0123456789abcdef0123456789abcdef", "abcdefghijklmnopqrstuvwxyz",
    ]

    /// Whether this is the secret of `text`, compared in constant time.
    func isMade(of text: String) -> Bool {
        let other = DerivedKeys(
            of: SymmetricKey(data: Data(text.trimmingCharacters(in: .whitespacesAndNewlines).utf8)))
        return key(for: "secret id") == other.key(for: "secret id")
    }

    /// Derives a 256-bit key for one purpose.
    package func key(for purpose: String) -> SymmetricKey { keys.key(for: purpose) }

    /// Computes the authentication code of `bytes` under the key for one purpose (HMAC-SHA-256,
    /// RFC 2104): 32 bytes.
    func code(of bytes: [UInt8], for purpose: String) -> [UInt8] {
        var code = keys.code(for: purpose)
        code.update(data: bytes)
        return code.finalize().withUnsafeBytes(Array.init)
    }

    /// Whether `code` is the authentication code of `bytes`, compared in constant time.
    func isCode(_ code: some Sequence<UInt8>, of bytes: [UInt8], for purpose: String) -> Bool {
        isEqualInConstantTime(Array(code), self.code(of: bytes, for: purpose))
    }
}

/// The keys of one secret, each derived once.
private final class DerivedKeys: Sendable, Redacted {
    private let secret: SymmetricKey
    private let derived = Mutex<[String: SymmetricKey]>([:])
    /// Authentication codes that have taken in their key, and no message yet.
    private let codes = Mutex<[String: HMAC<SHA256>]>([:])

    init(of secret: SymmetricKey) {
        self.secret = secret
    }

    func key(for purpose: String) -> SymmetricKey {
        derived.withLock { derived in
            if let key = derived[purpose] { return key }
            let key = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: secret, info: Data("rest-auth \(purpose)".utf8), outputByteCount: 32)
            derived[purpose] = key
            return key
        }
    }

    func code(for purpose: String) -> HMAC<SHA256> {
        codes.withLock { codes in
            if let code = codes[purpose] { return code }
            let code = HMAC<SHA256>(key: key(for: purpose))
            codes[purpose] = code
            return code
        }
    }
}

extension InstanceSecret: Redacted {}

// MARK: - The file

extension InstanceSecret {
    /// Reads the secret from `file`; when there is none yet, makes one of 256 random bits.
    ///
    /// The file appears as a whole or not at all, with mode 0600. Of two processes that start at
    /// the same time, both get the same secret.
    /// - Throws: ``AuthError/Code/misconfigured`` when others than its owner and the process's
    ///   groups may read the file, unless a container runtime has mounted it, or when it cannot be
    ///   read or made.
    public init(file: String) throws(AuthError) {
        if let text = try Self.read(file) {
            try self.init(SecretFile.present(in: text, path: file))
            return
        }
        try Self.create(file)
        guard let text = try Self.read(file) else {
            throw AuthError(.misconfigured, "the secret file \(file) vanished while it was made")
        }
        try self.init(SecretFile.present(in: text, path: file))
    }

    /// Reads the text of a file of secrets, without what editors leave around it.
    static func read(_ file: String) throws(AuthError) -> String? {
        do {
            return try ConfidentialFile.text(of: file, keepsLines: true)?.text
        } catch {
            throw AuthError(.misconfigured, "the secret file \(error.detail)")
        }
    }

    /// Makes a file with a new secret.
    /// - Returns: whether it was made here; another process may have been first.
    @discardableResult
    static func create(_ file: String) throws(AuthError) -> Bool {
        let new: NewFile
        do {
            new = try NewFile(for: file)
        } catch {
            throw obstacle(toMaking: file) ?? unusable(file, "cannot be made", error)
        }
        _ = FileOwner.handOver(new.descriptor, madeAt: file)
        do {
            try new.write(Array((randomText() + "\n").utf8))
        } catch {
            throw unusable(file, "cannot be written", error)
        }
        do {
            try new.put(isReplacing: false)
            return true
        } catch {
            // The first of two starting processes wins, and both read its secret.
            guard error.code == EEXIST else { throw unusable(file, "cannot be made", error) }
            return false
        }
    }

    /// Explains why the file cannot be made, judging by its directory; `nil` when it can.
    package static func obstacle(toMaking file: String) -> AuthError? {
        FileAccess.obstacle(
            toMaking: file,
            elsewhere: "take one of its own, as with --secret-key-file /var/lib/rest-auth/rest-auth.secret"
        ).map { AuthError(.misconfigured, "the secret file \(file) cannot be made: \($0)") }
    }

    /// Makes the text of a secret of 256 random bits.
    static func randomText() -> String { Base64.url.encode(Random.bytes(32)) }

    static func unusable(_ file: String, _ what: String, _ error: SystemError) -> AuthError {
        AuthError(.misconfigured, "the secret file \(file) \(what): \(error.reason)")
    }
}

import Crypto
import CryptoExtras
import Foundation

/// PBKDF2 (RFC 8018 section 5.2) with HMAC: `$pbkdf2-sha256$29000$SALT$DIGEST` of passlib,
/// `pbkdf2:sha256:600000$SALT$DIGEST` of Werkzeug, `pbkdf2_sha256$1000000$SALT$DIGEST` of Django.
/// The last two use the salt as it is written. A digest of another length than its hash function's
/// is written as the PHC string of RustCrypto, `$pbkdf2-sha256$i=27500,l=64$SALT$DIGEST`.
struct PBKDF2Hash: SettingHash {
    let scheme: PasswordHash.Scheme
    private let iterations: Int
    /// The length of the digest, in bytes.
    private let length: Int
    private var salt: [UInt8]
    private(set) var digest: [UInt8]

    /// The lengths that other systems derive, in bytes; 16 bytes and more match no other password
    /// by chance.
    static let lengths = 16...64

    private static let spellings: [(prefix: StaticString, scheme: PasswordHash.Scheme, digest: HashText.Spelling)] = [
        ("$pbkdf2$", .pbkdf2SHA1, .adaptedBase64), ("$pbkdf2-sha256$", .pbkdf2SHA256, .adaptedBase64),
        ("$pbkdf2-sha512$", .pbkdf2SHA512, .adaptedBase64), ("pbkdf2:sha1:", .pbkdf2SHA1, .hex),
        ("pbkdf2:sha256:", .pbkdf2SHA256, .hex),
        ("pbkdf2:sha512:", .pbkdf2SHA512, .hex), ("pbkdf2_sha1$", .pbkdf2SHA1, .base64),
        ("pbkdf2_sha256$", .pbkdf2SHA256, .base64),
    ]

    private static let phcSpellings: [(prefix: StaticString, scheme: PasswordHash.Scheme)] = [
        ("$pbkdf2-sha1$", .pbkdf2SHA1), ("$pbkdf2-sha256$", .pbkdf2SHA256), ("$pbkdf2-sha512$", .pbkdf2SHA512),
    ]

    /// `nil` for values that are out of bounds.
    init?(_ scheme: PasswordHash.Scheme, iterations: Int, salt: [UInt8], digest: [UInt8]) {
        guard Self.iterations.contains(iterations), HashText.saltBytes.contains(salt.count),
            Self.lengths.contains(digest.count)
        else { return nil }
        (self.scheme, self.iterations, self.length) = (scheme, iterations, digest.count)
        (self.salt, self.digest) = (salt, digest)
    }

    private static let iterations = 1...0xFFFF_FFFF

    /// Reads the PHC string, with the costs by name, and with or without the digest, whose length
    /// they give.
    private init?(phc text: HashText) {
        guard let (prefix, scheme) = Self.phcSpellings.first(where: { text.text.hasPrefix($0.prefix) }),
            let fields = text.fields(after: prefix, count: 3), let costs = fields[0].values(of: "i", "l"),
            let iterations = costs[0].number(in: Self.iterations), let length = costs[1].number(in: Self.lengths),
            let salt = fields[1].bytes(.unpaddedBase64, count: HashText.saltBytes),
            let digest = fields[2].isEmpty ? [] : fields[2].bytes(.unpaddedBase64, count: length...length)
        else { return nil }
        (self.scheme, self.iterations, self.length) = (scheme, iterations, length)
        (self.salt, self.digest) = (salt, digest)
    }

    init?(_ text: HashText) {
        if let hash = Self(phc: text) {
            self = hash
            return
        }
        guard let (prefix, scheme, spelling) = Self.spellings.first(where: { text.text.hasPrefix($0.prefix) }),
            let fields = text.fields(after: prefix, count: 3),
            let iterations = fields[0].number(in: Self.iterations)
        else { return nil }
        let count = Self.blockLength(of: scheme)
        guard
            let salt = spelling == .adaptedBase64
                ? fields[1].bytes(.adaptedBase64, count: HashText.saltBytes) : fields[1].textSalt(),
            let digest = fields[2].bytes(spelling, count: count...count)
        else { return nil }
        (self.scheme, self.iterations, self.length) = (scheme, iterations, count)
        (self.salt, self.digest) = (salt, digest)
    }

    private static func blockLength(of scheme: PasswordHash.Scheme) -> Int {
        switch scheme {
        case .pbkdf2SHA1: Insecure.SHA1.byteCount
        case .pbkdf2SHA256: SHA256.byteCount
        default: SHA512.byteCount
        }
    }

    /// The number of blocks in the digest, each of which is computed by itself.
    private var blocks: Int { (length - 1) / Self.blockLength(of: scheme) + 1 }
    var rounds: Int { iterations * blocks }
    var parameters: String { "rounds=\(rounds)" }
    var memoryKiB: Int { 1 }

    var setting: String {
        let name =
            switch scheme {
            case .pbkdf2SHA1: "sha1"
            case .pbkdf2SHA256: "sha256"
            default: "sha512"
            }
        return "$pbkdf2-\(name)$i=\(iterations),l=\(length)$\(HashText.unpaddedBase64(salt))$"
    }

    func digests(of password: [UInt8]) throws(PasswordHashingError) -> [[UInt8]] {
        let hash: KDF.Insecure.PBKDF2.HashFunction =
            switch scheme {
            case .pbkdf2SHA1: .insecureSHA1
            case .pbkdf2SHA256: .sha256
            default: .sha512
            }
        do {
            // "Unchecked" is that the rounds may be fewer than the library recommends for a new
            // hash: those of an imported one are what they are.
            let key = try KDF.Insecure.PBKDF2.deriveKey(
                from: password, salt: salt, using: hash, outputByteCount: length, unsafeUncheckedRounds: iterations)
            return [key.withUnsafeBytes(Array.init)]
        } catch {
            // It can fail for no other reason.
            throw .outOfMemory
        }
    }

    func decoy() -> Self {
        var decoy = self
        (decoy.salt, decoy.digest) = (Random.bytes(salt.count), Random.bytes(digest.count))
        return decoy
    }
}

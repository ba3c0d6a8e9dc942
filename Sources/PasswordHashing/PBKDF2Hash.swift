import Crypto
import CryptoExtras
import Foundation

/// PBKDF2 (RFC 8018 section 5.2) with HMAC: `$pbkdf2-sha256$29000$SALT$DIGEST` of passlib,
/// `pbkdf2:sha256:600000$SALT$DIGEST` of Werkzeug, `pbkdf2_sha256$1000000$SALT$DIGEST` of Django.
/// The last two use the salt as it is written.
struct PBKDF2Hash: StoredHash {
    let scheme: PasswordHash.Scheme
    let rounds: Int
    private var salt: [UInt8]
    private var digest: [UInt8]

    private static let spellings: [(prefix: StaticString, scheme: PasswordHash.Scheme, digest: HashText.Spelling)] = [
        ("$pbkdf2$", .pbkdf2SHA1, .adaptedBase64), ("$pbkdf2-sha256$", .pbkdf2SHA256, .adaptedBase64),
        ("$pbkdf2-sha512$", .pbkdf2SHA512, .adaptedBase64), ("pbkdf2:sha1:", .pbkdf2SHA1, .hex),
        ("pbkdf2:sha256:", .pbkdf2SHA256, .hex),
        ("pbkdf2:sha512:", .pbkdf2SHA512, .hex), ("pbkdf2_sha1$", .pbkdf2SHA1, .base64),
        ("pbkdf2_sha256$", .pbkdf2SHA256, .base64),
    ]

    init?(_ text: HashText) {
        guard let (prefix, scheme, spelling) = Self.spellings.first(where: { text.text.hasPrefix($0.prefix) }),
            let fields = text.fields(after: prefix, count: 3),
            let rounds = fields[0].number(in: 1...0xFFFF_FFFF)
        else { return nil }
        let count =
            switch scheme {
            case .pbkdf2SHA1: Insecure.SHA1.byteCount
            case .pbkdf2SHA256: SHA256.byteCount
            default: SHA512.byteCount
            }
        guard
            let salt = spelling == .adaptedBase64
                ? fields[1].bytes(.adaptedBase64, count: HashText.saltBytes) : fields[1].textSalt(),
            let digest = fields[2].bytes(spelling, count: count...count)
        else { return nil }
        (self.scheme, self.rounds, self.salt, self.digest) = (scheme, rounds, salt, digest)
    }

    var parameters: String { "rounds=\(rounds)" }
    var memoryKiB: Int { 1 }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        let hash: KDF.Insecure.PBKDF2.HashFunction =
            switch scheme {
            case .pbkdf2SHA1: .insecureSHA1
            case .pbkdf2SHA256: .sha256
            default: .sha512
            }
        do {
            let key = try KDF.Insecure.PBKDF2.deriveKey(
                from: password, salt: salt, using: hash, outputByteCount: digest.count, unsafeUncheckedRounds: rounds)
            return Sodium.isEqual(key.withUnsafeBytes(Array.init), digest)
        } catch {
            // It has nothing else to fail with.
            throw .outOfMemory
        }
    }

    func decoy() -> Self {
        var decoy = self
        (decoy.salt, decoy.digest) = (salt.scrambled(), digest.scrambled())
        return decoy
    }
}

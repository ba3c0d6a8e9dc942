import Crypto
import Foundation

/// A digest of the password with or without a salt, for instance by SHA-1 or MD5.
///
/// Other systems write it in many forms, all of which ``ForeignHash`` reads, and writes as
/// `$digest$sha1,suffix,i=1$SALT$DIGEST`, salt and digest in base64 without padding. It is too fast
/// to be stored as it is: it only occurs inside a ``WrappedHash``.
struct DigestHash: SettingHash {
    enum Algorithm: String, CaseIterable {
        case md5, sha1, sha256, sha384, sha512

        /// The length of a digest, in bytes.
        var length: Int {
            switch self {
            case .md5: Insecure.MD5.byteCount
            case .sha1: Insecure.SHA1.byteCount
            case .sha256: SHA256.byteCount
            case .sha384: SHA384.byteCount
            case .sha512: SHA512.byteCount
            }
        }

        func hash(_ bytes: [UInt8]) -> [UInt8] {
            switch self {
            case .md5: Array(Insecure.MD5.hash(data: bytes))
            case .sha1: Array(Insecure.SHA1.hash(data: bytes))
            case .sha256: Array(SHA256.hash(data: bytes))
            case .sha384: Array(SHA384.hash(data: bytes))
            case .sha512: Array(SHA512.hash(data: bytes))
            }
        }

        func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
            let key = SymmetricKey(data: key)
            return switch self {
            case .md5: Array(HMAC<Insecure.MD5>.authenticationCode(for: bytes, using: key))
            case .sha1: Array(HMAC<Insecure.SHA1>.authenticationCode(for: bytes, using: key))
            case .sha256: Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key))
            case .sha384: Array(HMAC<SHA384>.authenticationCode(for: bytes, using: key))
            case .sha512: Array(HMAC<SHA512>.authenticationCode(for: bytes, using: key))
            }
        }
    }

    /// The input of the hash function.
    enum Construction: String, CaseIterable {
        case password
        /// The salt, and the password after it.
        case prefix
        /// The password, and the salt after it.
        case suffix
        /// HMAC of the password with the salt as key.
        case hmac
    }

    private let algorithm: Algorithm
    private let constructions: [Construction]
    /// The number of times that the hash function is applied.
    let rounds: Int
    private var salt: [UInt8]
    private(set) var digest: [UInt8]

    /// `nil` for a salt that is too long, missing where one is needed, or there where none is used,
    /// and for a digest of another length.
    init?(
        _ algorithm: Algorithm, _ constructions: [Construction], rounds: Int = 1, salt: [UInt8] = [], digest: [UInt8]
    ) {
        guard digest.isEmpty || digest.count == algorithm.length,
            constructions == [.password] ? salt.isEmpty : HashText.saltBytes.contains(salt.count)
        else { return nil }
        (self.algorithm, self.constructions, self.rounds) = (algorithm, constructions, rounds)
        (self.salt, self.digest) = (salt, digest)
    }

    init?(_ text: HashText) {
        guard let fields = text.fields(after: "$digest$", count: 3) else { return nil }
        let values = fields[0].parts(at: ",")
        guard values.count == 3, let algorithm = Algorithm(rawValue: String(values[0])),
            case let names = values[1].parts(at: "+").map(String.init),
            case let constructions = names.compactMap(Construction.init), constructions.count == names.count,
            Set(names).count == names.count,
            let rounds = values[2].values(of: "i")?[0].number(in: 1...0xFFFF),
            let salt = fields[1].isEmpty ? [] : fields[1].bytes(.unpaddedBase64, count: HashText.saltBytes),
            let digest = fields[2].isEmpty
                ? [] : fields[2].bytes(.unpaddedBase64, count: algorithm.length...algorithm.length)
        else { return nil }
        self.init(algorithm, constructions, rounds: rounds, salt: salt, digest: digest)
    }

    var scheme: PasswordHash.Scheme { .digest }
    var parameters: String { "\(algorithm),ways=\(ways),i=\(rounds)" }
    var memoryKiB: Int { 1 }
    var isSalted: Bool { !salt.isEmpty }
    var ways: Int { constructions.count }

    var setting: String {
        let names = constructions.map(\.rawValue).joined(separator: "+")
        return "$digest$\(algorithm.rawValue),\(names),i=\(rounds)$\(HashText.unpaddedBase64(salt))$"
    }

    func digests(of password: [UInt8]) -> [[UInt8]] {
        constructions.map { construction in
            var digest =
                switch construction {
                case .password: algorithm.hash(password)
                case .prefix: algorithm.hash(salt + password)
                case .suffix: algorithm.hash(password + salt)
                case .hmac: algorithm.authenticationCode(of: password, key: salt)
                }
            for _ in 1..<rounds { digest = algorithm.hash(digest) }
            return digest
        }
    }

    func decoy() -> Self {
        var decoy = self
        (decoy.salt, decoy.digest) = (Random.bytes(salt.count), Random.bytes(digest.count))
        return decoy
    }
}

import Crypto

/// The portable hash of PHPass, `$P$BSALTSALTDIGEST`, which WordPress wrote for a long time;
/// phpBB's, `$H$`; and Drupal 7's with SHA-512, `$S$DSALTSALTDIGEST`.
struct PHPassHash: SettingHash {
    /// The hash function that is repeated, and the number of its digits that are kept.
    private enum Variant {
        case md5
        /// SHA-512 as in Drupal 7, which is cut off after 55 characters.
        case sha512

        var digits: Int { self == .md5 ? 22 : 43 }

        func isDigest(_ digits: ArraySlice<UInt8>) -> Bool {
            self == .md5
                ? CryptDigits.crypt.canSpell(digits, bytes: 16)
                : digits.count == self.digits && digits.allSatisfy { CryptDigits.crypt.value(of: $0) != nil }
        }
    }

    let setting: String
    private let variant: Variant
    /// Whether the input is the password's MD5 in hexadecimal, as Drupal had it with the passwords
    /// of its version 6.
    private let isOfMD5: Bool
    private let logarithm: Int
    private var salt: [UInt8]
    private(set) var digest: [UInt8]

    init?(_ text: HashText) {
        let isOfMD5 = text.text.hasPrefix("U$")
        let plain = isOfMD5 ? text.text.dropFirst() : text.text
        let variant: Variant = plain.hasPrefix("$S$") ? .sha512 : .md5
        guard
            let hash =
                (plain.fields(after: "$P$", count: 1) ?? plain.fields(after: "$H$", count: 1)
                ?? plain.fields(after: "$S$", count: 1))?.first,
            let logarithm = hash.first.flatMap(CryptDigits.crypt.value), (7...30).contains(logarithm)
        else { return nil }
        let (salt, digest) = (hash.dropFirst().prefix(8), hash.dropFirst(9))
        guard salt.count == 8, salt.allSatisfy({ CryptDigits.crypt.value(of: $0) != nil }),
            digest.isEmpty || variant.isDigest(digest)
        else { return nil }
        (self.variant, self.isOfMD5, self.logarithm) = (variant, isOfMD5, logarithm)
        (self.salt, self.digest) = (Array(salt), Array(digest))
        setting = String(text.text.dropLast(digest.count))
    }

    var scheme: PasswordHash.Scheme { variant == .md5 ? .phpass : .phpassSHA512 }
    var parameters: String { "cost=\(logarithm)" }
    var rounds: Int { 1 << logarithm }
    var memoryKiB: Int { 1 }

    func digests(of password: [UInt8]) -> [[UInt8]] {
        let password = isOfMD5 ? HashText.hex(Array(Insecure.MD5.hash(data: password))) : password
        let digest =
            switch variant {
            case .md5: repeated(Insecure.MD5.self, password)
            case .sha512: repeated(SHA512.self, password)
            }
        return [Array(CryptDigits.crypt.spell(digest).prefix(variant.digits))]
    }

    private func repeated<Hash: HashFunction>(_: Hash.Type, _ password: [UInt8]) -> [UInt8] {
        var digest = Hash.hash(data: salt + password)
        var input = [UInt8](repeating: 0, count: Hash.Digest.byteCount) + password
        for _ in 0..<rounds {
            for (index, byte) in digest.enumerated() { input[index] = byte }
            digest = Hash.hash(data: input)
        }
        return Array(digest)
    }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = CryptDigits.crypt.scrambled(salt)
        decoy.digest = CryptDigits.crypt.scrambled(digest, spelling: variant == .md5 ? 16 : nil)
        return decoy
    }
}

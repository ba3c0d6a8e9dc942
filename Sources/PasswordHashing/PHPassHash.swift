import Crypto

/// The portable hash of PHPass, `$P$BSALTSALTDIGEST`, which WordPress wrote for long; phpBB writes
/// `$H$`.
struct PHPassHash: StoredHash {
    private let logarithm: Int
    private var salt: [UInt8]
    private var digest: [UInt8]

    init?(_ text: HashText) {
        guard
            let hash = text.fields(after: "$P$", count: 1)?.first ?? text.fields(after: "$H$", count: 1)?.first,
            let logarithm = hash.first.flatMap(CryptDigits.crypt.value), (7...30).contains(logarithm)
        else { return nil }
        let (salt, digest) = (hash.dropFirst().prefix(8), hash.dropFirst(9))
        guard salt.allSatisfy({ CryptDigits.crypt.value(of: $0) != nil }), CryptDigits.crypt.canSpell(digest, bytes: 16)
        else { return nil }
        (self.logarithm, self.salt, self.digest) = (logarithm, Array(salt), Array(digest))
    }

    var scheme: PasswordHash.Scheme { .phpass }
    var parameters: String { "cost=\(logarithm)" }
    var rounds: Int { 1 << logarithm }
    var memoryKiB: Int { 1 }

    func verify(_ password: [UInt8]) -> Bool {
        var digest = Insecure.MD5.hash(data: salt + password)
        var input = [UInt8](repeating: 0, count: Insecure.MD5.byteCount) + password
        for _ in 0..<rounds {
            for (index, byte) in digest.enumerated() { input[index] = byte }
            digest = Insecure.MD5.hash(data: input)
        }
        return Sodium.isEqual(CryptDigits.crypt.spell(Array(digest)), self.digest)
    }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = CryptDigits.crypt.scrambled(salt)
        decoy.digest = CryptDigits.crypt.scrambled(digest, spelling: 16)
        return decoy
    }
}

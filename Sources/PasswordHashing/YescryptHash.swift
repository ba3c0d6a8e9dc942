/// yescrypt of crypt(3), `$y$j9T$SALT$DIGEST`, which today's Linux systems write into their own
/// password files and directories.
struct YescryptHash: StoredHash {
    private let logarithm: Int
    private let blocks: Int
    /// Everything before the salt.
    private let prefix: String
    private var salt: [UInt8]
    private var digest: [UInt8]

    init?(_ text: HashText) {
        // The parameters as crypt_gensalt(3) writes them: the flavour, N as a logarithm and r, each
        // less one.
        guard let fields = text.fields(after: "$y$", count: 3), fields[0].count == 3, fields[0].hasPrefix("j"),
            case let numbers = fields[0].dropFirst().compactMap(CryptDigits.crypt.value), numbers.count == 2,
            (10...18).contains(numbers[0] + 1), (8...32).contains(numbers[1] + 1),
            fields[1].count <= 86, CryptDigits.crypt.canSpell(fields[1], bytes: Self.bytes(fields[1].count)),
            !fields[1].isEmpty, CryptDigits.crypt.canSpell(fields[2], bytes: 32)
        else { return nil }
        (logarithm, blocks) = (numbers[0] + 1, numbers[1] + 1)
        prefix = "$y$\(String(fields[0]))$"
        (salt, digest) = (Array(fields[1]), Array(fields[2]))
    }

    /// The number of bytes that this number of digits spells.
    private static func bytes(_ digits: Int) -> Int { digits * 6 / 8 }

    var scheme: PasswordHash.Scheme { .yescrypt }
    var parameters: String { "ln=\(logarithm),r=\(blocks)" }
    var rounds: Int { blocks << logarithm }
    var memoryKiB: Int { (blocks << logarithm) / 8 }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        Sodium.isEqual(try Crypt.digest(of: password, setting: "\(prefix)\(String(salt[...]))$"), digest)
    }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = CryptDigits.crypt.scrambled(salt, spelling: Self.bytes(salt.count))
        decoy.digest = CryptDigits.crypt.scrambled(digest, spelling: 32)
        return decoy
    }
}

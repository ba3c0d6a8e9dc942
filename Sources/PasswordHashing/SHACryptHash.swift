/// SHA-256 and SHA-512 of crypt(3): `$6$SALT$DIGEST` with 5000 rounds, or
/// `$6$rounds=656000$SALT$DIGEST`.
struct SHACryptHash: SettingHash {
    let scheme: PasswordHash.Scheme
    let rounds: Int
    /// Everything before the salt.
    private let prefix: String
    private var salt: [UInt8]
    private(set) var digest: [UInt8]

    init?(_ text: HashText) {
        let isLong = text.text.hasPrefix("$6$")
        let prefix: StaticString = isLong ? "$6$" : "$5$"
        guard var fields = text.fields(after: prefix, count: 2) ?? text.fields(after: prefix, count: 3) else {
            return nil
        }
        if fields.count == 3 {
            guard let rounds = fields[0].values(of: "rounds")?[0].number(in: 1000...999_999_999) else { return nil }
            self.rounds = rounds
            fields.removeFirst()
        } else {
            rounds = 5000
        }
        guard (1...16).contains(fields[0].count), fields[0].allSatisfy({ CryptDigits.crypt.value(of: $0) != nil }),
            fields[1].isEmpty || CryptDigits.crypt.canSpell(fields[1], bytes: isLong ? 64 : 32)
        else { return nil }
        scheme = isLong ? .sha512Crypt : .sha256Crypt
        // After the prefix come the salt, its dollar sign and the digest.
        self.prefix = String(text.text.dropLast(fields[0].count + 1 + fields[1].count))
        (salt, digest) = (Array(fields[0]), Array(fields[1]))
    }

    var parameters: String { "rounds=\(rounds)" }
    var memoryKiB: Int { Crypt.memoryKiB }

    var setting: String { "\(prefix)\(String(salt[...]))$" }

    func digests(of password: [UInt8]) throws(PasswordHashingError) -> [[UInt8]] {
        [try Crypt.digest(of: password, setting: setting)]
    }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = CryptDigits.crypt.scrambled(salt)
        decoy.digest = CryptDigits.crypt.scrambled(digest, spelling: scheme == .sha512Crypt ? 64 : 32)
        return decoy
    }
}

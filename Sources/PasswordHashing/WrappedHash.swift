/// Argon2id of the digest of a weaker hash, `$wrapped$v=19$m=19456,t=2,p=1$SALT$TAG$SETTING`. The
/// weaker hash is there without its digest, so that nothing in the text can be guessed at faster
/// than the Argon2id hash.
///
/// A password is hashed by the setting first, and the result is verified by the Argon2id hash.
struct WrappedHash: StoredHash {
    private var outer: Argon2Hash
    private var inner: any SettingHash

    /// The families that a weaker hash may be of.
    private static let families: [any SettingHash.Type] = [
        DigestHash.self, MD5CryptHash.self, PBKDF2Hash.self, SHACryptHash.self, PHPassHash.self, BcryptHash.self,
        ScryptHash.self,
    ]

    init?(_ text: HashText) {
        guard text.text.hasPrefix("$wrapped$") else { return nil }
        let fields = text.text.dropFirst("$wrapped$".utf8.count).split(
            separator: UInt8(ascii: "$"), maxSplits: 4, omittingEmptySubsequences: false)
        guard fields.count == 5, let outer = Argon2Hash(HashText(Self.argon2 + fields[..<4].joined(separator: [0x24]))),
            let inner = Self.setting(HashText(Array(fields[4])))
        else { return nil }
        (self.outer, self.inner) = (outer, inner)
    }

    private static let argon2 = Array("$argon2id$".utf8)

    private static func setting(_ text: HashText) -> (any SettingHash)? {
        for family in families {
            if let hash = family.init(text) {
                return hash.digest.isEmpty && hash.setting == String(text.text) ? hash : nil
            }
        }
        return nil
    }

    /// The text of `hash`, which must have a digest. Blocks the calling thread for the whole cost.
    /// - Throws: ``PasswordHashingError`` when the memory cannot be allocated.
    static func wrap(_ hash: any SettingHash, cost: Argon2id) throws(PasswordHashingError) -> String {
        let phc = try cost.hash(hash.digest)
        return "$wrapped$\(String(Array(phc.utf8).dropFirst(argon2.count)))$\(hash.setting)"
    }

    var scheme: PasswordHash.Scheme { .wrapped }
    var parameters: String { "\(outer.parameters),over=\(inner.scheme.rawValue),\(inner.parameters)" }
    var memoryKiB: Int { max(outer.memoryKiB, inner.memoryKiB) }

    var rounds: Int {
        outer.rounds * inner.ways + inner.rounds * inner.scheme.nanosecondsPerRound / scheme.nanosecondsPerRound
    }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        var isRight = false
        for digest in try inner.digests(of: password) {
            let isThis = try outer.verify(digest)
            isRight = isRight || isThis
        }
        return isRight
    }

    func countsWhole(_ password: [UInt8]) -> Bool { inner.countsWhole(password) }

    func decoy() -> Self {
        var decoy = self
        decoy.outer = outer.decoy()
        decoy.inner = inner.decoy()
        return decoy
    }
}

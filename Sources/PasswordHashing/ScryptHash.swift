import CSodium
import Crypto
import CryptoExtras

/// scrypt (RFC 7914): `$scrypt$ln=16,r=8,p=1$SALT$DIGEST` of passlib,
/// `scrypt:32768:8:1$SALT$DIGEST` of Werkzeug, `scrypt$16384$SALT$8$5$DIGEST` of Django. The last
/// two use the salt as it is written. A setting has passlib's form.
struct ScryptHash: SettingHash {
    private let cost: ScryptCost
    private var salt: [UInt8]
    /// The derived key, of 32 or 64 bytes.
    private var key: [UInt8]

    init?(_ text: HashText) {
        if let fields = text.fields(after: "$scrypt$", count: 3), let costs = fields[0].values(of: "ln", "r", "p"),
            let cost = ScryptCost(logarithm: costs[0], blocks: costs[1], lanes: costs[2]),
            let salt = fields[1].bytes(.unpaddedBase64, count: HashText.saltBytes),
            let key = fields[2].isEmpty
                ? [] : fields[2].bytes(.unpaddedBase64, count: Self.digestLength...Self.digestLength)
        {
            (self.cost, self.salt, self.key) = (cost, salt, key)
        } else if let fields = text.fields(after: "scrypt:", count: 3),
            case let costs = fields[0].parts(at: ":"), costs.count == 3,
            let cost = ScryptCost(steps: costs[0], blocks: costs[1], lanes: costs[2]),
            let salt = fields[1].textSalt(), let key = fields[2].bytes(.hex, count: 64...64)
        {
            (self.cost, self.salt, self.key) = (cost, salt, key)
        } else if let fields = text.fields(after: "scrypt$", count: 5),
            let cost = ScryptCost(steps: fields[0], blocks: fields[2], lanes: fields[3]),
            let salt = fields[1].textSalt(), let key = fields[4].bytes(.base64, count: 64...64)
        {
            (self.cost, self.salt, self.key) = (cost, salt, key)
        } else {
            return nil
        }
    }

    var scheme: PasswordHash.Scheme { .scrypt }
    var parameters: String { cost.description }
    var rounds: Int { cost.rounds }
    var memoryKiB: Int { cost.memoryKiB }

    /// The length of the digest, in bytes. A longer key begins with the same bytes: scrypt ends
    /// with PBKDF2 (RFC 7914 section 6), which computes each of its blocks by itself.
    private static let digestLength = 32

    var digest: [UInt8] { Array(key.prefix(Self.digestLength)) }
    var setting: String { "$scrypt$\(cost)$\(HashText.unpaddedBase64(salt))$" }

    func digests(of password: [UInt8]) throws(PasswordHashingError) -> [[UInt8]] {
        [try cost.key(of: password, salt: salt, count: Self.digestLength)]
    }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        Sodium.isEqual(try cost.key(of: password, salt: salt, count: key.count), key)
    }

    func decoy() -> Self {
        var decoy = self
        (decoy.salt, decoy.key) = (Random.bytes(salt.count), Random.bytes(key.count))
        return decoy
    }
}

/// The parameters N, r and p of scrypt.
struct ScryptCost: CustomStringConvertible {
    private let logarithm: Int
    private let blocks: Int
    private let lanes: Int

    /// Reads the parameters with N as a logarithm to the base of two.
    init?(logarithm: ArraySlice<UInt8>, blocks: ArraySlice<UInt8>, lanes: ArraySlice<UInt8>) {
        guard let logarithm = logarithm.number(in: 1...31) else { return nil }
        self.init(logarithm, blocks, lanes)
    }

    init?(steps: ArraySlice<UInt8>, blocks: ArraySlice<UInt8>, lanes: ArraySlice<UInt8>) {
        guard let steps = steps.number(in: 2...(1 << 31)), steps & (steps - 1) == 0 else { return nil }
        self.init(steps.trailingZeroBitCount, blocks, lanes)
    }

    private init?(_ logarithm: Int, _ blocks: ArraySlice<UInt8>, _ lanes: ArraySlice<UInt8>) {
        guard let blocks = blocks.number(in: 1...(1 << 30)), let lanes = lanes.number(in: 1...(1 << 30)) else {
            return nil
        }
        (self.logarithm, self.blocks, self.lanes) = (logarithm, blocks, lanes)
        // N is below 2^(128 * r / 8) (RFC 7914 section 2).
        guard logarithm < 16 * blocks, blocks * lanes < 1 << 30, blocks * lanes <= 1 << (31 - logarithm),
            memoryKiB <= 4 << 20
        else {
            return nil
        }
    }

    var description: String { "ln=\(logarithm),r=\(blocks),p=\(lanes)" }
    var rounds: Int { blocks * lanes << logarithm }
    var memoryKiB: Int { (128 * blocks * ((1 << logarithm) + lanes) + 1023) / 1024 }

    func key(of password: [UInt8], salt: [UInt8], count: Int) throws(PasswordHashingError) -> [UInt8] {
        // BoringSSL is half as fast again as libsodium, but swift-crypto allows it too little
        // memory for longer blocks.
        guard blocks <= 16 else { return try sodiumKey(of: password, salt: salt, count: count) }
        do {
            let key = try KDF.Scrypt.deriveKey(
                from: password, salt: salt, outputByteCount: count, rounds: 1 << logarithm, blockSize: blocks,
                parallelism: lanes)
            return key.withUnsafeBytes(Array.init)
        } catch {
            // With costs within the limits it can fail for no other reason.
            throw .outOfMemory
        }
    }

    private func sodiumKey(of password: [UInt8], salt: [UInt8], count: Int) throws(PasswordHashingError) -> [UInt8] {
        try Sodium.start()
        var key = [UInt8](repeating: 0, count: count)
        let outcome = crypto_pwhash_scryptsalsa208sha256_ll(
            password, password.count, salt, salt.count, 1 << logarithm, UInt32(blocks), UInt32(lanes), &key, count)
        guard outcome == 0 else { throw .outOfMemory }
        return key
    }
}

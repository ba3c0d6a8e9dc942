import CSodium
import Foundation

/// Argon2 as a PHC string, `$argon2id$v=19$m=65536,t=3,p=4$SALT$TAG`, of libsodium, argon2-cffi,
/// passlib and others. Django writes `argon2` before it.
struct Argon2Hash: StoredHash {
    let scheme: PasswordHash.Scheme
    let memoryKiB: Int
    let passes: Int
    /// Whether this is the form that ``Argon2id`` writes, without Django's prefix.
    let isPlain: Bool
    private let lanes: Int
    /// Everything before the salt.
    private let setting: String
    private var salt: [UInt8]
    private var tag: [UInt8]

    private static let spellings: [(prefix: StaticString, scheme: PasswordHash.Scheme, isPlain: Bool)] = [
        ("$argon2id$", .argon2id, true), ("$argon2i$", .argon2i, true), ("argon2$argon2id$", .argon2id, false),
        ("argon2$argon2i$", .argon2i, false),
    ]

    init?(_ text: HashText) {
        guard let (prefix, scheme, isPlain) = Self.spellings.first(where: { text.text.hasPrefix($0.prefix) }),
            let fields = text.fields(after: prefix, count: 4), fields[0] == "v=19",
            let costs = fields[1].values(of: "m", "t", "p"),
            let memory = costs[0].number(in: 8...(4 << 20)), let passes = costs[1].number(in: 1...1000),
            // Each lane has four segments of two blocks at least (RFC 9106 section 3.1).
            let lanes = costs[2].number(in: 1...(memory / 8)),
            let salt = fields[2].bytes(.unpaddedBase64, count: 8...HashText.saltBytes.upperBound),
            let tag = fields[3].bytes(.unpaddedBase64, count: 16...256)
        else { return nil }
        (self.scheme, self.isPlain, memoryKiB, self.passes, self.lanes) = (scheme, isPlain, memory, passes, lanes)
        (self.salt, self.tag) = (salt, tag)
        let plain = isPlain ? text.text : text.text.dropFirst("argon2".count)
        setting = String(plain.dropLast(fields[2].count + 1 + fields[3].count))
    }

    private var phc: String { "\(setting)\(HashText.unpaddedBase64(salt))$\(HashText.unpaddedBase64(tag))" }

    var parameters: String { "m=\(memoryKiB),t=\(passes),p=\(lanes)" }
    var rounds: Int { memoryKiB * passes }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        try Sodium.start()
        // libsodium reports a wrong password and memory that it cannot get in the same way, so the
        // memory is tried first.
        let bytes = memoryKiB * 1024
        guard let area = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            area != MAP_FAILED
        else {
            throw .outOfMemory
        }
        munmap(area, bytes)
        return Sodium.withCharacters(of: password) { crypto_pwhash_str_verify(phc, $0, $1) } == 0
    }

    func decoy() -> Self {
        var decoy = self
        (decoy.salt, decoy.tag) = (Random.bytes(salt.count), Random.bytes(tag.count))
        return decoy
    }
}

import Crypto
import CryptoExtras
import Foundation

/// Firebase's scrypt: the digest is the project's signer key, encrypted under a key that scrypt
/// derives from the password.
///
/// The parameters belong to the project, and an export has them apart from its users. Here each
/// hash contains them, with the exponent of N as `n`, the salt separator as `ss` and the signer key
/// as `sk`, so that it is complete by itself.
struct FirebaseScryptHash: StoredHash {
    private let cost: ScryptCost
    private var salt: [UInt8]
    private var signerKey: [UInt8]
    private var digest: [UInt8]

    init?(_ text: HashText) {
        guard let fields = text.fields(after: "$fbscrypt$", count: 3),
            let values = fields[0].values(of: "v", "n", "r", "p", "ss", "sk"),
            values[0] == "1", let cost = ScryptCost(logarithm: values[1], blocks: values[2], lanes: values[3]),
            let separator = values[4].bytes(.base64, count: HashText.saltBytes),
            let signerKey = values[5].bytes(.base64, count: 64...64),
            let salt = fields[1].bytes(.base64, count: HashText.saltBytes),
            let digest = fields[2].bytes(.base64, count: 64...64)
        else { return nil }
        (self.cost, self.salt, self.signerKey, self.digest) = (cost, salt + separator, signerKey, digest)
    }

    var scheme: PasswordHash.Scheme { .firebaseScrypt }
    var parameters: String { cost.description }
    var rounds: Int { cost.rounds }
    var memoryKiB: Int { cost.memoryKiB }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        let key = SymmetricKey(data: try cost.key(of: password, salt: salt, count: 32))
        do {
            let nonce = try AES._CTR.Nonce(nonceBytes: [UInt8](repeating: 0, count: 16))
            return Sodium.isEqual(Array(try AES._CTR.encrypt(signerKey, using: key, nonce: nonce)), digest)
        } catch {
            // Encryption fails only for keys and nonces of other lengths.
            throw .unavailable
        }
    }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = Random.bytes(salt.count)
        // The signer key is a secret of the project that the users came from.
        decoy.signerKey = Random.bytes(signerKey.count)
        decoy.digest = Random.bytes(digest.count)
        return decoy
    }
}

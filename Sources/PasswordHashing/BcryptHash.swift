import Crypto
import Foundation

/// bcrypt, `$2b$12$SALTDIGEST`, of the password itself, or of a digest of it so that more than 72
/// bytes count.
struct BcryptHash: StoredHash {
    /// What bcrypt is given.
    private enum Input {
        case password
        /// Django's `bcrypt_sha256`.
        case hexOfSHA256
        /// The first version of passlib's `$bcrypt-sha256$`.
        case base64OfSHA256
        /// The second, with the salt as it is written for a key.
        case base64OfHMAC
    }

    private let input: Input
    private let logarithm: Int
    private var salt: [UInt8]
    private var digest: [UInt8]

    init?(_ text: HashText) {
        if let fields = text.fields(after: "$bcrypt-sha256$", count: 3) {
            self.init(passlib: fields)
            return
        }
        let (bcrypt, input): (ArraySlice<UInt8>, Input) =
            switch text.text {
            case let text where text.hasPrefix("bcrypt$"): (text.dropFirst("bcrypt$".count), .password)
            case let text where text.hasPrefix("bcrypt_sha256$"): (text.dropFirst("bcrypt_sha256$".count), .hexOfSHA256)
            case let text: (text, .password)
            }
        // The three differ in how old libraries took passwords that are not UTF-8, or longer than
        // 255 bytes.
        guard
            let fields = bcrypt.fields(after: "$2a$", count: 2) ?? bcrypt.fields(after: "$2b$", count: 2)
                ?? bcrypt.fields(after: "$2y$", count: 2),
            fields[0].count == 2
        else { return nil }
        let cost = fields[0].hasPrefix("0") ? fields[0].dropFirst() : fields[0]
        self.init(cost: cost, salt: fields[1].prefix(22), digest: fields[1].dropFirst(22), input: input)
    }

    private init?(passlib fields: [ArraySlice<UInt8>]) {
        if let values = fields[0].values(of: "v", "t", "r") {
            guard values[0] == "2", values[1] == "2b" else { return nil }
            self.init(cost: values[2], salt: fields[1], digest: fields[2], input: .base64OfHMAC)
        } else {
            let values = fields[0].parts(at: ",")
            guard values.count == 2, values[0] == "2a" || values[0] == "2b" else { return nil }
            self.init(cost: values[1], salt: fields[1], digest: fields[2], input: .base64OfSHA256)
        }
    }

    private init?(cost: ArraySlice<UInt8>, salt: ArraySlice<UInt8>, digest: ArraySlice<UInt8>, input: Input) {
        guard let logarithm = cost.number(in: 4...31), CryptDigits.bcrypt.canSpell(salt, bytes: 16),
            CryptDigits.bcrypt.canSpell(digest, bytes: 23)
        else { return nil }
        (self.logarithm, self.salt, self.digest, self.input) = (logarithm, Array(salt), Array(digest), input)
    }

    var scheme: PasswordHash.Scheme { input == .password ? .bcrypt : .bcryptSHA256 }
    var parameters: String { "cost=\(logarithm)" }
    var rounds: Int { 1 << logarithm }
    var memoryKiB: Int { Crypt.memoryKiB }

    func verify(_ password: [UInt8]) throws(PasswordHashingError) -> Bool {
        let cost = logarithm < 10 ? "0\(logarithm)" : "\(logarithm)"
        return try Crypt.verify(
            Array(given(password).prefix(72)), setting: "$2b$\(cost)$\(String(salt[...]))", digest: digest)
    }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = CryptDigits.bcrypt.scrambled(salt, spelling: 16)
        decoy.digest = CryptDigits.bcrypt.scrambled(digest, spelling: 23)
        return decoy
    }

    private func given(_ password: [UInt8]) -> [UInt8] {
        switch input {
        case .password: return password
        case .hexOfSHA256:
            let digits = Array("0123456789abcdef".utf8)
            return SHA256.hash(data: password).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }
        case .base64OfSHA256: return Array(Data(SHA256.hash(data: password)).base64EncodedString().utf8)
        case .base64OfHMAC:
            let code = HMAC<SHA256>.authenticationCode(for: password, using: SymmetricKey(data: salt))
            return Array(Data(code).base64EncodedString().utf8)
        }
    }
}

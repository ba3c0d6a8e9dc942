import Crypto
import Foundation

/// bcrypt, `$2b$12$SALTDIGEST`, of the password, or of a digest of it so that more than 72 bytes
/// count.
struct BcryptHash: SettingHash {
    /// The input of bcrypt.
    private enum Input {
        case password
        /// Django's `bcrypt_sha256`.
        case hexOfSHA256
        /// The first version of passlib's `$bcrypt-sha256$`.
        case base64OfSHA256
        /// The second version of passlib's, where the salt as it is written is the key.
        case base64OfHMAC
        /// HMAC-SHA384 under a constant of WordPress 6.8, `$wp$2y$10$…`.
        case base64OfWordPressHMAC
    }

    private let input: Input
    private let logarithm: Int
    /// The text before the salt, and the text between the salt and the digest.
    private let surroundings: (before: String, after: String)
    private var salt: [UInt8]
    private(set) var digest: [UInt8]

    init?(_ text: HashText) {
        if let fields = text.fields(after: "$bcrypt-sha256$", count: 3) {
            self.init(text, passlib: fields)
            return
        }
        let (bcrypt, input): (ArraySlice<UInt8>, Input) =
            switch text.text {
            case let text where text.hasPrefix("bcrypt$"): (text.dropFirst("bcrypt$".count), .password)
            case let text where text.hasPrefix("bcrypt_sha256$"): (text.dropFirst("bcrypt_sha256$".count), .hexOfSHA256)
            case let text where text.hasPrefix("$wp$2y$"): (text.dropFirst("$wp".count), .base64OfWordPressHMAC)
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
        self.init(text, cost: cost, salt: fields[1].prefix(22), digest: fields[1].dropFirst(22), input: input)
    }

    private init?(_ text: HashText, passlib fields: [ArraySlice<UInt8>]) {
        if let values = fields[0].values(of: "v", "t", "r") {
            guard values[0] == "2", values[1] == "2b" else { return nil }
            self.init(text, cost: values[2], salt: fields[1], digest: fields[2], input: .base64OfHMAC)
        } else {
            let values = fields[0].parts(at: ",")
            guard values.count == 2, values[0] == "2a" || values[0] == "2b" else { return nil }
            self.init(text, cost: values[1], salt: fields[1], digest: fields[2], input: .base64OfSHA256)
        }
    }

    private init?(
        _ text: HashText, cost: ArraySlice<UInt8>, salt: ArraySlice<UInt8>, digest: ArraySlice<UInt8>, input: Input
    ) {
        guard let logarithm = cost.number(in: 4...31), CryptDigits.bcrypt.canSpell(salt, bytes: 16),
            digest.isEmpty || CryptDigits.bcrypt.canSpell(digest, bytes: 23)
        else { return nil }
        let bytes = text.text
        surroundings = (
            String(bytes[..<salt.startIndex]), String(bytes[salt.endIndex..<(bytes.endIndex - digest.count)])
        )
        (self.logarithm, self.salt, self.digest, self.input) = (logarithm, Array(salt), Array(digest), input)
    }

    var scheme: PasswordHash.Scheme {
        switch input {
        case .password: .bcrypt
        case .base64OfWordPressHMAC: .bcryptSHA384
        case .hexOfSHA256, .base64OfSHA256, .base64OfHMAC: .bcryptSHA256
        }
    }
    var parameters: String { "cost=\(logarithm)" }
    var rounds: Int { 1 << logarithm }
    var memoryKiB: Int { Crypt.memoryKiB }

    var setting: String { "\(surroundings.before)\(String(salt[...]))\(surroundings.after)" }

    func digests(of password: [UInt8]) throws(PasswordHashingError) -> [[UInt8]] {
        let cost = logarithm < 10 ? "0\(logarithm)" : "\(logarithm)"
        return [
            try Crypt.digest(
                of: Array(given(password).prefix(Self.counted)), setting: "$2b$\(cost)$\(String(salt[...]))")
        ]
    }

    /// The number of bytes of the input that count.
    private static let counted = 72

    func countsWhole(_ password: [UInt8]) -> Bool { given(password).count <= Self.counted }

    func decoy() -> Self {
        var decoy = self
        decoy.salt = CryptDigits.bcrypt.scrambled(salt, spelling: 16)
        decoy.digest = CryptDigits.bcrypt.scrambled(digest, spelling: 23)
        return decoy
    }

    private func given(_ password: [UInt8]) -> [UInt8] {
        switch input {
        case .password: return password
        case .hexOfSHA256: return HashText.hex(Array(SHA256.hash(data: password)))
        case .base64OfSHA256: return Array(Data(SHA256.hash(data: password)).base64EncodedString().utf8)
        case .base64OfHMAC:
            let code = HMAC<SHA256>.authenticationCode(for: password, using: SymmetricKey(data: salt))
            return Array(Data(code).base64EncodedString().utf8)
        case .base64OfWordPressHMAC:
            let key = SymmetricKey(data: Array("wp-sha384".utf8))
            return Array(Data(HMAC<SHA384>.authenticationCode(for: password, using: key)).base64EncodedString().utf8)
        }
    }
}

import CSodium
import Crypto
import Foundation

/// A secret that an application has put into every password before hashing it, and that is not in
/// its database.
///
/// It does not print itself.
public struct PasswordPepper: Sendable {
    /// The way in which the pepper was put in.
    public enum Construction: String, Sendable, CaseIterable {
        /// Base64 of HMAC-SHA512 of the password under the pepper: Flask-Security.
        case hmacSHA512 = "hmac-sha512"
        case hmacSHA512Hex = "hmac-sha512-hex"
        /// Base64 of HMAC-SHA256 of the password under the pepper.
        case hmacSHA256 = "hmac-sha256"
        case hmacSHA256Hex = "hmac-sha256-hex"
        /// The pepper after the password: Devise.
        case suffix
        /// The pepper before the password.
        case prefix
    }

    /// The id by which a stored hash names its pepper, and which says nothing of the pepper itself.
    ///
    /// Four bytes in hexadecimal, of an Argon2id hash: a pepper that can be guessed is not guessed
    /// any faster with them.
    public let id: String
    private let bytes: [UInt8]

    /// The longest pepper, in bytes.
    public static let maximumBytes = 1024

    /// Takes a pepper; computes one Argon2id hash, for the id.
    /// - Throws: ``PasswordHashingError`` when the memory cannot be allocated.
    /// - Returns: `nil` for an empty pepper, and one of more than ``maximumBytes``.
    public init?(_ bytes: [UInt8]) throws(PasswordHashingError) {
        guard (1...Self.maximumBytes).contains(bytes.count) else { return nil }
        try Sodium.start()
        var id = [UInt8](repeating: 0, count: Int(crypto_pwhash_BYTES_MIN))
        let salt = Array(
            SHA256.hash(data: Array("rest-auth password pepper".utf8)).prefix(Int(crypto_pwhash_SALTBYTES)))
        let cost = Argon2id.standard
        let outcome = Sodium.withCharacters(of: bytes) { characters, count in
            crypto_pwhash(
                &id, UInt64(id.count), characters, count, salt, UInt64(cost.passes), cost.memory * 1024,
                crypto_pwhash_ALG_ARGON2ID13)
        }
        guard outcome == 0 else { throw .outOfMemory }
        self.id = String(HashText.hex(Array(id.prefix(4)))[...])
        self.bytes = bytes
    }

    /// The bytes that are hashed in place of `password`.
    func mixed(into password: [UInt8], _ construction: Construction) -> [UInt8] {
        func code<Hash: HashFunction>(_: Hash.Type) -> [UInt8] {
            Array(HMAC<Hash>.authenticationCode(for: password, using: SymmetricKey(data: bytes)))
        }
        return switch construction {
        case .hmacSHA512: Array(Data(code(SHA512.self)).base64EncodedString().utf8)
        case .hmacSHA512Hex: HashText.hex(code(SHA512.self))
        case .hmacSHA256: Array(Data(code(SHA256.self)).base64EncodedString().utf8)
        case .hmacSHA256Hex: HashText.hex(code(SHA256.self))
        case .suffix: password + bytes
        case .prefix: bytes + password
        }
    }
}

extension PasswordPepper: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "pepper \(id)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The pepper that a stored hash names, and how it was put into the password. The hash follows it,
/// as after `$pepper$hmac-sha512$4f1c02aa$`.
public struct PepperUse: Sendable, Hashable {
    public let construction: PasswordPepper.Construction
    /// The ``PasswordPepper/id`` of the pepper.
    public let id: String

    public init(_ construction: PasswordPepper.Construction, of pepper: PasswordPepper) {
        self.init(construction: construction, id: pepper.id)
    }

    private init(construction: PasswordPepper.Construction, id: String) {
        (self.construction, self.id) = (construction, id)
    }

    static let prefix: StaticString = "$pepper$"

    /// The pepper at the beginning of a text, and the hash that follows; `nil` for text without
    /// one.
    static func read(_ text: ArraySlice<UInt8>) -> (use: PepperUse, hash: ArraySlice<UInt8>)? {
        guard text.hasPrefix(prefix) else { return nil }
        let fields = text.dropFirst(prefix.utf8CodeUnitCount).split(
            separator: UInt8(ascii: "$"), maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, let construction = PasswordPepper.Construction(rawValue: String(fields[0])),
            fields[1].bytes(.hex, count: 4...4) != nil
        else { return nil }
        return (PepperUse(construction: construction, id: String(fields[1])), fields[2])
    }

    var text: String { "\(Self.prefix)\(construction.rawValue)$\(id)$" }
}

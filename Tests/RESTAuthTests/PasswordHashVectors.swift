import Foundation
import PasswordHashing

/// A hash made by its own library, with `Tests/Scripts/password_hashes.py`.
struct PasswordHashVector: Decodable, Sendable {
    /// Name of the spelling.
    let form: String
    let scheme: String
    let password: String
    let hash: String

    /// Every form, with hashes at low cost and at its library's default.
    static let forms = [
        "argon2", "django_argon2", "sha256_crypt", "sha512_crypt", "bcrypt", "django_bcrypt", "bcrypt_sha256_1",
        "bcrypt_sha256_2",
        "passlib_pbkdf2", "werkzeug_pbkdf2", "django_pbkdf2", "passlib_scrypt", "werkzeug_scrypt", "django_scrypt",
        "fbscrypt", "phpass",
    ]

    static func all() throws -> [PasswordHashVector] { try loaded.get() }

    private static let loaded = Result { try load([PasswordHashVector].self, "password-hashes") }

    /// The vectors of a form that are cheap to verify.
    static func small(_ form: String) throws -> [PasswordHashVector] {
        try all().filter { $0.form == form && $0.isSmall }
    }

    var isSmall: Bool { PasswordHash(hash).map { isCheap($0) } ?? false }

    static func load<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        let file = URL(fileURLWithPath: #filePath).appending(path: "../../Vectors/\(name).json").standardized
        return try JSONDecoder().decode(type, from: Data(contentsOf: file))
    }
}

/// Whether the hash is cheap enough to verify a thousand times in a test.
func isCheap(_ hash: PasswordHash) -> Bool { HashLimit(memoryKiB: 1024, milliseconds: 4).admits(hash.cost) }

/// The vectors of RFC 6070 and RFC 7914, in the forms that can express them.
struct KeyDerivationVectors: Decodable {
    struct PBKDF2: Decodable {
        let hash: String
        let password: String
        let salt: String
        let rounds: Int
        let hex: String
    }

    struct Scrypt: Decodable {
        let password: String
        let salt: String
        let n: Int
        let r: Int
        let p: Int
        let hex: String
    }

    let pbkdf2: [PBKDF2]
    let scrypt: [Scrypt]
}

import Foundation

/// What says by its form alone what it is.
extension ForeignHash {
    static func bare(_ text: ArraySlice<UInt8>) -> Found? {
        if let hash = HashText(String(text)).flatMap(MD5CryptHash.init), !hash.digest.isEmpty {
            return Found(hash, "MD5 of crypt(3) or Apache's htpasswd")
        }
        if text.hasPrefix("$fbscrypt$") { return firebase(text) }
        if text.hasPrefix("$s0$") { return springScrypt(text.dropFirst("$s0".utf8.count)) }
        return bcryptWithSpareBits(text) ?? named(text) ?? colon(text) ?? aspNet(text) ?? plainDigest(text)
    }

    /// Firebase exports both alphabets of base64, with and without padding.
    private static func firebase(_ text: ArraySlice<UInt8>) -> Found? {
        guard let fields = text.fields(after: "$fbscrypt$", count: 3) else { return nil }
        let parameters = fields[0].parts(at: ",").map { value in
            let isBase64 = value.hasPrefix("ss=") || value.hasPrefix("sk=")
            return isBase64 ? value.prefix(3) + padded(value.dropFirst(3)) : value
        }
        let parts = [Array(parameters.joined(separator: [UInt8(ascii: ",")])), padded(fields[1]), padded(fields[2])]
        return Found((Array("$fbscrypt$".utf8) + parts.joined(separator: [UInt8(ascii: "$")]))[...])
    }

    private static func padded(_ text: ArraySlice<UInt8>) -> [UInt8] {
        let bare = text.filter { $0 != UInt8(ascii: "=") }
        let digits = bare.map {
            $0 == UInt8(ascii: "-") ? UInt8(ascii: "+") : $0 == UInt8(ascii: "_") ? UInt8(ascii: "/") : $0
        }
        return digits + [UInt8](repeating: UInt8(ascii: "="), count: (4 - digits.count % 4) % 4)
    }

    /// Some libraries once filled the bits of a bcrypt salt that nobody reads.
    private static func bcryptWithSpareBits(_ text: ArraySlice<UInt8>) -> Found? {
        guard text.hasPrefix("$2"), text.count == 60 else { return nil }
        var bytes = Array(text)
        guard let value = CryptDigits.bcrypt.value(of: bytes[28]) else { return nil }
        bytes[28] = CryptDigits.bcrypt.digit(value & 0x30)
        return Found(bytes[...])
    }

    /// `sha256$SALT$DIGEST` of Werkzeug before 3, and `sha1$` and `md5$` of Django. Of these two no
    /// one can say from the text which it is.
    private static func named(_ text: ArraySlice<UInt8>) -> Found? {
        let fields = text.parts(at: "$")
        guard fields.count == 3, let algorithm = DigestHash.Algorithm(rawValue: String(fields[0])),
            let digest = hex(fields[2])
        else { return nil }
        let isDjangos = algorithm == .md5 || algorithm == .sha1
        let constructions: [DigestHash.Construction] =
            fields[1].isEmpty ? [.password] : isDjangos ? [.hmac, .prefix] : [.hmac]
        return DigestHash(algorithm, constructions, salt: Array(fields[1]), digest: digest).map {
            Found($0, "\(algorithm.rawValue)$ of Werkzeug before 3\(isDjangos ? " or Django" : "")")
        }
    }

    /// `DIGEST:SALT` of Joomla, Magento and osCommerce, which had the salt on different sides.
    private static func colon(_ text: ArraySlice<UInt8>) -> Found? {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")), let digest = hex(text[..<colon]),
            let algorithm = DigestHash.Algorithm.allCases.first(where: { $0.length == digest.count })
        else { return nil }
        return DigestHash(algorithm, [.suffix, .prefix], salt: Array(text[(colon + 1)...]), digest: digest).map {
            Found($0, "\(algorithm.rawValue) and a salt, of Joomla, Magento or osCommerce")
        }
    }

    /// ASP.NET Identity: version 2 is PBKDF2 with SHA-1, version 3 says which hash and how often in
    /// numbers of four bytes.
    private static func aspNet(_ text: ArraySlice<UInt8>) -> Found? {
        guard text.hasPrefix("A"), let bytes = text.bytes(.base64, count: 49...512) else { return nil }
        if bytes[0] == 0, bytes.count == 49 {
            return found(.pbkdf2SHA1, 1000, Array(bytes[1..<17]), Array(bytes[17...]), "ASP.NET Identity, version 2")
        }
        guard bytes[0] == 1 else { return nil }
        let numbers = [1, 5, 9].map { bytes[$0..<($0 + 4)].reduce(0) { $0 << 8 | Int($1) } }
        let schemes: [PasswordHash.Scheme] = [.pbkdf2SHA1, .pbkdf2SHA256, .pbkdf2SHA512]
        let rest = bytes.dropFirst(13)
        guard schemes.indices.contains(numbers[0]), numbers[2] < rest.count else { return nil }
        return found(
            schemes[numbers[0]], numbers[1], Array(rest.prefix(numbers[2])), Array(rest.dropFirst(numbers[2])),
            "ASP.NET Identity, version 3")
    }

    /// In hexadecimal, without a salt.
    private static func plainDigest(_ text: ArraySlice<UInt8>) -> Found? {
        guard let digest = hex(text),
            let algorithm = DigestHash.Algorithm.allCases.first(where: { $0.length == digest.count })
        else { return nil }
        return DigestHash(algorithm, [.password], digest: digest).map {
            Found($0, "\(algorithm.rawValue) without a salt")
        }
    }
}

import Foundation

/// Reading of hashes that are known by their form alone.
extension ForeignHash {
    static func bare(_ text: ArraySlice<UInt8>) throws(Refusal) -> Found? {
        if let hash = HashText(String(text)).flatMap(MD5CryptHash.init), !hash.digest.isEmpty {
            return Found(hash, "MD5 of crypt(3) or Apache's htpasswd")
        }
        if text.hasPrefix("$fbscrypt$") { return firebase(text) }
        if text.hasPrefix("$s0$") { return springScrypt(text.dropFirst("$s0".utf8.count)) }
        if let found = try digestBeforeColon(text) { return found }
        return bcryptWithSpareBits(text) ?? named(text) ?? plainDigest(text) ?? mySQL(text) ?? aspNet(text)
    }

    /// Reads Firebase's scrypt, which is exported in both alphabets of base64, with and without
    /// padding.
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

    /// Reads a bcrypt hash whose salt has unused bits set, as some libraries once wrote it.
    private static func bcryptWithSpareBits(_ text: ArraySlice<UInt8>) -> Found? {
        guard text.hasPrefix("$2"), text.count == 60 else { return nil }
        var bytes = Array(text)
        guard let value = CryptDigits.bcrypt.value(of: bytes[28]) else { return nil }
        bytes[28] = CryptDigits.bcrypt.digit(value & 0x30)
        return Found(bytes[...])
    }

    /// Reads `sha256$SALT$DIGEST` of Werkzeug before 3, and `sha1$` and `md5$`, which Django writes
    /// too. The text does not tell these apart, so a password may match either construction.
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

    /// Reads `DIGEST:SALT` of Joomla, Magento 1 and osCommerce, which had the salt on different
    /// sides, and `DIGEST:SALT:VERSION` of Magento 2.
    private static func digestBeforeColon(_ text: ArraySlice<UInt8>) throws(Refusal) -> Found? {
        let parts = text.parts(at: ":")
        guard parts.count > 1, let digest = hex(parts[0]), let algorithm = algorithm(of: digest) else { return nil }
        guard parts.count == 2 else { return try magento(digest, salt: Array(parts[1]), versions: parts[2...]) }
        return DigestHash(algorithm, [.suffix, .prefix], salt: Array(parts[1]), digest: digest).map {
            Found($0, "\(algorithm.rawValue) and a salt, of Joomla, Magento 1 or osCommerce")
        }
    }

    /// Reads a hash of Magento 2. Version 0 is MD5 and 1 is SHA-256 of the salt and the password; 2
    /// is Argon2id with the first 16 bytes of the salt, and 3 is that with its costs,
    /// `3_32_2_67108864`: the digest's length, passes and bytes of memory (Magento's guide
    /// *Password hashing*, and its class `Encryptor`).
    private static func magento(
        _ digest: [UInt8], salt: [UInt8], versions: ArraySlice<ArraySlice<UInt8>>
    ) throws(Refusal) -> Found {
        let names = versions.map { $0.parts(at: "_") }
        guard names.allSatisfy({ $0.first?.number(in: 0...9) != nil }) else { throw .colons }
        guard let name = names.first, names.count == 1 else { throw .magento }
        let algorithms: [DigestHash.Algorithm] = [.md5, .sha256]
        if name.count == 1, let version = name[0].number(in: 0...1), algorithms[version].length == digest.count,
            let hash = DigestHash(
                algorithms[version], salt.isEmpty ? [.password] : [.prefix], salt: salt, digest: digest)
        {
            return Found(hash, "\(algorithms[version].rawValue) of Magento 2")
        }
        // Version 2 has the costs that libsodium calls interactive.
        let costs = name.count == 1 && name[0] == "2" ? [digest.count, 2, 1 << 26] : costs(ofMagento: name)
        guard !salt.isEmpty, costs.count == 3, costs[0] == digest.count else { throw .magento }
        let used = (0..<16).map { salt[$0 % salt.count] }
        let phc = """
            $argon2id$v=19$m=\(costs[2] / 1024),t=\(costs[1]),p=1$\(HashText.unpaddedBase64(used))$\
            \(HashText.unpaddedBase64(digest))
            """
        guard let found = Found(Array(phc.utf8)[...]) else { throw .magento }
        return found
    }

    private static func costs(ofMagento name: [ArraySlice<UInt8>]) -> [Int] {
        guard name.count == 4, name[0] == "3" else { return [] }
        return name.dropFirst().compactMap { $0.number(in: 1...(1 << 42)) }
    }

    private static func algorithm(of digest: [UInt8]) -> DigestHash.Algorithm? {
        DigestHash.Algorithm.allCases.first { $0.length == digest.count }
    }

    /// Reads `PASSWORD()` of MySQL from 4.1 on, SHA-1 of SHA-1.
    private static func mySQL(_ text: ArraySlice<UInt8>) -> Found? {
        guard text.first == UInt8(ascii: "*"), let digest = hex(text.dropFirst()) else { return nil }
        return DigestHash(.sha1, [.password], rounds: 2, digest: digest).map { Found($0, "PASSWORD() of MySQL") }
    }

    /// Reads ASP.NET Identity: version 2 is PBKDF2 with SHA-1, version 3 has the hash function, the
    /// iterations and the length of the salt in numbers of four bytes.
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

    /// Reads a digest in hexadecimal, without a salt.
    private static func plainDigest(_ text: ArraySlice<UInt8>) -> Found? {
        guard let digest = hex(text), let algorithm = algorithm(of: digest) else { return nil }
        return DigestHash(algorithm, [.password], digest: digest).map {
            Found($0, "\(algorithm.rawValue) without a salt")
        }
    }
}

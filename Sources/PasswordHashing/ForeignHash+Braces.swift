import Foundation

/// Reading of hashes with the name of their scheme in braces before them: RFC 2307 in LDAP
/// directories and Dovecot's password files, Spring Security's `DelegatingPasswordEncoder`.
extension ForeignHash {
    static func braced(_ text: ArraySlice<UInt8>, depth: Int) throws(Refusal) -> Found {
        guard let end = text.firstIndex(of: UInt8(ascii: "}")) else { throw .unknown }
        let rest = text[(end + 1)...]
        var name = String(text[(text.startIndex + 1)..<end].map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }[...])
        // Dovecot's suffixes name the encoding of the bytes, which is read from the bytes here.
        for suffix in [".hex", ".b64", ".base64"]
        where name.utf8.elementsEqual(name.utf8.dropLast(suffix.utf8.count) + Array(suffix.utf8)) {
            name = String(Array(name.utf8.dropLast(suffix.utf8.count))[...])
        }
        if let (algorithm, isSalted) = digests[name] {
            if let found = digest(rest, algorithm, isSalted: isSalted) { return found }
            // Dovecot's MD5 is that of crypt(3).
            guard rest.first == UInt8(ascii: "$") else { throw Refusal.damaged("{\(name.uppercased())}") }
            return try unwrapped(rest, depth: depth + 1)
        }
        switch name {
        case "bcrypt", "blf-crypt", "crypt", "sha256-crypt", "sha512-crypt", "md5-crypt", "des-crypt", "argon2",
            "argon2i",
            "argon2id", "argon2@springsecurity_v5_2", "argon2@springsecurity_v5_8", "ldap", "x-php":
            return try unwrapped(rest, depth: depth + 1)
        case "scrypt", "scrypt@springsecurity_v5_8":
            guard let found = springScrypt(rest) else { throw .damaged("{scrypt}") }
            return found
        case "pbkdf2", "pbkdf2-sha1", "pbkdf2-sha256", "pbkdf2-sha512", "pbkdf2@springsecurity_v5_5",
            "pbkdf2@springsecurity_v5_8", "pkcs5s2":
            guard let found = bracedPBKDF2(name, rest) else { throw .damaged("{\(name)}") }
            return found
        case "noop", "plain", "cleartext", "clear", "plaintext": throw .plain
        case "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256", "apop", "ntlm", "lanman", "nt", "rpa", "otp",
            "skey":
            throw Refusal(
                reason: """
                    {\(name.uppercased())} is what a mail or directory server keeps for one way of signing in; it \
                    is no hash that a password can be stored by. Such users get a password by rest-auth users \
                    set-password
                    """)
        case "sasl", "kerberos", "gssapi", "pam":
            throw Refusal(
                reason: "{\(name.uppercased())} says that another system checks the password; there is no hash here")
        default:
            let asWritten = String(text[(text.startIndex + 1)..<end])
            throw isSchemeName(asWritten) ? .unknownName("{\(asWritten)}") : .unknown
        }
    }

    /// The digest of each scheme by its name in lower case, and whether a salt follows the digest.
    private static let digests: [String: (DigestHash.Algorithm, isSalted: Bool)] = [
        "md5": (.md5, false), "plain-md5": (.md5, false), "ldap-md5": (.md5, false), "smd5": (.md5, true),
        "sha": (.sha1, false), "sha1": (.sha1, false), "sha-1": (.sha1, false), "ssha": (.sha1, true),
        "sha256": (.sha256, false), "sha-256": (.sha256, false), "ssha256": (.sha256, true),
        "ssha-256": (.sha256, true),
        "sha384": (.sha384, false), "sha-384": (.sha384, false), "ssha384": (.sha384, true),
        "ssha-384": (.sha384, true), "sha512": (.sha512, false), "sha-512": (.sha512, false),
        "ssha512": (.sha512, true),
        "ssha-512": (.sha512, true),
    ]

    private static func digest(_ text: ArraySlice<UInt8>, _ algorithm: DigestHash.Algorithm, isSalted: Bool) -> Found? {
        let origin = "\(isSalted ? "salted " : "")\(algorithm.rawValue) of LDAP, Dovecot or Spring"
        if !isSalted, let found = springDigest(text, algorithm) { return found }
        let longest = algorithm.length + HashText.saltBytes.upperBound
        guard let bytes = hex(text) ?? text.bytes(.base64, count: 1...longest), bytes.count >= algorithm.length else {
            return nil
        }
        let (digest, salt) = (Array(bytes.prefix(algorithm.length)), Array(bytes.dropFirst(algorithm.length)))
        guard isSalted != salt.isEmpty else { return nil }
        return DigestHash(algorithm, [isSalted ? .suffix : .password], salt: salt, digest: digest).map {
            Found($0, origin)
        }
    }

    /// Reads Spring's `MessageDigestPasswordEncoder`, with the salt and its braces after the
    /// password, and its `StandardPasswordEncoder`, SHA-256 applied 1024 times.
    private static func springDigest(_ text: ArraySlice<UInt8>, _ algorithm: DigestHash.Algorithm) -> Found? {
        if text.first == UInt8(ascii: "{"), let end = text.lastIndex(of: UInt8(ascii: "}")),
            let digest = hex(text[(end + 1)...])
        {
            let salt = Array(text[...end])
            let constructions: [DigestHash.Construction] = salt.count == 2 ? [.password] : [.suffix]
            return DigestHash(algorithm, constructions, salt: salt.count == 2 ? [] : salt, digest: digest).map {
                Found($0, "\(algorithm.rawValue) of Spring Security")
            }
        }
        guard algorithm == .sha256, let bytes = hex(text), bytes.count == 40 else { return nil }
        return DigestHash(
            algorithm, [.prefix], rounds: 1024, salt: Array(bytes.prefix(8)), digest: Array(bytes.dropFirst(8))
        ).map { Found($0, "StandardPasswordEncoder of Spring Security") }
    }

    /// Reads Spring's `$e0801$SALT$DIGEST`: the logarithm of N, r and p are one hexadecimal number.
    static func springScrypt(_ text: ArraySlice<UInt8>) -> Found? {
        guard let fields = text.fields(after: "$", count: 3), (5...6).contains(fields[0].count),
            let costs = hex(fields[0].count == 5 ? [0x30] + fields[0] : fields[0]),
            let salt = fields[1].bytes(.base64, count: HashText.saltBytes),
            let digest = fields[2].bytes(.base64, count: 32...32)
        else { return nil }
        let (saltText, digestText) = (HashText.unpaddedBase64(salt), HashText.unpaddedBase64(digest))
        let passlib = "$scrypt$ln=\(costs[0]),r=\(costs[1]),p=\(costs[2])$\(saltText)$\(digestText)"
        return Found(Array(passlib.utf8)[...])
    }

    private static func bracedPBKDF2(_ name: String, _ text: ArraySlice<UInt8>) -> Found? {
        // Dovecot.
        if let fields = text.fields(after: "$1$", count: 3), let iterations = fields[1].number(in: 1...0xFFFF_FFFF),
            let salt = fields[0].textSalt(), let digest = hex(fields[2]), digest.count == 20
        {
            return found(.pbkdf2SHA1, iterations, salt, digest, "PBKDF2 of Dovecot")
        }
        // Atlassian: 16 bytes of salt and 32 of digest.
        if name == "pkcs5s2" {
            return text.bytes(.base64, count: 48...48).flatMap {
                found(.pbkdf2SHA1, 10000, Array($0.prefix(16)), Array($0.dropFirst(16)), "PBKDF2 of Atlassian")
            }
        }
        // OpenLDAP: passlib's form with another beginning.
        let suffix = name.utf8.dropFirst("pbkdf2".utf8.count)
        let prefix = suffix.elementsEqual("-sha1".utf8) ? "" : String(Array(suffix)[...])
        if text.contains(UInt8(ascii: "$")) { return Found(Array("$pbkdf2\(prefix)$".utf8) + text) }
        // Spring, in hexadecimal or base64: the length of the salt tells its version.
        guard let bytes = hex(text) ?? text.bytes(.base64, count: 40...48) else { return nil }
        switch bytes.count {
        case 40:
            return found(.pbkdf2SHA1, 185_000, Array(bytes.prefix(8)), Array(bytes.dropFirst(8)), "PBKDF2 of Spring")
        case 48:
            return found(
                .pbkdf2SHA256, 310_000, Array(bytes.prefix(16)), Array(bytes.dropFirst(16)), "PBKDF2 of Spring")
        default: return nil
        }
    }

    static func found(
        _ scheme: PasswordHash.Scheme, _ iterations: Int, _ salt: [UInt8], _ digest: [UInt8], _ origin: String
    ) -> Found? {
        PBKDF2Hash(scheme, iterations: iterations, salt: salt, digest: digest).map { Found($0, origin) }
    }

    /// The bytes of hexadecimal digits in either case; `nil` for anything else.
    static func hex(_ text: some Collection<UInt8>) -> [UInt8]? {
        text.map { (0x41...0x46).contains($0) ? $0 | 0x20 : $0 }[...].bytes(.hex, count: 1...maximumBytes)
    }

    /// Whether it looks like the name of a scheme as directories write them, in capitals, and not
    /// like the beginning of a password, which is never shown.
    private static func isSchemeName(_ name: String) -> Bool {
        let isInName = { (byte: UInt8) in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || byte == 0x2D
        }
        return (2...24).contains(name.utf8.count) && name.utf8.allSatisfy(isInName)
    }
}

/// Refusals of hashes that are not understood, which say where such a hash comes from.
extension ForeignHash.Refusal {
    static let unknown = Self(
        reason: "the password hash is of a kind that is not understood, or cut off, or the password itself")

    static let plain = Self(
        reason: """
            the password itself stands there, not a hash: let rest-auth users set-password read it, and treat the file \
            as what it is
            """)

    static func unknownName(_ name: String) -> Self {
        Self(reason: "the password hash is of the kind \(name), which is not understood", hasUnknownName: true)
    }

    static func damaged(_ name: String) -> Self {
        Self(
            reason: """
                the password hash begins like one of \(name), but is cut off, damaged, without a salt or of another \
                form: compare its length with the column's
                """)
    }

    static func tooFast(_ origin: String) -> Self {
        useless(
            origin, "at this cost whoever has a copy guesses most passwords, and it cannot go inside an Argon2id hash")
    }

    /// Refusal of a hash of Magento 2, which hashes a digest anew when a newer version comes, and
    /// names both versions.
    static let magento = useless(
        "a digest, a salt and versions, as Magento 2 has it",
        "of these 0, 1, 2 and 3 are understood, one alone with a whole digest")

    /// Refusal of a digest with several colons after it. No system that writes a colon between
    /// digest and salt has one in its salt.
    static let colons = useless("a digest with several colons after it", "nobody here knows what these divide")

    private static func useless(_ what: String, _ why: String) -> Self {
        Self(reason: "the password hash is \(what): \(why). Such users get a password by rest-auth users set-password")
    }

    /// The refusals by the beginning of the text; of two that fit, the longer one is first.
    fileprivate static let kinds: [(prefix: StaticString, refusal: Self)] = [
        ("plain$", .plain),
        (
            "$2x$",
            useless(
                "bcrypt as $2x$",
                """
                PHP and crypt_blowfish marked with it what they had made before 2011 with a fault, so that other \
                passwords fit as well
                """
            )
        ),
        ("$argon2d$", useless("Argon2d", "it is not for passwords, and no library here computes it")),
        ("$argon2", damaged("Argon2, version 1.3 (v=19)")),
        ("argon2$", damaged("Argon2 of Django")),
        ("$2", damaged("bcrypt, which has 60 characters")),
        ("bcrypt", damaged("bcrypt of Django")),
        ("$wp$", damaged("WordPress 6.8")),
        ("$bcrypt-sha256$", damaged("bcrypt_sha256 of passlib")),
        ("$5$", damaged("SHA-256 of crypt(3)")), ("$6$", damaged("SHA-512 of crypt(3)")),
        ("$1$", damaged("MD5 of crypt(3), which has at most 34 characters")),
        ("$apr1$", damaged("MD5 of Apache's htpasswd, which has at most 37 characters")),
        ("$P$", damaged("PHPass, which has 34 characters")), ("$H$", damaged("PHPass, which has 34 characters")),
        ("$S$", damaged("Drupal 7, which has 55 characters")), ("U$", damaged("Drupal 7, which has 56 characters")),
        ("$pbkdf2", damaged("PBKDF2 of passlib")), ("pbkdf2:", damaged("PBKDF2 of Werkzeug")),
        ("pbkdf2_", damaged("PBKDF2 of Django")),
        ("$scrypt$", damaged("scrypt of passlib")),
        ("scrypt:", damaged("scrypt of Werkzeug, which has more than 150 characters")),
        ("scrypt$", damaged("scrypt of Django")), ("$fbscrypt$", damaged("scrypt of Firebase")),
        ("$y$", damaged("yescrypt of crypt(3)")),
        ("$gy$", useless("yescrypt with the Russian hash GOST", "it is not understood")),
        ("$7$", useless("scrypt of libsodium or crypt(3)", "it is not understood")),
        ("$3$", useless("the NT hash of Windows", "it is MD4 without a salt, and not understood")),
        ("$sha1$", useless("SHA-1 of NetBSD's crypt(3)", "it is not understood")),
        ("$md5", useless("MD5 of Solaris", "it is not understood")),
        ("crypt$", useless("DES of crypt(3)", "of a password only the first eight characters count")),
        ("SCRAM-SHA-", useless("a role's of PostgreSQL, or a mail server's", "it is for one way of signing in only")),
    ]
}

extension ForeignHash {
    /// The refusal of a text that was not understood.
    static func refusal(of text: ArraySlice<UInt8>) -> Refusal {
        if let kind = Refusal.kinds.first(where: { text.hasPrefix($0.prefix) }) { return kind.refusal }
        if text.count == 13, text.allSatisfy({ CryptDigits.crypt.value(of: $0) != nil }) {
            return Refusal(
                reason: """
                    13 letters are DES of crypt(3), of which only eight characters of a password count, or the \
                    password itself. Such users get a password by rest-auth users set-password
                    """)
        }
        // The form of crypt(3). Text with something before the first dollar sign may be a password.
        let fields = text.parts(at: "$")
        guard fields.count > 3, fields[0].isEmpty, (1...16).contains(fields[1].count), fields[1].count < text.count / 2,
            fields[1].allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D })
        else { return .unknown }
        return .unknownName("$\(String(fields[1]))$")
    }
}

import Foundation
import PasswordHashing
import Support
import Testing

/// Texts that are almost a hash. Each is refused when it is parsed, or is the hash of another
/// password.
@Suite struct PasswordHashRefusalTests {
    /// A hash of each form, at low cost.
    private static func sample(_ form: String) throws -> PasswordHashVector {
        try #require(PasswordHashVector.small(form).first { $0.password == "python" })
    }

    /// Whether the text is parsed and verifies with the password of `vector`. Expensive hashes are
    /// not computed.
    private func isTaken(_ text: String, for vector: PasswordHashVector) throws -> Bool {
        guard let hash = PasswordHash(text), isCheap(hash) else { return false }
        return try hash.verify(Array(vector.password.utf8))
    }

    // MARK: Any form

    @Test(arguments: PasswordHashVector.forms) func aFlippedBitIsAnotherHash(form: String) throws {
        let vector = try Self.sample(form)
        let bytes = Array(vector.hash.utf8)
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << bit
                let text = String(decoding: flipped, as: UTF8.self)
                #expect(try !isTaken(text, for: vector), "\(text)")
            }
        }
    }

    @Test(arguments: PasswordHashVector.forms) func aDigitMoreOrLessIsAnotherHash(form: String) throws {
        let vector = try Self.sample(form)
        for count in 0..<vector.hash.count {
            #expect(try !isTaken(String(vector.hash.prefix(count)), for: vector), "\(vector.hash.prefix(count))")
            #expect(
                PasswordHash(String(vector.hash.suffix(count))) == nil || form.hasPrefix("django_"),
                "\(vector.hash.suffix(count))")
        }
        for digit in "./0Aa+=$,:-_ \n\r\t\0\u{7F}\u{E9}\u{200B}" {
            #expect(try !isTaken(vector.hash + String(digit), for: vector), "with \(digit.debugDescription) after")
            #expect(PasswordHash(String(digit) + vector.hash) == nil, "with \(digit.debugDescription) before")
        }
    }

    @Test(arguments: PasswordHashVector.forms) func whatIsNoVisibleASCIIIsRefusedEverywhere(form: String) throws {
        let hash = try Self.sample(form).hash
        for offset in 0...hash.count {
            for stranger: Character in [
                "\0", "\n", "\r\n", "\t", " ", "\u{7F}", "\u{80}", "\u{E9}", "\u{301}", "\u{FF10}", "\u{660}", "🔑",
            ] {
                var text = hash
                text.insert(stranger, at: text.index(text.startIndex, offsetBy: offset))
                #expect(PasswordHash(text) == nil, "\(text.debugDescription)")
            }
        }
    }

    @Test(arguments: PasswordHashVector.forms) func anEmptyPartIsRefused(form: String) throws {
        let vector = try Self.sample(form)
        let parts = vector.hash.split(separator: "$", omittingEmptySubsequences: false)
        for index in parts.indices where !parts[index].isEmpty {
            var (emptied, removed, doubled) = (parts, parts, parts)
            emptied[index] = ""
            removed.remove(at: index)
            doubled.insert(parts[index], at: index)
            for parts in [emptied, removed, doubled] {
                let text = parts.joined(separator: "$")
                // Without Django's prefix it is the plain form, and without its rounds a crypt(3)
                // hash is a different one.
                let isOtherForm = form.hasPrefix("django_") && text.hasPrefix("$")
                let isWithoutRounds = form.hasSuffix("_crypt") && parts.count == 4
                #expect(
                    try PasswordHash(text) == nil || isOtherForm || isWithoutRounds && !isTaken(text, for: vector),
                    "\(text)")
            }
        }
    }

    @Test(arguments: PasswordHashVector.forms) func aNumberHasOneSpelling(form: String) throws {
        let hash = try Self.sample(form).hash
        let numbers = hash.matches(of: #/[$,:=]([0-9]+)(?=[$,:])/#)
        #expect(!numbers.isEmpty || form == "phpass")
        for number in numbers {
            let (range, value) = (number.1.startIndex..<number.1.endIndex, number.1)
            for spelling in [
                "", "0", "-0", "-1", "-\(value)", "+\(value)", "0\(value)", "00\(value)", "0x\(value)", "\(value).0",
                "\(value)e0",
                "\(value)_", " \(value)", "\(value) ", "\(value),", "\(value)\(value)$", "\u{660}", "999999999999",
                "99999999999",
                "1099511627776", "9223372036854775807", "9223372036854775808", "18446744073709551617",
                String(repeating: "9", count: 400),
            ] {
                let text = hash.replacingCharacters(in: range, with: spelling)
                #expect(PasswordHash(text) == nil, "\(text)")
            }
        }
    }

    @Test(arguments: PasswordHashVector.forms) func thePrefixOfAnotherSchemeIsRefused(form: String) throws {
        let prefixes = [
            "$argon2id$", "$argon2i$", "$argon2d$", "argon2$argon2id$", "argon2$argon2i$", "argon2$argon2d$", "argon2$",
            "$5$", "$6$",
            "$2$",
            "$2a$", "$2b$", "$2x$", "$2y$", "bcrypt$$2a$", "bcrypt$$2b$", "bcrypt$$2x$", "bcrypt_sha256$$2b$",
            "$bcrypt-sha256$",
            "$pbkdf2$",
            "$pbkdf2-sha1$", "$pbkdf2-sha256$", "$pbkdf2-sha512$", "pbkdf2:md5:", "pbkdf2:sha1:", "pbkdf2:sha224:",
            "pbkdf2:sha256:",
            "pbkdf2:sha512:", "pbkdf2_md5$", "pbkdf2_sha1$", "pbkdf2_sha256$", "pbkdf2_sha512$", "$scrypt$", "scrypt:",
            "scrypt$", "$7$",
            "$fbscrypt$", "$P$", "$H$", "$S$", "$1$", "$3$", "$y$", "$gy$", "$sm3$", "$md5$", "$apr1$", "$sha1$", "_",
            "sha1$", "md5$",
            "plain$", "crypt$",
            "{CRYPT}", "{SSHA}", "$wp$2y$", "", "$", "$$",
        ]
        let vector = try Self.sample(form)
        let own = try #require(prefixes.filter { vector.hash.hasPrefix($0) }.max { $0.count < $1.count })
        let isOfScheme = { (text: String) in PasswordHash(text)?.scheme.rawValue == vector.scheme }
        #expect(isOfScheme(vector.hash))
        for prefix in prefixes where prefix != own {
            let text = prefix + vector.hash.dropFirst(own.count)
            // The same scheme with and without Django's prefix, and under bcrypt's three names, is
            // the same hash.
            let isSameHash =
                ["argon2", "bcrypt", "phpass"].contains { vector.scheme.hasPrefix($0) } && isOfScheme(text)
            #expect(try !isTaken(text, for: vector) || isSameHash, "\(text)")
        }
        for text in [vector.hash.uppercased(), vector.hash.lowercased()] where text != vector.hash {
            #expect(try !isTaken(text, for: vector), "\(text)")
        }
    }

    @Test(arguments: PasswordHashVector.forms) func theSaltOfAnotherHashIsAnotherHash(form: String) throws {
        let vectors = try PasswordHashVector.small(form).filter { $0.password == "python" && $0.hash.count > 40 }
        for (vector, other) in zip(vectors, vectors.dropFirst()) {
            // The last part is the digest, or ends with it in bcrypt and phpass.
            let text = vector.hash.dropLast(20) + other.hash.suffix(20)
            #expect(try !isTaken(String(text), for: vector), "\(text)")
        }
    }

    // MARK: Spare bits

    /// The end of the salt, counted from the end of the text, with the number of significant bits
    /// in its last digit; and the significant bits in the last digit of the digest.
    static let ends: [(form: String, salt: (fromEnd: Int, bits: Int)?, digestBits: Int)] = [
        ("argon2", (44, 2), 4), ("sha256_crypt", nil, 4), ("sha512_crypt", nil, 2), ("bcrypt", (31, 2), 4),
        ("django_bcrypt", (31, 2), 4),
        ("bcrypt_sha256_1", (32, 2), 4), ("bcrypt_sha256_2", (32, 2), 4), ("passlib_pbkdf2", (28, 2), 4),
        ("passlib_scrypt", (44, 2), 4),
        ("phpass", nil, 2),
    ]

    @Test(arguments: ends.map(\.form)) func theSpareBitsOfTheLastDigitAreZero(form: String) throws {
        let (_, salt, digestBits) = try #require(Self.ends.first { $0.form == form })
        let vector = try Self.sample(form)
        for (fromEnd, bits) in [salt, (0, digestBits)].compactMap(\.self) {
            let index = vector.hash.index(vector.hash.endIndex, offsetBy: -fromEnd - 1)
            let understood = (0x21...0x7E as ClosedRange<UInt8>).filter { digit in
                let text = vector.hash.replacingCharacters(in: index...index, with: String(UnicodeScalar(digit)))
                return PasswordHash(text) != nil
            }
            #expect(understood.count == 1 << bits, "\(form): \(understood.map { String(UnicodeScalar($0)) })")
            for digit in understood {
                let text = vector.hash.replacingCharacters(in: index...index, with: String(UnicodeScalar(digit)))
                #expect(try isTaken(text, for: vector) == (text == vector.hash), "\(text)")
            }
        }
    }

    @Test(arguments: ["django_pbkdf2", "django_scrypt", "fbscrypt"]) func paddedBase64HasOneSpelling(form: String)
        throws
    {
        let hash = try Self.sample(form).hash
        let digest = try #require(hash.split(separator: "$").last)
        let (start, unpadded) = (digest.dropLast(4), digest.replacing("=", with: ""))
        let spellings = [
            "\(unpadded)", "\(unpadded)=", "\(unpadded)==", "\(unpadded)===", "=\(digest)", "\(digest)\(digest)",
            digest.replacing("=", with: "A"), "\(start)AAB=", "\(start)AB==", "\(start)A===", "\(start)====", "====",
        ]
        for spelling in spellings where spelling != digest {
            #expect(PasswordHash("\(hash.dropLast(digest.count))\(spelling)") == nil, "\(spelling)")
        }
    }

    @Test func anotherAlphabetIsRefused() throws {
        let digest = try #require(Self.sample("werkzeug_pbkdf2").hash.split(separator: "$").last)
        #expect(PasswordHash("pbkdf2:sha1:1000$salt$\(digest)") != nil)
        #expect(PasswordHash("pbkdf2:sha1:1000$salt$\(digest.uppercased())") == nil)
        let zeros = String(repeating: "A", count: 26)
        #expect(PasswordHash("$pbkdf2$1$c2FsdA$.\(zeros)") != nil)
        for digit in ["+", "-", "_", "="] { #expect(PasswordHash("$pbkdf2$1$c2FsdA$\(digit)\(zeros)") == nil) }
        let tag = String(repeating: "A", count: 42)
        #expect(PasswordHash("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$+\(tag)") != nil)
        #expect(PasswordHash("$scrypt$ln=1,r=1,p=1$c2FsdA$+\(tag)") != nil)
        for digit in [".", "-", "_", "="] {
            #expect(PasswordHash("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$\(digit)\(tag)") == nil)
            #expect(PasswordHash("$scrypt$ln=1,r=1,p=1$c2FsdA$\(digit)\(tag)") == nil)
        }
        #expect(PasswordHash("$6$a+b$" + String(repeating: ".", count: 86)) == nil)
        #expect(PasswordHash("$6$ab$" + String(repeating: ".", count: 86)) != nil)
    }

    // MARK: Bounds

    /// Hashes with a gap, with values that fit into it and values that do not.
    static let bounds: [(text: String, fits: [String], doesNot: [String])] = {
        let tag = "$c29tZXNhbHRzb21lc2FsdA$ISO7kkvFzh19GM8qB7patN3C3Y9HHsjlVTfEZ9T600Y"
        let (sha1, sha256, sha512) = (40, 64, 128)
        func hex(_ count: Int) -> String { String(repeating: "0", count: count) }
        func base64(_ bytes: Int) -> String { Data(count: bytes).base64EncodedString() }
        let bcryptEnd = "$R/MVldrSLi0gqhmdDIWCsezu1QMWDmhxtLKu7Io6pdkiJDY6Q32Ra"
        let halves = "R/MVldrSLi0gqhmdDIWCse$zu1QMWDmhxtLKu7Io6pdkiJDY6Q32Ra"
        let firebase = "ss=Bw==,sk=\(base64(64))"
        return [
            (
                "$argon2id$v=19$m=#,t=2,p=1\(tag)", ["8", "19456", "4194304"],
                ["0", "7", "4194305", "99999999999", "4294967296", "4294967304", "18446744073709551624"]
            ),
            ("$argon2id$v=19$m=64,t=#,p=1\(tag)", ["1", "64", "1000"], ["0", "1001", "4294967297"]),
            ("$argon2id$v=19$m=64,t=1,p=#\(tag)", ["1", "8"], ["0", "9", "255", "16777216", "4294967297"]),
            (
                "$argon2id$#m=64,t=1,p=1\(tag)", ["v=19$"],
                ["", "v=16$", "v=18$", "v=20$", "v=1$", "v=$", "v=019$", "v=19$v=19$", "V=19$"]
            ),
            (
                "$argon2id$v=19$#\(tag)", ["m=64,t=1,p=1"],
                [
                    "t=1,m=64,p=1", "m=64,t=1", "m=64,t=1,p=1,", "m=64,t=1,p=1,keyid=AAAA", "m=64,t=1,p=1,data=AAAA",
                    "m=64,m=64,t=1,p=1",
                    ",m=64,t=1,p=1", "m=64 ,t=1,p=1", "m:64,t:1,p:1", "64,1,1", "m=64;t=1;p=1", "M=64,T=1,P=1",
                ]
            ),
            (
                "$argon2id$v=19$m=64,t=1,p=1$#$\(tag.suffix(43))", ["c29tZXNhbHQ"],
                ["c29tZXNhbA", "", "c29tZXNhbHQ=", "c29tZXNhbHR"]
            ),
            ("$5$rounds=#$salt$\(hex(42)).", ["1000", "999999999"], ["0", "1", "999", "1000000000", "01000"]),
            (
                "$6$rounds=#$salt$\(hex(85)).", ["1000", "999999999"],
                ["0", "1", "999", "1000000000", "01000", "1000,"]
            ),
            (
                "$6$#$salt$\(hex(85)).", ["rounds=1000"],
                ["ROUNDS=1000", "rounds:1000", "round=1000", "rounds=", "rounds", "1000"]
            ),
            (
                "$6$#$\(hex(85)).", ["a", "abcdefghijklmnop", "./0Zz"],
                ["", "abcdefghijklmnopq", "a:b", "a=b", "a*", "a+b", "a-b"]
            ),
            ("$2b$#\(bcryptEnd)", ["04", "10", "31"], ["00", "03", "32", "99", "4", "004", "4.", "+4", "-4"]),
            ("$2#$04\(bcryptEnd)", ["a", "b", "y"], ["", "x", "c", "A", "B", "Y", "ab", "0"]),
            ("bcrypt$#$04\(bcryptEnd)", ["$2a", "$2b", "$2y"], ["$2x", "2b", "", "$$2b", "$2"]),
            ("bcrypt_sha256$#$04\(bcryptEnd)", ["$2a", "$2b", "$2y"], ["$2x", "2b", "", "$$2b", "$2"]),
            (
                "$bcrypt-sha256$#$\(halves)", ["2a,4", "2b,4", "2b,31", "v=2,t=2b,r=4", "v=2,t=2b,r=31"],
                [
                    "2y,4", "2x,4", "2b,04", "2b,3", "2b,32", "2b", "2b,", "2b,4,", "", "v=1,t=2b,r=4", "v=3,t=2b,r=4",
                    "v=2,t=2a,r=4",
                    "v=2,t=2y,r=4", "v=2,t=2b,r=04", "v=2,t=2b,r=3", "v=2,t=2b,r=32", "v=2,t=2b", "t=2b,v=2,r=4",
                    "v=2,t=2b,r=4,",
                ]
            ),
            ("$pbkdf2$#$c2FsdA$\(hex(26))A", ["1", "4294967295"], ["0", "4294967296", "4294967297"]),
            ("$pbkdf2-sha256$#$c2FsdA$\(hex(42))A", ["1", "4294967295"], ["0", "4294967296", "4294967297"]),
            ("pbkdf2:sha256:#$salt$\(hex(sha256))", ["1", "4294967295"], ["0", "4294967296", "1:1", "1,1"]),
            (
                "pbkdf2:#:1$salt$\(hex(sha256))", ["sha256"],
                ["sha1", "sha512", "SHA256", "sha-256", "sha224", "md5", "sha3_256", ""]
            ),
            (
                "pbkdf2:sha1:1$salt$#", [hex(sha1)],
                [hex(sha1 - 1), hex(sha1 - 2), hex(sha1 + 2), hex(sha256), "\(hex(sha1 - 1))g", ""]
            ),
            (
                "pbkdf2:sha512:1$salt$#", [hex(sha512)],
                [hex(sha512 - 2), hex(sha512 + 2), hex(sha256), "0x\(hex(sha512 - 2))", ""]
            ),
            (
                "pbkdf2_sha256$1$#$\(base64(32))", ["s", "a+b/c=", String(repeating: "s", count: 256)],
                ["", "a$b", String(repeating: "s", count: 257)]
            ),
            ("pbkdf2_sha256$1$salt$#", [base64(32)], [base64(31), base64(33), base64(20), base64(64), ""]),
            ("pbkdf2_sha1$1$salt$#", [base64(20)], [base64(19), base64(21), base64(32), ""]),
            (
                "scrypt:#$salt$\(hex(sha512))", ["2:1:1", "32768:8:1", "32768:1:1", "2097152:8:1", "2:16:16384"],
                [
                    "1:8:1", "3:8:1", "0:8:1", "-2:8:1", "32767:8:1", "65536:1:1", "4294967296:8:1",
                    "1099511627776:8:1", "4194304:8:1",
                    "2097152:16:1", "2:0:1", "2:1:0", "2:1073741824:1", "2:1:1073741824", "2:32768:32768", "32768:8",
                    "32768:8:1:1",
                    "32768::1", "", "1024:8:300000", "16384:8:16385",
                ]
            ),
            ("scrypt:16:8:1$salt$#", [hex(sha512)], [hex(sha256), hex(sha512 - 2), hex(sha512 + 2), ""]),
            (
                "$scrypt$ln=#$c2FsdA$\(hex(42))A", ["1,r=1,p=1", "21,r=8,p=1", "16,r=8,p=1"],
                [
                    "0,r=8,p=1", "22,r=8,p=1", "31,r=1,p=1", "32,r=8,p=1", "64,r=8,p=1", "16,r=1,p=1", "16,p=1,r=8",
                    "16,r=8", "16,8,1",
                ]
            ),
            ("$scrypt$ln=4,r=8,p=1$c2FsdA$#", ["\(hex(42))A"], ["\(hex(41))A", "\(hex(43))A", "\(hex(85))A", ""]),
            (
                "scrypt$#$\(base64(64))", ["16$salt$8$1", "4$salt$8$1"],
                ["16$$8$1", "16$8$1$salt", "salt$16$8$1", "17$salt$8$1", "16$salt$8", "16:8:1$salt"]
            ),
            (
                "$fbscrypt$#$c2FsdA==$\(base64(64))", ["v=1,n=14,r=8,p=1,\(firebase)"],
                [
                    "v=2,n=14,r=8,p=1,\(firebase)", "v=1,n=14,r=8,p=1,ss=,sk=\(base64(64))",
                    "v=1,n=14,r=8,p=1,ss=Bw==,sk=",
                    "v=1,n=14,r=8,p=1,sk=\(base64(64))", "v=1,n=14,r=8,p=1,ss=Bw==", "n=14,r=8,p=1,\(firebase)",
                    "v=1,n=0,r=8,p=1,\(firebase)", "v=1,n=22,r=8,p=1,\(firebase)", "v=1,n=64,r=8,p=1,\(firebase)",
                    "v=1,n=14,r=0,p=1,\(firebase)", "v=1,n=14,r=8,p=0,\(firebase)",
                    "v=1,n=14,r=8,p=1,ss=Bw,sk=\(base64(64))",
                    "v=1,n=14,r=8,p=1,ss=Bw==,sk=\(base64(32))",
                    "v=1,n=14,r=8,p=1,ss=Bw==,sk=\(base64(65))",
                ]
            ),
            (
                "$fbscrypt$v=1,n=14,r=8,p=1,\(firebase)$c2FsdA==$#", [base64(64)],
                [base64(63), base64(65), base64(32), "", "ZGlmZmVyZW50aGFzaA=="]
            ),
            ("$P$#ipankpTL4jh6H.mMBiGwUhKJh76SL0", ["5", "B", "S"], ["4", ".", "T", "z", "", "=", "BB"]),
            ("$P$Bipankp#jh6H.mMBiGwUhKJh76SL0.", ["TL"], ["T", "TLL", "T=", "T$", "T:"]),
        ]
    }()

    @Test(arguments: bounds.map(\.text)) func whatIsOutOfBoundsIsRefused(text: String) throws {
        let (_, fits, doesNot) = try #require(Self.bounds.first { $0.text == text })
        for part in fits {
            let cost = try #require(PasswordHash(text.replacing("#", with: part)), "\(text) with \(part)").cost
            #expect(cost.milliseconds > 0 && cost.memoryKiB > 0 && cost.memoryKiB <= 4 << 20)
        }
        for part in doesNot { #expect(PasswordHash(text.replacing("#", with: part)) == nil, "\(text) with \(part)") }
    }

    @Test func aLongTextIsRefused() {
        // The tag of Argon2 is the only part without a fixed length.
        let start = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$"
        #expect(PasswordHash(start + String(repeating: "A", count: 256)) != nil)
        for count in [344, 984, 1 << 20] { #expect(PasswordHash(start + String(repeating: "A", count: count)) == nil) }
        for count in [1024, 1025, 1 << 20] { #expect(PasswordHash(String(repeating: "$", count: count)) == nil) }
    }

    @Test(arguments: [
        "", "$", "$$", "$$$$", "$$$$$$", ",", "=", ":", "*", "*0", "!", "x", "python", "0", "null", "$argon2id$",
        "$argon2id", "argon2$",
        "$2b$", "$6$", "$5$$",
        "bcrypt$", "scrypt$", "scrypt:", "$scrypt$", "pbkdf2:", "pbkdf2:sha256", "$pbkdf2$", "$P$", "$H$", "$fbscrypt$",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "rl.3StKT.4T8M", "_J9..rasmBYk8r9AiWNc",
        "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr",
        "sha1$saltsalt$c1b2eb5d6ca3f0f2ab0b7bbd0f6b5fd9dd2ab3e9", "plain$$python",
        "$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
        "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D",
        "$wp$2a$10$R/MVldrSLi0gqhmdDIWCsezu1QMWDmhxtLKu7Io6pdkiJDY6Q32Ra",
    ])
    func anotherSystemsHashIsNone(text: String) {
        #expect(PasswordHash(text) == nil)
    }
}

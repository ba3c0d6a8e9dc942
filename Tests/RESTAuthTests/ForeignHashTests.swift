import Foundation
import PasswordHashing
import RESTAuth
import Support
import Testing

@Suite struct ForeignHashTests {
    private func strength(_ hash: ForeignHash) -> String { "\(hash.strength)" }

    // MARK: Accepted

    @Test(arguments: try ForeignHashVector.all().map(\.maker).reduce(into: Set()) { $0.insert($1) }.sorted())
    func onlyThePasswordVerifiesOfWhatIsStored(maker: String) throws {
        for vector in try ForeignHashVector.all() where vector.maker == maker {
            let hash = try ForeignHash(vector.hash)
            #expect(strength(hash) == vector.strength, "\(vector.hash) at \(hash.cost(wrappedAt: .standard))")
            let peppers = try vector.peppers()
            let text = try hash.stored(cost: .standard, pepper: peppers?.use)
            let stored = try #require(PasswordHash(text), "\(text) of \(vector.hash)")
            #expect(HashLimit().admits(stored.cost) && HashLimit().admits(hash.cost(wrappedAt: .standard)))
            #expect(
                try stored.verify(Array(vector.password.utf8), pepper: peppers?.pepper), "\(text) of \(vector.hash)")
            // The others differ in the password only, and verifying each takes an Argon2id hash.
            for wrong in ["pythonx", ""] where vector.password == "python" {
                #expect(try !stored.verify(Array(wrong.utf8), pepper: peppers?.pepper), "\(text) of \(vector.hash)")
            }
            // Nothing is stored that could be guessed at faster.
            if hash.isWrapped {
                #expect(stored.scheme == .wrapped && stored.cost.memoryKiB >= Argon2id.minimumMemory)
                #expect(!text.contains(vector.hash.suffix(12).lowercased()))
            }
            #expect(!stored.isAsCostly(as: .standard) || hash.strength == .strong)
        }
    }

    @Test func whatIsStoredIsReadAgainAndNotWrappedTwice() throws {
        let vectors = try ForeignHashVector.all().filter { $0.password == "python" || $0.password == "hashcat" }
        for vector in vectors {
            let stored = try ForeignHash(vector.hash).stored(cost: .standard, pepper: vector.peppers()?.use)
            let again = try ForeignHash(stored)
            #expect(again.strength == .strong, "\(stored)")
            #expect(again.hasPepper == (vector.pepper != nil))
            #expect(try again.stored(cost: .standard) == stored)
        }
    }

    @Test func aDecoyOfWhatIsStoredIsTheSameWorkAndNobodysPassword() throws {
        for vector in try ForeignHashVector.all() where vector.password == "python" {
            let peppers = try vector.peppers()
            let stored = try #require(
                PasswordHash(ForeignHash(vector.hash).stored(cost: .standard, pepper: peppers?.use)))
            let decoy = stored.decoy()
            #expect((decoy.shape, decoy.cost, decoy.pepper) == (stored.shape, stored.cost, stored.pepper))
            #expect(try !decoy.verify(Array(vector.password.utf8), pepper: peppers?.pepper))
        }
    }

    @Test func aHashDoesNotPrintItself() throws {
        for vector in try ForeignHashVector.all() {
            let hash = try ForeignHash(vector.hash)
            var dumped = ""
            dump(hash, to: &dumped)
            for text in ["\(hash)", String(reflecting: hash), dumped] {
                #expect(!text.contains(vector.hash.suffix(10)) && !text.contains(vector.hash.dropFirst(12).prefix(10)))
            }
        }
    }

    /// A form that Werkzeug and Django share, and one that Joomla and osCommerce share.
    @Test func aSaltOnEitherSideIsFound() throws {
        let origins = try ForeignHashVector.all().filter { $0.password == "python" && $0.hash.hasPrefix("sha1$") }
        #expect(origins.count == 3)
        for vector in origins {
            let stored = try #require(PasswordHash(ForeignHash(vector.hash).stored(cost: .standard)))
            #expect(stored.shape.contains("ways=2"))
            // Both ways are computed, so the cost doubles.
            #expect(stored.cost.milliseconds > 2 * 15)
        }
    }

    @Test func wrappingsGoInsideEachOther() throws {
        let bcrypt = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"
        for text in [
            bcrypt, "{bcrypt}\(bcrypt)", "{BCRYPT}\(bcrypt)", "{CRYPT}\(bcrypt)", "{crypt}\(bcrypt)",
            "{BLF-CRYPT}\(bcrypt)",
            "b'\(bcrypt)'", "b\"\(bcrypt)\"", "{ldap}{CRYPT}\(bcrypt)",
            "\\x" + bcrypt.utf8.map { String($0, radix: 16) }.joined(),
            Data("{CRYPT}\(bcrypt)".utf8).base64EncodedString(),
        ] {
            let hash = try ForeignHash(text)
            #expect(try hash.stored(cost: .standard) == bcrypt, "\(text)")
        }
    }

    /// Old libraries set the two bits in the last digit of a salt that bcrypt ignores.
    @Test func spareBitsOfABcryptSaltAreCleared() throws {
        let hash = "$2a$05$c92SVSfjeiCD6F2nAD6y0u"
        let digest = "XH5ThVXMTLyiS2rTZMNPnnZZL1HBXOa"
        for last in ["u", "v", "w", "x"] {
            let text = hash.dropLast() + last + digest
            #expect(try ForeignHash(String(text)).stored(cost: .standard) == hash + digest)
        }
    }

    /// Every hexadecimal digest is valid base64 too, and one in twenty-five decodes to a text that
    /// begins with a brace.
    @Test(arguments: [
        ("python1", "e156755dbdb55ba83d36d7f7e963adcc"), ("python1", "E156755DBDB55BA83D36D7F7E963ADCC"),
        ("python1", "e9bcf104d2be348f8dd5fa4daf9c12821d3a4f3d"),
        ("python80", "e758f770b74de5d13495298e563f4d05da6b43b64573e822182ba0e523f21c04"),
        (
            "python50",
            "e987668dd75aeecddfd29be5a26b183699b3d2e8ec3af96b2d7486b581d6de5d6a3221c54c768479ea00a0425bf82b37"
        ),
        (
            "python60",
            """
            e1827d3f5d0b2ec74de347f79ceed7c53c3609d3148613462af112962af95d30\
            c31bac9021876e6fc6c35ad2693674c0b5e70324a4ba79fcf8e6ca13d16fa7f7
            """
        ),
    ])
    func aDigestThatCouldBeBase64IsOne(password: String, digest: String) throws {
        let hash = try ForeignHash(digest)
        #expect(hash.strength == .weak && hash.origin.hasSuffix("without a salt"))
        #expect(try #require(PasswordHash(hash.stored(cost: .standard))).verify(Array(password.utf8)))
    }

    @Test func whatEachDigestBeginsWithMakesNoDifference() throws {
        for first in 0...255 {
            let byte = String(first + 256, radix: 16).dropFirst()
            for length in [32, 40, 64, 96, 128] {
                let digest = byte + String(repeating: "7e", count: length / 2 - 1)
                #expect(try ForeignHash(String(digest)).origin.hasSuffix("without a salt"), "\(digest)")
            }
        }
    }

    /// The decoded text may be part of a digest.
    @Test func nothingThatWasDecodedIsInARefusal() throws {
        for name in ["ABC", "SECRET-OF-MIGUEL", "MD4"] {
            let text = "{\(name)}0123456789"
            let named = #expect(throws: ForeignHash.Refusal.self) { try ForeignHash(text) }
            #expect(named?.reason.contains("{\(name)}") == true)
            let encoded = Data((text + "01").utf8).base64EncodedString()
            let shown = "\\x" + text.utf8.map { String($0, radix: 16) }.joined()
            for decoded in [encoded, shown] {
                let refusal = #expect(throws: ForeignHash.Refusal.self) { try ForeignHash(decoded) }
                #expect(refusal?.reason.contains(name) == false, "\(decoded)")
            }
        }
    }

    /// Versions that Magento's class `Encryptor` does not read are refused; a salt is not a
    /// version.
    @Test(arguments: [
        ("0:1", "Magento 2"), ("1:2", "Magento 2"), ("1:3_32_2_67108864", "Magento 2"), ("4", "Magento 2"),
        ("0", "Magento 2"), ("2_1", "Magento 2"), ("3", "Magento 2"), ("3_16_2_67108864", "Magento 2"),
        ("3_32_2_67108864_1", "Magento 2"), ("3_32_0_67108864", "Magento 2"), ("3_32_2_4398046511104", "Magento 2"),
        ("3_32_2_8192", "Argon2id"), ("", "several colons"), ("x", "several colons"), ("1:x", "several colons"),
        ("-1", "several colons"), ("01", "several colons"),
    ])
    func anotherVersionOfMagentoIsRefusedByName(version: String, reason: String) {
        let digest = "1b1008f43b06febd9728009019285c8cf719d946c14860ef6047d1472b8d058b"
        let refusal = #expect(throws: ForeignHash.Refusal.self) {
            try ForeignHash("\(digest):8qnyO4H1OYIfGCUb:\(version)")
        }
        #expect(refusal?.reason.contains(reason) == true || reason == "Argon2id", "\(refusal?.reason ?? "")")
        #expect(refusal?.reason.contains("8qny") == false)
    }

    /// Hashes that cost almost nothing and cannot be wrapped in an Argon2id hash.
    @Test(arguments: [
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$argon2i$v=19$m=22,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "argon2$argon2id$v=19$m=16,t=1,p=2$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        "$wrapped$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA$$digest$md5,password,i=1$$",
        "$pepper$suffix$0123abcd$$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
        """
        $fbscrypt$v=1,n=1,r=1,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVM\
        XAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$\
        lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==
        """,
    ])
    func whatCostsNothingAndCannotBeWrappedIsRefused(text: String) {
        let refusal = #expect(throws: ForeignHash.Refusal.self) { try ForeignHash(text) }
        #expect(refusal?.reason.contains("guesses most passwords") == true, "\(refusal?.reason ?? "")")
        #expect(PasswordHash(text) != nil)
    }

    @Test func argon2FromAHundredthOfAMillisecondOnIsStoredAsItIs() throws {
        let text = "$argon2id$v=19$m=23,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"
        let hash = try ForeignHash(text)
        #expect(try hash.strength == .strong && hash.stored(cost: .standard) == text)
    }

    // MARK: Refused

    @Test(arguments: [
        ("", "there is no password hash"), ("python", "not understood, or cut off, or the password itself"),
        ("{noop}python", "the password itself stands there"), ("{PLAIN}python", "the password itself stands there"),
        ("{CLEARTEXT}python", "the password itself stands there"),
        ("plain$$python", "the password itself stands there"),
        ("$2x$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", "bcrypt as $2x$"),
        ("{CRYPT}$2x$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", "bcrypt as $2x$"),
        ("$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/", "bcrypt, which has 60 characters"),
        ("$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "Argon2d"),
        ("$argon2id$m=65536,t=3,p=4$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "Argon2, version 1.3"),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd", "yescrypt of crypt(3), but is cut off"),
        ("{CRYPT}rl.3StKT.4T8M", "only eight characters"), ("rl.3StKT.4T8M", "only eight characters"),
        ("crypt$$abJnggxhB/yWI", "only the first eight characters"),
        ("{SCRAM-SHA-256}4096,c2FsdA==,aaa,bbb", "one way of signing in"),
        ("{NT}8846F7EAEE8FB117AD06BDD830B7586C", "one way"),
        ("SCRAM-SHA-256$4096:c2FsdA==$aaa:bbb", "one way of signing in only"),
        ("{SASL}miguel@EXAMPLE.COM", "another system"),
        ("{SSHA}kurz", "{SSHA}, but is cut off"),
        ("{SHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng==", "{SHA}, but is cut off"),
        ("{XYZ}abc", "{XYZ}, which is not understood"),
        ("{<script>}abc", "not understood"), ("{hunter2}rest", "not understood"),
        ("$foo$bar$bazbazbazbaz", "$foo$, which is not understood"),
        (#"{"type":"otp","credentialData":"{}","secretData":"{}"}"#, "no password but of another type"),
        (#"{"a":1}"#, "no password of Keycloak"), ("{", "not understood"), ("{}", "no password of Keycloak"),
        ("sha256$saltsalt$abc", "not understood"), ("$6$rounds=5000$salt$abc", "SHA-512 of crypt(3)"),
        ("U$S$Dabc", "Drupal 7"), ("pbkdf2:sha224:1000$salt$00", "PBKDF2 of Werkzeug"),
        ("*8C28B4BBC5ABC4BCE7603E36A900A8C6386A53B", "not understood"),
        ("*8C28B4BBC5ABC4BCE7603E36A900A8C6386A53BX", "not understood"),
        ("704c57a2b1b0f1645f690daccf0a95da:29b52233:8bccf0b96f7f", "several colons"),
    ])
    func whatIsNotUnderstoodIsRefusedWithItsName(text: String, reason: String) {
        let refusal = #expect(throws: ForeignHash.Refusal.self) { try ForeignHash(text) }
        #expect(refusal?.reason.contains(reason) == true, "\(refusal?.reason ?? "")")
        // The rest of the text may be a password, so it is not repeated.
        #expect(text.count < 6 || refusal?.reason.contains(text.suffix(6)) == false)
        #expect(PasswordHash(text) == nil)
    }

    @Test func aLongOrEndlessTextIsRefused() {
        for text in [
            String(repeating: "{ldap}", count: 20) + "x", String(repeating: "a", count: 1 << 20),
            String(repeating: "[", count: 4000), String(repeating: "{\"a\":", count: 800),
            "{" + String(repeating: "a", count: 4090) + "}",
            "b'" + String(repeating: "b'", count: 100) + String(repeating: "'", count: 101),
            "\\x" + String(repeating: "5c78", count: 1000),
        ] { #expect(throws: ForeignHash.Refusal.self) { try ForeignHash(text) } }
    }

    @Test func numbersThatAreTooGreatAreRefused() throws {
        func aspNet(_ prf: UInt8, _ iterations: [UInt8], _ salt: [UInt8]) -> String {
            Data([1, 0, 0, 0, prf] + iterations + salt + [UInt8](repeating: 1, count: 48)).base64EncodedString()
        }
        #expect(try ForeignHash(aspNet(1, [0, 0, 0x27, 0x10], [0, 0, 0, 16])).strength == .strong)
        for text in [
            aspNet(3, [0, 0, 0x27, 0x10], [0, 0, 0, 16]), aspNet(1, [0, 0, 0, 0], [0, 0, 0, 16]),
            aspNet(1, [0, 0, 0x27, 0x10], [0xFF, 0xFF, 0xFF, 0xFF]), aspNet(1, [0, 0, 0x27, 0x10], [0, 0, 0, 0]),
            aspNet(1, [0, 0, 0x27, 0x10], [0, 0, 0, 48]), aspNet(1, [0, 0, 0x27, 0x10], [0, 0, 0, 40]),
        ] { #expect(throws: ForeignHash.Refusal.self) { try ForeignHash(text) } }
        let dear = try ForeignHash(aspNet(2, [0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 16]))
        #expect(!HashLimit().admits(dear.cost(wrappedAt: .standard)))
    }

    @Test func noMutationIsTakenForTheHash() throws {
        var random = SplitMix(state: 21)
        let vectors = try ForeignHashVector.all().filter { $0.password == "python" && $0.pepper == nil }
        let alphabet = Array("$$,,:=./+{}0123456789ABZabmprtvxyz\0\n \"\\".utf8) + [0x80, 0xFF]
        for _ in 0..<3000 {
            let vector = try #require(vectors.randomElement(using: &random))
            var bytes = Array(vector.hash.utf8)
            let index = Int.random(in: 0..<bytes.count, using: &random)
            let stranger = try #require(alphabet.randomElement(using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[index] = stranger
            case 1: bytes.insert(stranger, at: index)
            case 2: bytes.remove(at: index)
            default: bytes.removeSubrange(index...)
            }
            // A text that parses is another hash of the same form, or a wrapped one.
            guard let hash = try? ForeignHash(String(decoding: bytes, as: UTF8.self)) else { continue }
            let cost = hash.cost(wrappedAt: .standard)
            #expect(cost.milliseconds > 0 && cost.memoryKiB > 0)
        }
    }

    // MARK: Stored form

    static let bounds: [(text: String, fits: [String], doesNot: [String])] = [
        (
            "$pbkdf2-sha256$#$c2FsdA$\(String(repeating: "A", count: 43))", ["i=1,l=32", "i=4294967295,l=32"],
            [
                "i=0,l=32", "i=4294967296,l=32", "i=1,l=31", "i=1,l=33", "i=1", "l=32,i=1", "i=01,l=32", "i=1,l=032",
                "i=,l=", "",
            ]
        ),
        (
            "$pbkdf2-sha512$i=1,l=#AA", ["16$c2FsdA$AAAAAAAAAAAAAAAAAAAA"],
            [
                "15$c2FsdA$AAAAAAAAAAAAAAAAAA", "16$$AAAAAAAAAAAAAAAAAAAA", "16$c2FsdA=$AAAAAAAAAAAAAAAAAAAA",
                "16$c2FsdA$",
            ]
        ),
        (
            "$wrapped$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA$#",
            [
                "$1$salt$", "$apr1$salt$", "$digest$md5,password,i=1$$", "$digest$sha1,hmac+prefix,i=1$c2FsdA$",
                "$digest$sha256,prefix,i=1024$c2FsdA$", "$pbkdf2-sha1$i=1000,l=20$c2FsdA$", "$5$rounds=1000$salt$",
                "$P$7saltsalt", "$2b$04$R/MVldrSLi0gqhmdDIWCse", "$scrypt$ln=1,r=1,p=1$c2FsdA$",
            ],
            [
                "", "$", "$1$", "$1$salt", "$1$salt$bd19hyF6ctxbmNo2SqPnE/", "$1$saltsalts$",
                "$digest$md5,password,i=1$c2FsdA$",
                "$digest$md5,hmac,i=1$$", "$digest$md5,none,i=1$$", "$digest$md4,password,i=1$$",
                "$digest$md5,password,i=0$$",
                "$digest$md5,password,i=65536$$", "$digest$md5,password$$", "$digest$md5,hmac+hmac,i=1$c2FsdA$",
                "$pbkdf2-sha1$1000$c2FsdA$", "pbkdf2:sha1:1000$salt$", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$",
                "$wrapped$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA$$1$salt$",
                "$pepper$suffix$00000000$$1$salt$",
                "$S$D", "x", "$scrypt$ln=1,r=1,p=1$$", "$scrypt$ln=1,r=1,p=1$c2FsdA", "scrypt:2:1:1$salt$",
                "$scrypt$ln=01,r=1,p=1$c2FsdA$",
            ]
        ),
        (
            "$pepper$#$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe",
            ["suffix$0123abcd$", "prefix$0123abcd$", "hmac-sha512$0123abcd$"],
            [
                "suffix$0123ABCD$", "suffix$0123abc$", "suffix$0123abcde$", "suffix$", "infix$0123abcd$", "$0123abcd$",
                "suffix$0123abcd$$", "suffix$0123abcd$$pepper$suffix$0123abcd$",
            ]
        ),
        (
            "$y$#X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
            ["j9T$F5Jx5fExrKuPp53xLKQ..1$", "j75$abcd$", "jFT$abcd$"],
            [
                "j9T$abc$", "j9T$$", "j65$abcd$", "jGT$abcd$", "j74$abcd$", "j9U$abcd$", "j9$abcd$", "j9T/$abcd$",
                "/9T$abcd$",
                "j9T$a:cd$", "$abcd$",
            ]
        ),
        ("$S$#saltsalt\(String(repeating: "A", count: 43))", ["5", "D", "S"], ["4", ".", "T", "", "DD"]),
        ("$S$D#\(String(repeating: "A", count: 43))", ["saltsalt"], ["saltsal", "saltsaltA", "salt=alt", ""]),
        ("#D\(String(repeating: "A", count: 51))", ["$S$", "U$S$"], ["UU$S$", "u$S$", "$s$", "$S", "U"]),
        (
            "$wp$2y$#$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe", ["05", "10", "31"],
            ["5", "3", "03", "32", ""]
        ),
    ]

    @Test(arguments: bounds.map(\.text)) func whatIsOutOfBoundsIsNotStored(text: String) throws {
        let (_, fits, doesNot) = try #require(Self.bounds.first { $0.text == text })
        for part in fits {
            let hash = try #require(PasswordHash(text.replacing("#", with: part)), "\(text) with \(part)")
            #expect(hash.cost.milliseconds > 0 && hash.cost.memoryKiB > 0 && hash.cost.memoryKiB <= 4 << 20)
            let decoy = hash.decoy()
            #expect((decoy.shape, decoy.cost, decoy.pepper) == (hash.shape, hash.cost, hash.pepper))
        }
        for part in doesNot { #expect(PasswordHash(text.replacing("#", with: part)) == nil, "\(text) with \(part)") }
    }

    /// Digests that are too fast are stored only inside an Argon2id hash, and a setting is not a
    /// hash.
    @Test(arguments: [
        "$1$saltsalt$bd19hyF6ctxbmNo2SqPnE/", "$apr1$71850310$gh9m4xcAn3MGxogwX/ztb.",
        "$digest$md5,password,i=1$$XUFAKrxLKna5cZ2REBfFkg", "$5$rounds=1000$salt$", "$2b$04$R/MVldrSLi0gqhmdDIWCse",
        "$P$Bsaltsalt", "$pbkdf2-sha256$i=1000,l=32$c2FsdA$", "$scrypt$ln=14,r=8,p=1$c2FsdA$",
    ])
    func whatIsTooFastIsNoStoredHash(text: String) {
        #expect(PasswordHash(text) == nil)
    }

    @Test func aBitMoreOrLessOfAWrappedHashIsAnother() throws {
        let stored = try ForeignHash("5f4dcc3b5aa765d61d8327deb882cf99").stored(cost: .standard)
        #expect(try #require(PasswordHash(stored)).verify(Array("password".utf8)))
        let bytes = Array(stored.utf8)
        for index in bytes.indices {
            var flipped = bytes
            flipped[index] ^= 1
            guard let hash = PasswordHash(String(decoding: flipped, as: UTF8.self)), HashLimit().admits(hash.cost)
            else {
                continue
            }
            #expect(try !hash.verify(Array("password".utf8)))
        }
    }

    /// The digest itself is not accepted as the password: the setting tells which algorithm was
    /// wrapped.
    @Test func theDigestItselfSignsNobodyIn() throws {
        let md5 = "5f4dcc3b5aa765d61d8327deb882cf99"
        let hash = try #require(PasswordHash(ForeignHash(md5).stored(cost: .standard)))
        #expect(try hash.verify(Array("password".utf8)))
        #expect(try !hash.verify(Array(md5.utf8)))
    }
}

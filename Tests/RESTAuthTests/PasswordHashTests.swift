import Foundation
import PasswordHashing
import RESTAuth
import Support
import Testing

@Suite struct PasswordHashTests {
    // MARK: Verifying

    @Test(arguments: PasswordHashVector.forms) func onlyThePasswordVerifies(form: String) throws {
        let vectors = try PasswordHashVector.small(form)
        #expect(vectors.count >= 9)
        for vector in vectors {
            let hash = try #require(PasswordHash(vector.hash), "\(vector.hash)")
            #expect(hash.scheme.rawValue == vector.scheme)
            #expect(try hash.verify(Array(vector.password.utf8)), "\(vector.hash) is of \(vector.password)")
            for wrong in wrongPasswords(for: vector) {
                #expect(try !hash.verify(Array(wrong.utf8)), "\(vector.hash) is not of \(wrong)")
            }
        }
    }

    @Test(arguments: PasswordHashVector.forms) func aDecoyIsTheSameWorkAndNobodysPassword(form: String) throws {
        for vector in try PasswordHashVector.small(form) {
            let hash = try #require(PasswordHash(vector.hash))
            let decoy = hash.decoy()
            #expect((decoy.scheme, decoy.shape) == (hash.scheme, hash.shape))
            #expect(decoy.cost == hash.cost)
            #expect(decoy.isAsCostly(as: .standard) == hash.isAsCostly(as: .standard))
            #expect(try !decoy.verify(Array(vector.password.utf8)), "\(decoy)")
            // The decoy of a decoy does not verify either, and the original is unchanged.
            #expect(try !decoy.decoy().verify(Array(vector.password.utf8)))
            #expect(try hash.verify(Array(vector.password.utf8)))
        }
    }

    @Test func theDefaultsOfTheirLibrariesVerifyAndAreWithinTheLimit() async throws {
        let vectors = try PasswordHashVector.all().filter { !$0.isSmall }
        #expect(Set(vectors.map(\.form)) == Set(PasswordHashVector.forms))
        for vector in vectors {
            let hash = try #require(PasswordHash(vector.hash), "\(vector.hash)")
            #expect(hash.scheme.rawValue == vector.scheme)
            #expect(HashLimit().admits(hash.cost), "\(hash) at \(hash.cost)")
        }
        for vector in vectors {
            #expect(try await verifies(vector), "\(vector.hash) is of \(vector.password)")
        }
    }

    /// Verifies an expensive hash beside the threads of the tests, on which other tests run
    /// meanwhile.
    private func verifies(_ vector: PasswordHashVector, with password: String? = nil) async throws -> Bool {
        let hash = try #require(PasswordHash(vector.hash), "\(vector.hash)")
        return try await Self.pool.run { try hash.verify(Array((password ?? vector.password).utf8)) }
    }

    private static let pool = HashingPool(threads: 1, capacity: 1000, patience: 600)

    @Test func whatTheLibrariesMakeTodayVerifies() async throws {
        let directory = try TemporaryDirectory()
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/password_hashes.py").path
        let process = try ExternalProcess(ExternalProcess.testPython(), [script], directory: directory)
        #expect(try await process.exitStatus() == 0, "\(process.errorText)")
        let vectors = try JSONDecoder().decode([PasswordHashVector].self, from: Data(process.outputText.utf8))
        #expect(Set(vectors.map(\.form)) == Set(PasswordHashVector.forms))
        for vector in vectors {
            #expect(try await verifies(vector), "\(vector.hash) is of \(vector.password)")
            guard vector.isSmall else { continue }
            #expect(try await !verifies(vector, with: " " + vector.password), "\(vector.hash)")
        }
    }

    @Test func pbkdf2IsThatOfTheRFCs() throws {
        for vector in try PasswordHashVector.load(KeyDerivationVectors.self, "kdf").pbkdf2 {
            // A longer key begins with the bytes that the form has.
            let digest = vector.hex.prefix(vector.hash == "sha1" ? 40 : 64)
            let hash = try #require(PasswordHash("pbkdf2:\(vector.hash):\(vector.rounds)$\(vector.salt)$\(digest)"))
            #expect(try hash.verify(Array(vector.password.utf8)))
            #expect(try !hash.verify(Array((vector.password + "x").utf8)))
        }
    }

    @Test func scryptIsThatOfTheRFC() throws {
        // The first vector has no salt, which no library produces.
        let vectors = try PasswordHashVector.load(KeyDerivationVectors.self, "kdf").scrypt.filter { !$0.salt.isEmpty }
        #expect(vectors.count == 2)
        for vector in vectors {
            let hash = try #require(
                PasswordHash("scrypt:\(vector.n):\(vector.r):\(vector.p)$\(vector.salt)$\(vector.hex)"))
            #expect(try hash.verify(Array(vector.password.utf8)))
            #expect(try !hash.verify(Array((vector.password + "x").utf8)))
        }
    }

    @Test func fiveThousandRoundsOfCryptMayBeWrittenOut() throws {
        for (form, prefix) in [("sha256_crypt", "$5$"), ("sha512_crypt", "$6$")] {
            let vector = try #require(PasswordHashVector.small(form).first { !$0.hash.contains("rounds") })
            let hash = try #require(PasswordHash(vector.hash.replacing(prefix, with: prefix + "rounds=5000$")))
            #expect(try hash.verify(Array(vector.password.utf8)))
            #expect(hash.shape == PasswordHash(vector.hash)?.shape)
        }
    }

    // MARK: Passwords at the edges of a scheme

    @Test func ofBcryptThe72FirstBytesCount() throws {
        let vectors = try PasswordHashVector.small("bcrypt").filter { $0.password.utf8.count >= 72 }
        #expect(vectors.count == 9)
        for vector in vectors {
            let hash = try #require(PasswordHash(vector.hash))
            let counted = Array(vector.password.utf8.prefix(72))
            #expect(try hash.verify(counted))
            #expect(try hash.verify(counted + Array("anything at all".utf8)))
            #expect(try hash.verify(counted + [UInt8](repeating: 0x78, count: 952)))
            #expect(try !hash.verify(Array(counted.dropLast())))
            #expect(try !hash.verify(Array(counted.dropLast()) + [0x78]))
        }
    }

    @Test func overSHA256AllBytesCount() throws {
        for form in ["bcrypt_sha256_1", "bcrypt_sha256_2"] {
            for vector in try PasswordHashVector.small(form) where vector.password.utf8.count > 72 {
                let hash = try #require(PasswordHash(vector.hash))
                #expect(try !hash.verify(Array(vector.password.utf8.prefix(72))))
            }
        }
    }

    @Test func cryptKnowsNoPasswordOfMoreThan511Bytes() throws {
        // Made by passlib from 511 times the letter x.
        let digest = "nC35Rjw1qm7lwdxVgg3IU9qZMEaqucKnRYCtC7UyfTbgqAQUZjWQxjc2xeWwMzOTjOEqyGG.T4MAGPm1ptmEK/"
        let hash = try #require(PasswordHash("$6$rounds=1000$saltsalt$" + digest))
        #expect(try hash.verify([UInt8](repeating: 0x78, count: 511)))
        for count in [510, 512, 513, 1024] {
            #expect(try !hash.verify([UInt8](repeating: 0x78, count: count)))
        }
    }

    @Test(arguments: PasswordHashVector.forms) func aNULIsNotTheEndOfAPassword(form: String) throws {
        let vector = try #require(PasswordHashVector.small(form).first)
        let hash = try #require(PasswordHash(vector.hash))
        let password = Array(vector.password.utf8)
        for wrong in [
            password + [0], [0] + password, password + [0, 0x78], password + [UInt8](repeating: 0, count: 63),
        ] {
            #expect(try !hash.verify(wrong), "\(vector.hash)")
        }
    }

    @Test func argon2TakesAnyBytes() throws {
        let password: [UInt8] = [0, 0xFF, 0x0A, 0]
        let hash = try #require(PasswordHash(Argon2id.standard.hash(password)))
        #expect(try hash.verify(password))
        #expect(try !hash.verify([0, 0xFF, 0x0A]))
    }

    // MARK: Cost

    @Test func theCostIsKnownWithoutComputingIt() throws {
        func cost(_ text: String) throws -> HashCost { try #require(PasswordHash(text), "\(text)").cost }
        let tag = "$c29tZXNhbHRzb21lc2FsdA$ISO7kkvFzh19GM8qB7patN3C3Y9HHsjlVTfEZ9T600Y"
        #expect(try cost("$argon2id$v=19$m=19456,t=2,p=1" + tag).memoryKiB == 19456)
        #expect(try cost("$argon2id$v=19$m=4194304,t=1000,p=1" + tag).milliseconds > 1_000_000)
        let werkzeug = try #require(PasswordHashVector.small("werkzeug_scrypt").first).hash.replacing(
            "scrypt:64:8:2", with: "")
        #expect(try cost("scrypt:32768:8:1" + werkzeug).memoryKiB == 32769)
        for (cheap, dear, factor) in [
            (try cost("scrypt:32768:8:1" + werkzeug), try cost("scrypt:262144:8:1" + werkzeug), 8),
            (try cost("$argon2i$v=19$m=65536,t=2,p=1" + tag), try cost("$argon2i$v=19$m=65536,t=20,p=1" + tag), 10),
            (try cost(bcrypt(10)), try cost(bcrypt(20)), 1024),
            (try cost(pbkdf2(100_000)), try cost(pbkdf2(10_000_000)), 100),
            (try cost(phpass("B")), try cost(phpass("R")), 1 << 16),
            (try cost(sha512Crypt(50_000)), try cost(sha512Crypt(500_000)), 10),
        ] {
            // Both are rounded up to whole milliseconds.
            #expect((factor * (cheap.milliseconds - 1)...factor * cheap.milliseconds).contains(dear.milliseconds))
            #expect(cheap.milliseconds >= 1)
        }
        #expect(try cost("$argon2id$v=19$m=65536,t=3,p=4" + tag) == cost("$argon2id$v=19$m=65536,t=3,p=1" + tag))
    }

    @Test func theLimitIsForMemoryAndTime() throws {
        #expect(HashLimit() == HashLimit(memoryKiB: 262144, milliseconds: 2000))
        let limit = HashLimit(memoryKiB: 1000, milliseconds: 10)
        #expect(limit.admits(HashCost(memoryKiB: 1000, milliseconds: 10)))
        for (memory, time) in [(1001, 10), (1000, 11), (Int.max, 1), (1, Int.max)] {
            #expect(!limit.admits(HashCost(memoryKiB: memory, milliseconds: time)))
        }
        for absurd in [bcrypt(31), pbkdf2(0xFFFF_FFFF), phpass("S"), sha512Crypt(999_999_999)] {
            #expect(try !HashLimit().admits(#require(PasswordHash(absurd)).cost), "\(absurd)")
        }
    }

    @Test func memoryThatCannotBeHadIsNoWrongPassword() async {
        // Runs in a separate process: the limit would apply to all tests, and to every process that
        // one of them starts meanwhile.
        await #expect(processExitsWith: .success) {
            let tag = "$c29tZXNhbHRzb21lc2FsdA$ISO7kkvFzh19GM8qB7patN3C3Y9HHsjlVTfEZ9T600Y"
            let digest = String(repeating: "00", count: 64)
            try limitAddressSpace(beyondTodays: 1 << 30)
            // 4 GiB of Argon2, and 2 GiB of scrypt in both libraries.
            for text in [
                "$argon2id$v=19$m=4194304,t=1,p=1" + tag, "scrypt:2097152:8:1$salt$" + digest,
                "scrypt:524288:32:1$salt$" + digest,
            ] {
                let hash = try #require(PasswordHash(text))
                #expect(throws: PasswordHashingError.outOfMemory) { try hash.verify([0x78]) }
            }
        }
    }

    // MARK: Shape

    @Test func theShapeIsSchemeAndParameters() throws {
        let python = try PasswordHashVector.all().filter { $0.password == "python" }
        let shapes = try Dictionary(grouping: python) { try #require(PasswordHash($0.hash)).shape }
        for (shape, vectors) in shapes {
            #expect(Set(vectors.map(\.scheme)).count == 1)
            // Only numbers and their names, nothing of a salt or a digest.
            #expect(
                shape.wholeMatch(of: #/([a-z0-9_]+) [a-z]+=[0-9]+(,[a-z]+=[0-9]+)*/#)?.1 == vectors[0].scheme[...],
                "\(shape)")
        }
        #expect(PasswordHash(bcrypt(4))?.shape == "bcrypt cost=4")
        #expect(
            PasswordHash(bcrypt(4))?.shape == PasswordHash("bcrypt" + bcrypt(4).replacing("$2b", with: "$$2a"))?.shape)
        #expect(PasswordHash(bcrypt(4))?.shape != PasswordHash(bcrypt(5))?.shape)
        #expect(PasswordHash(pbkdf2(1))?.shape != PasswordHash(pbkdf2(2))?.shape)
        #expect(try PasswordHash(Argon2id.standard.hash([1]))?.shape == "argon2id m=19456,t=2,p=1")
    }

    @Test func aHashDoesNotPrintItself() throws {
        for vector in try PasswordHashVector.all() {
            let hash = try #require(PasswordHash(vector.hash))
            var dumped = ""
            dump(hash, to: &dumped)
            for text in ["\(hash)", String(reflecting: hash), String(describing: Optional(hash)), dumped] {
                #expect(!text.contains(vector.hash.suffix(12)))
                #expect(!text.contains("sk="))
            }
        }
    }

    // MARK: Rehashing

    @Test func ourOwnHashesAreAsCostlyAsWhatMadeThem() throws {
        let more = try #require(Argon2id(memoryKiB: 19457, passes: 3))
        let (standard, dear) = (try PasswordHash(Argon2id.standard.hash([1])), try PasswordHash(more.hash([1])))
        #expect(try #require(standard).isAsCostly(as: .standard))
        #expect(try #require(dear).isAsCostly(as: .standard))
        #expect(try #require(dear).isAsCostly(as: more))
        #expect(try !#require(standard).isAsCostly(as: more))
    }

    @Test func whatIsCheaperOrOfAnotherSchemeIsNotAsCostly() throws {
        for vector in try PasswordHashVector.all() where vector.form != "argon2" || vector.isSmall {
            #expect(try !#require(PasswordHash(vector.hash)).isAsCostly(as: .standard), "\(vector.hash)")
        }
        let tag = "$c29tZXNhbHRzb21lc2FsdA$ISO7kkvFzh19GM8qB7patN3C3Y9HHsjlVTfEZ9T600Y"
        for text in [
            "$argon2id$v=19$m=19455,t=2,p=1", "$argon2id$v=19$m=1048576,t=1,p=1", "$argon2i$v=19$m=1048576,t=9,p=1",
            "argon2$argon2id$v=19$m=1048576,t=9,p=1",
        ] {
            #expect(try !#require(PasswordHash(text + tag)).isAsCostly(as: .standard), "\(text)")
        }
    }

    // MARK: -

    private func bcrypt(_ cost: Int) -> String {
        "$2b$\(cost < 10 ? "0" : "")\(cost)$R/MVldrSLi0gqhmdDIWCsezu1QMWDmhxtLKu7Io6pdkiJDY6Q32Ra"
    }

    private func pbkdf2(_ rounds: Int) -> String {
        "pbkdf2:sha256:\(rounds)$S$3380e72f6fe507e87c0b1f0b9b62b6b06e04248246ced33461948f062d576142"
    }

    private func phpass(_ cost: Character) -> String { "$P$\(cost)ipankpTL4jh6H.mMBiGwUhKJh76SL0" }

    private func sha512Crypt(_ rounds: Int) -> String {
        "$6$rounds=\(rounds)$VN..pcbb$"
            + "kuzxPzNZy2aWbi1VpEKQUnDW4Ri1H50u1dO6iKw2XW4QCe3.xD35iUa4eb3.w1R9pG0tU9/mD.n30jb17ETcH1"
    }

    /// Passwords that differ slightly from the one of a hash.
    private func wrongPasswords(for vector: PasswordHashVector) -> [String] {
        let password = vector.password
        let wrong = [
            "", password + "x", "x" + password, password + " ", " " + password, password + password,
            String(password.dropLast()),
            String(password.dropFirst()), "x" + password.dropFirst(), password.dropLast() + "\u{1}",
            String(password.reversed()),
            password.uppercased(), password.capitalized, password.decomposedStringWithCanonicalMapping,
        ]
        let counted = vector.scheme == "bcrypt" ? 72 : Int.max
        return wrong.filter { !$0.utf8.prefix(counted).elementsEqual(password.utf8.prefix(counted)) }
    }
}

/// Limits the memory of this process to its present size and `bytes` more.
private func limitAddressSpace(beyondTodays bytes: UInt) throws {
    let statistics = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    let pages = try #require(UInt(statistics.split(separator: " ")[0]))
    let resource = __rlimit_resource_t(RLIMIT_AS.rawValue)
    var limit = rlimit()
    #expect(getrlimit(resource, &limit) == 0)
    limit.rlim_cur = rlim_t(pages * UInt(sysconf(Int32(_SC_PAGESIZE))) + bytes)
    #expect(setrlimit(resource, &limit) == 0)
}

import PasswordHashing
import Testing

@Suite struct Argon2idTests {
    @Test func aHashIsAPHCStringWithItsCost() throws {
        let hash = try Argon2id.standard.hash(Array("python".utf8))
        #expect(hash.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
        let parts = hash.split(separator: "$")
        // 16 bytes of salt and 32 of tag, in base64 without padding.
        #expect(parts[3].count == 22)
        #expect(parts[4].count == 43)
    }

    @Test func equalPasswordsHaveUnequalHashes() throws {
        #expect(try Argon2id.standard.hash([1]) != Argon2id.standard.hash([1]))
    }

    @Test func onlyThePasswordVerifies() throws {
        let hash = try Argon2id.standard.hash(Array("python".utf8))
        let stored = try #require(PasswordHash(hash))
        #expect(try stored.verify(Array("python".utf8)))
        for wrong in ["Python", "pytho", "pythonn", "python\0", ""] {
            #expect(try !stored.verify(Array(wrong.utf8)))
        }
    }

    @Test(arguments: [(19455, 2), (19456, 1), (0, 0), (-1, 2), (5 << 20, 2), (19456, 65)])
    func aCostBelowTheFloorOrBeyondReasonIsRefused(memory: Int, passes: Int) {
        #expect(Argon2id(memoryKiB: memory, passes: passes) == nil)
    }

    @Test func aHigherCostIsWritten() throws {
        let hash = try #require(Argon2id(memoryKiB: 32768, passes: 3)).hash([1])
        #expect(hash.hasPrefix("$argon2id$v=19$m=32768,t=3,p=1$"))
    }
}

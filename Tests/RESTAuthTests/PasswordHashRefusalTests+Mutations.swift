import Foundation
import PasswordHashing
import Support
import Testing

extension PasswordHashRefusalTests {
    @Test func noMutationIsTakenForTheHash() throws {
        var random = SeededGenerator(state: 42)
        let vectors = try PasswordHashVector.all().filter { $0.isSmall }
        let alphabet = Array("$$,,:=./+0123456789ABZabmprtvxyz\0\n \u{7F}".utf8) + [0x80, 0xC3, 0xFF]
        var understood = 0
        let rounds = 20_000
        for _ in 0..<rounds {
            let (vector, other) = (vectors.randomElement(using: &random)!, vectors.randomElement(using: &random)!)
            var bytes = Array(vector.hash.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                let stranger = alphabet.randomElement(using: &random)!
                switch Int.random(in: 0..<6, using: &random) {
                case 0: bytes[index] = stranger
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes.insert(stranger, at: index)
                case 3 where bytes.count > 1: bytes.remove(at: index)
                case 4: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 9)], at: index)
                default: bytes.replaceSubrange(index..., with: other.hash.utf8.suffix(bytes.count - index))
                }
                if bytes.isEmpty { bytes = [stranger] }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let hash = PasswordHash(text) else { continue }
            understood += 1
            #expect(hash.cost.milliseconds > 0 && hash.cost.memoryKiB > 0)
            // With the end of another hash it may be that other hash.
            let isOtherPassword = !other.password.utf8.prefix(72).elementsEqual(vector.password.utf8.prefix(72))
            guard canonical(text) != canonical(vector.hash), isCheap(hash), isOtherPassword else { continue }
            #expect(try !hash.verify(Array(vector.password.utf8)), "\(text) is taken for \(vector.hash)")
        }
        // The search is useful only when enough texts are parsed.
        #expect(understood > rounds / 20)
    }

    /// One spelling for texts that mean the same hash.
    private func canonical(_ text: String) -> String {
        var text = text
        if text.hasPrefix("argon2$") || text.hasPrefix("bcrypt$") {
            text.removeFirst(text.hasPrefix("argon2$") ? 6 : 7)
        }
        return text.replacing("$H$", with: "$P$").replacing("$2a$", with: "$2b$").replacing("$2y$", with: "$2b$")
            .replacing(
                "$2a,", with: "$2b,")
    }
}

/// A generator of the same numbers each time (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

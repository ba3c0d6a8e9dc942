import Foundation
import PasswordHashing
import RESTAuth
import Support
import Testing

@Suite struct PasswordPepperTests {
    private let bcrypt = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"

    @Test func theIdIsTheSameForTheSamePepperAndSaysNothingOfIt() throws {
        let (one, same, other) = try (
            PasswordPepper(Array("pepper".utf8)), PasswordPepper(Array("pepper".utf8)),
            PasswordPepper(Array("Pepper".utf8))
        )
        #expect(one?.id == same?.id && one?.id != other?.id)
        #expect(one?.id.wholeMatch(of: #/[0-9a-f]{8}/#) != nil)
        var dumped = ""
        dump(one, to: &dumped)
        #expect(!dumped.contains("pepper\"") && !"\(dumped)\(String(reflecting: one))".contains("112, 101"))
    }

    @Test func anEmptyOneIsNone() throws {
        #expect(try PasswordPepper([]) == nil)
        #expect(try PasswordPepper([UInt8](repeating: 1, count: 1025)) == nil)
        #expect(try PasswordPepper([UInt8](repeating: 1, count: 1024)) != nil)
    }

    @Test func withoutThePepperNothingIsVerified() throws {
        let (pepper, other) = try (
            #require(try PasswordPepper(Array("pepper".utf8))), #require(try PasswordPepper(Array("salt".utf8)))
        )
        let text = try ForeignHash(bcrypt).stored(cost: .standard, pepper: PepperUse(.suffix, of: pepper))
        let hash = try #require(PasswordHash(text))
        #expect(!hash.isAsCostly(as: .standard))
        for given in [nil, other] {
            #expect(!hash.isVerifiable(with: given))
            #expect(throws: PasswordHashingError.pepperMissing) { try hash.verify([0x78], pepper: given) }
        }
        #expect(hash.isVerifiable(with: pepper))
        #expect(try !hash.verify([0x78], pepper: pepper))
        let plain = try #require(PasswordHash(bcrypt))
        #expect(plain.isVerifiable(with: nil) && plain.isVerifiable(with: other))
    }

    /// A C string ends at a NUL byte, so what follows it would be ignored.
    @Test func aPepperWithANULByteFitsOnlyWhereAllOfItCounts() throws {
        let vector = try #require(ForeignHashVector.all().first { $0.hash.hasPrefix("b'") })
        let pepper = try #require(try PasswordPepper([0x00, 0x78]))
        let text = try ForeignHash(vector.hash).stored(cost: .standard, pepper: PepperUse(.suffix, of: pepper))
        #expect(try !#require(PasswordHash(text)).verify(Array(vector.password.utf8), pepper: pepper))
        let own = try Argon2id.standard.hash(Array("python".utf8) + [0x00, 0x78])
        let peppered = try ForeignHash(own).stored(cost: .standard, pepper: PepperUse(.suffix, of: pepper))
        #expect(try #require(PasswordHash(peppered)).verify(Array("python".utf8), pepper: pepper))
    }

    /// bcrypt uses only the first 72 bytes.
    @Test(arguments: [
        (64, "$2y$04$4cGbAHZsF4UxdU3WjWmyUubG8kWcNEteVMSZ84vmpPUErDjGuy2SC", "geheimes", true),
        (72, "$2y$04$I0wDmnDAs3sc4IPwJk6lWeEfqmhX1ydqUewjQ9WAaDEQZ1VlVCvga", "geheimes", false),
    ])
    func behindAPepperThatIsAllThatCountsNoPasswordFits(
        length: Int, hash: String, password: String, isRight: Bool
    ) throws {
        let pepper = try #require(try PasswordPepper([UInt8](repeating: UInt8(ascii: "p"), count: length)))
        let text = try ForeignHash(hash).stored(cost: .standard, pepper: PepperUse(.prefix, of: pepper))
        let stored = try #require(PasswordHash(text))
        #expect(try stored.verify(Array(password.utf8), pepper: pepper) == isRight)
        #expect(try !stored.verify(Array("Geheimes".utf8), pepper: pepper))
        // Eight of 72 bytes are left.
        #expect(stored.countsWhole(Array(password.utf8), pepper: pepper) == isRight)
        #expect(!stored.countsWhole(Array("\(password)x".utf8), pepper: pepper))
    }

    /// A peppered hash differs from the form that this server writes.
    @Test func anOwnHashWithAPepperIsOutdated() throws {
        let pepper = try #require(try PasswordPepper(Array("pepper".utf8)))
        let own = try Argon2id.standard.hash(Array("xpepper".utf8))
        let text = try ForeignHash(own).stored(cost: .standard, pepper: PepperUse(.suffix, of: pepper))
        let hash = try #require(PasswordHash(text))
        #expect(try hash.verify([0x78], pepper: pepper))
        #expect(!hash.isAsCostly(as: .standard))
    }
}

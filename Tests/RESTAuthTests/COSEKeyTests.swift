import Authenticators
import Crypto
import CryptoExtras
import RESTAuth
import Testing

@Suite struct COSEKeyTests {
    private func key(_ entries: [(Int, [UInt8])]) -> PasskeyPublicKey? {
        PasskeyPublicKey(stored: CBORBytes.map(entries.map { (CBORBytes.int($0.0), $0.1) }))
    }

    /// What swift-crypto would refuse as well is refused before it.
    private func isRefused(_ entries: [(Int, [UInt8])]) -> Bool {
        CBOR(CBORBytes.map(entries.map { (CBORBytes.int($0.0), $0.1) })[...]).flatMap(COSEKey.init) == nil
    }

    private func isRSARefused(n: [UInt8], e: [UInt8]) -> Bool {
        isRefused([
            (1, CBORBytes.int(3)), (3, CBORBytes.int(-257)), (-1, CBORBytes.bytes(n)), (-2, CBORBytes.bytes(e)),
        ])
    }

    private func es256(x: [UInt8], y: [UInt8]) -> PasskeyPublicKey? {
        key([
            (1, CBORBytes.int(2)), (3, CBORBytes.int(-7)), (-1, CBORBytes.int(1)), (-2, CBORBytes.bytes(x)),
            (-3, CBORBytes.bytes(y)),
        ])
    }

    private func rs256(n: [UInt8], e: [UInt8]) -> PasskeyPublicKey? {
        key([(1, CBORBytes.int(3)), (3, CBORBytes.int(-257)), (-1, CBORBytes.bytes(n)), (-2, CBORBytes.bytes(e))])
    }

    private func edDSA(x: [UInt8]) -> PasskeyPublicKey? {
        key([(1, CBORBytes.int(1)), (3, CBORBytes.int(-8)), (-1, CBORBytes.int(6)), (-2, CBORBytes.bytes(x))])
    }

    /// An odd number of so many bits. Whether it has two prime factors, nobody can see.
    private func modulus(_ bits: Int) -> [UInt8] {
        let count = (bits + 7) / 8
        let first = UInt8(1 << ((bits - 1) % 8))
        return [first] + [UInt8](repeating: 0xA5, count: count - 2) + [0x01]
    }

    @Test func theExampleOfTheSpecificationIsAKey() {
        // Section 6.5.1.1.
        let x = hex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
        let y = hex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
        #expect(es256(x: x, y: y)?.algorithm == .es256)
        // Beside the curve, with one coordinate too large for the field, nowhere.
        #expect(es256(x: x, y: y.flipped(31)) == nil)
        #expect(es256(x: y, y: x) == nil)
        #expect(es256(x: x, y: [UInt8](repeating: 0xFF, count: 32)) == nil)
        let zero = [UInt8](repeating: 0, count: 32)
        #expect(es256(x: zero, y: zero) == nil)
        #expect(es256(x: x, y: zero) == nil)
        // The other point with this x is one.
        let p = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")
        #expect(es256(x: x, y: p.minus(y)) != nil)
        // A coordinate that is the prime itself.
        #expect(es256(x: p, y: y) == nil)
        #expect(es256(x: x, y: p) == nil)
    }

    @Test func aPointOfAnotherLengthIsRefused() {
        let x = hex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d")
        let y = hex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c")
        for (x, y) in [
            (x + [0], y), (x, y + [0]), ([0] + x, y), (x, [0] + y), (Array(x.dropLast()), y), (x, Array(y.dropFirst())),
            (x + y, []), ([], x + y), ([], []), ([0x04] + x, y), (Array(x.dropLast()), y + [0]),
        ] {
            #expect(es256(x: x, y: y) == nil)
        }
        // Compressed: the sign in the place of y (RFC 9053 section 7.1.1).
        for sign in [CBORBytes.yes, [0xF4]] {
            let compressed = [
                (1, CBORBytes.int(2)), (3, CBORBytes.int(-7)), (-1, CBORBytes.int(1)), (-2, CBORBytes.bytes(x)),
                (-3, sign),
            ]
            #expect(key(compressed) == nil)
        }
    }

    @Test func aKeyOfAnotherCurveIsRefused() {
        let x = [UInt8](Curve25519.Signing.PrivateKey().publicKey.rawRepresentation)
        #expect(edDSA(x: x)?.algorithm == .edDSA)
        for count in [0, 1, 31, 33, 57, 64] {
            let x = [UInt8](repeating: 9, count: count)
            #expect(edDSA(x: x) == nil)
            #expect(
                isRefused([
                    (1, CBORBytes.int(1)), (3, CBORBytes.int(-8)), (-1, CBORBytes.int(6)), (-2, CBORBytes.bytes(x)),
                ]))
        }
        // X25519, Ed448, P-256, secp256k1, none.
        for curve in [4, 7, 1, 8, 0, -6] {
            #expect(
                key([
                    (1, CBORBytes.int(1)), (3, CBORBytes.int(-8)), (-1, CBORBytes.int(curve)), (-2, CBORBytes.bytes(x)),
                ]) == nil)
        }
        let point = P256.Signing.PrivateKey().publicKey.rawRepresentation
        for curve in [2, 3, 6, 8, 0] {
            #expect(
                key([
                    (1, CBORBytes.int(2)), (3, CBORBytes.int(-7)), (-1, CBORBytes.int(curve)),
                    (-2, CBORBytes.bytes(point.prefix(32))), (-3, CBORBytes.bytes(point.suffix(32))),
                ]) == nil)
        }
    }

    @Test(arguments: [2_048, 2_049, 2_055, 3_072, 3_482, 4_095, 4_096])
    func anRSAKeyOfOrdinarySizeIsTaken(bits: Int) {
        #expect(rs256(n: modulus(bits), e: [1, 0, 1])?.algorithm == .rs256)
    }

    @Test(arguments: [16, 512, 1_024, 2_040, 2_047, 4_097, 4_104, 8_192])
    func anRSAKeyOfAnotherSizeIsRefused(bits: Int) {
        #expect(rs256(n: modulus(bits), e: [1, 0, 1]) == nil)
        #expect(isRSARefused(n: modulus(bits), e: [1, 0, 1]))
    }

    @Test func aModulusThatIsNoneIsRefused() {
        #expect(rs256(n: [0] + modulus(2_048), e: [1, 0, 1]) == nil)
        #expect(rs256(n: [0] + modulus(2_040), e: [1, 0, 1]) == nil)
        #expect(rs256(n: modulus(2_048).dropLast() + [0x02], e: [1, 0, 1]) == nil)
        #expect(isRSARefused(n: modulus(2_048).dropLast() + [0x02], e: [1, 0, 1]))
        #expect(rs256(n: [], e: [1, 0, 1]) == nil)
        #expect(rs256(n: [UInt8](repeating: 0, count: 256), e: [1, 0, 1]) == nil)
    }

    @Test(arguments: [[1, 0, 1], [1, 0, 3], [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF]] as [[UInt8]])
    func anOrdinaryExponentIsTaken(e: [UInt8]) {
        #expect(rs256(n: modulus(2_048), e: e) != nil)
    }

    @Test(
        arguments: [
            [], [0], [1], [2], [3], [17], [0xFF], [1, 1], [0xFF, 0xFF], [1, 0, 0], [1, 0, 2], [0, 1, 0, 1],
            [1, 0, 0, 0, 1],
            [1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1],
        ] as [[UInt8]])
    func anExponentThatIsNoneOrTooLargeIsRefused(e: [UInt8]) {
        #expect(rs256(n: modulus(2_048), e: e) == nil)
        #expect(isRSARefused(n: modulus(2_048), e: e))
    }

    @Test func anExponentAsLongAsTheModulusIsRefused() {
        #expect(rs256(n: modulus(2_048), e: modulus(2_047)) == nil)
    }

    @Test(arguments: [[], [0xA0], [0x80], [0xF5], [0x04], [0xA1, 0x01, 0x02], [0xA1, 0x03, 0x26]] as [[UInt8]])
    func whatIsNoKeyIsRefused(bytes: [UInt8]) {
        #expect(PasskeyPublicKey(stored: bytes) == nil)
    }
}

extension [UInt8] {
    /// The difference of two numbers of this length.
    fileprivate func minus(_ other: [UInt8]) -> [UInt8] {
        var borrow = 0
        return zip(self, other).reversed().map { one, other in
            let difference = Int(one) - Int(other) - borrow
            borrow = difference < 0 ? 1 : 0
            return UInt8(truncatingIfNeeded: difference)
        }.reversed()
    }
}

@Suite struct WeakPointTests {
    // y and the sign of x of the points whose order divides eight, and of their other spellings.
    static let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]

    private func key(_ x: [UInt8]) throws -> PasskeyPublicKey? {
        let entries = [(1, CBORBytes.int(1)), (3, CBORBytes.int(-8)), (-1, CBORBytes.int(6)), (-2, CBORBytes.bytes(x))]
        return PasskeyPublicKey(stored: CBORBytes.map(entries.map { (CBORBytes.int($0.0), $0.1) }))
    }

    /// Why it matters: with such a key a signature is one that everybody can write.
    @Test func aSignatureUnderTheNeutralPointNeedsNoKey() throws {
        let neutral = hex(Self.points[1])
        let raw = try Curve25519.Signing.PublicKey(rawRepresentation: neutral)
        let forged = neutral + [UInt8](repeating: 0, count: 32)
        #expect(raw.isValidSignature(forged, for: Array("anything".utf8)))
    }

    @Test(arguments: points, [UInt8(0x00), 0x80])
    func aPointOfSmallOrderIsRefused(point: String, sign: UInt8) throws {
        #expect(try key(hex(point).flipped(31, sign)) == nil)
    }

    @Test func aPointThatIsNotReducedIsRefused() throws {
        for low in UInt8(0xED)...0xFF {
            #expect(try key([low] + [UInt8](repeating: 0xFF, count: 30) + [0x7F]) == nil)
            #expect(try key([low] + [UInt8](repeating: 0xFF, count: 31)) == nil)
        }
    }

    @Test func anOrdinaryPointIsTaken() throws {
        for _ in 0..<50 {
            #expect(try key(Array(Curve25519.Signing.PrivateKey().publicKey.rawRepresentation)) != nil)
        }
    }
}

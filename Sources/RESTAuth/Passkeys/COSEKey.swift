/// The algorithm of a passkey, by its number (IANA, COSE algorithms).
package enum PasskeyAlgorithm: Int, Sendable, CaseIterable {
    // In the order in which they are asked for.
    case edDSA = -8
    case es256 = -7
    case rs256 = -257
}

/// The numbers of a public key (RFC 9052 section 7) of one of our algorithms, whose parameters
/// WebAuthn fixes (Level 3 section 5.8.5): those that are needed and no others.
///
/// ``PasskeyPublicKey`` checks whether they are a key.
package enum COSEKey: Sendable, Equatable {
    /// A point of P-256, not compressed.
    case es256(x: ArraySlice<UInt8>, y: ArraySlice<UInt8>)
    /// A point of Ed25519, none of those under which everybody can sign.
    case edDSA(x: ArraySlice<UInt8>)
    /// An RSA key of 2048 to 4096 bits with an odd exponent from 65537 to 2^32 - 1.
    case rs256(n: ArraySlice<UInt8>, e: ArraySlice<UInt8>)

    package init?(_ item: CBOR) {
        switch (item[Label.type], item[Label.algorithm]) {
        case (CBOR(KeyType.ec2), CBOR(PasskeyAlgorithm.es256.rawValue)):
            guard item.entryCount == 5, item[Label.curve] == CBOR(Curve.p256),
                let x = item[Label.x]?.bytes, let y = item[Label.y]?.bytes, x.count == 32, y.count == 32
            else { return nil }
            self = .es256(x: x, y: y)
        case (CBOR(KeyType.okp), CBOR(PasskeyAlgorithm.edDSA.rawValue)):
            guard item.entryCount == 4, item[Label.curve] == CBOR(Curve.ed25519),
                let x = item[Label.x]?.bytes, x.count == 32, !WeakPoint.contains(x)
            else { return nil }
            self = .edDSA(x: x)
        case (CBOR(KeyType.rsa), CBOR(PasskeyAlgorithm.rs256.rawValue)):
            guard item.entryCount == 4, let n = item[Label.n]?.bytes, let e = item[Label.e]?.bytes,
                Self.isModulus(n), Self.isExponent(e)
            else { return nil }
            self = .rs256(n: n, e: e)
        default: return nil
        }
    }

    package var algorithm: PasskeyAlgorithm {
        switch self {
        case .es256: .es256
        case .edDSA: .edDSA
        case .rs256: .rs256
        }
    }

    /// Without zeros in front (RFC 8230 section 4).
    private static func isModulus(_ n: ArraySlice<UInt8>) -> Bool {
        guard let first = n.first, let last = n.last, first != 0, last & 1 == 1 else { return false }
        return (2_048...4_096).contains(n.count * 8 - first.leadingZeroBitCount)
    }

    /// Not smaller than FIPS 186-5 section A.1.1 wants, and of a size that costs little to check.
    private static func isExponent(_ e: ArraySlice<UInt8>) -> Bool {
        guard e.count <= 4, e.first != 0 else { return false }
        return e.bigEndian >= 65_537 && e.bigEndian & 1 == 1
    }

    private enum KeyType {
        static let okp = 1
        static let ec2 = 2
        static let rsa = 3
    }

    private enum Curve {
        static let p256 = 1
        static let ed25519 = 6
    }

    private enum Label {
        static let type = 1
        static let algorithm = 3
        static let curve = -1
        static let x = -2
        static let y = -3
        static let n = -1
        static let e = -2
    }
}

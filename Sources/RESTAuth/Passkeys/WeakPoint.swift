/// Points of Ed25519 that are no key: those whose order divides eight, under which everybody can
/// write a signature, and those whose coordinate is not reduced (RFC 8032 sections 5.1.3 and 7).
///
/// swift-crypto takes any 32 bytes for a key, and such a signature for good. A coordinate that no
/// point has does no harm: nothing is good under it.
enum WeakPoint {
    /// Every y of a point of small order, the least significant byte first.
    private static let coordinates: [[UInt8]] = [
        // Order four.
        [UInt8](repeating: 0, count: 32),
        // The neutral point.
        [1] + [UInt8](repeating: 0, count: 31),
        // Order two: -1.
        [0xEC] + [UInt8](repeating: 0xFF, count: 30) + [0x7F],
        // Order eight.
        [
            0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5, 0xDF,
            0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
        ],
        [
            0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A, 0x20,
            0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
        ],
    ]

    static func contains(_ point: ArraySlice<UInt8>) -> Bool {
        guard let last = point.last else { return true }
        // Without the sign of x.
        let y = point.dropLast() + [last & 0x7F]
        return isNotReduced(y) || coordinates.contains { $0.elementsEqual(y) }
    }

    /// Whether it is 2^255 - 19 or more.
    private static func isNotReduced(_ y: ArraySlice<UInt8>) -> Bool {
        guard let first = y.first else { return true }
        return first >= 0xED && y.last == 0x7F && y.dropFirst().dropLast().allSatisfy { $0 == 0xFF }
    }
}

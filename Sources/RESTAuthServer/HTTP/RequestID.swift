import Synchronization

/// What every log line that is written in the course of a request says of it.
struct RequestMark: Sendable {
    @TaskLocal static var current: RequestMark?

    let id: RequestID
    /// The client's.
    let address: String?
}

/// What ties a request's log lines, its problem document and its audit events together: 64 bits
/// that differ for each request.
struct RequestID: Sendable, CustomStringConvertible {
    private let bits: UInt64

    private static let counter = Atomic<UInt64>(0)
    private static let mask = UInt64.random(in: .min ... .max)

    /// The next one. Multiplying by an odd number loses nothing, and hides from clients how many
    /// requests there are.
    static func next() -> RequestID {
        let count = counter.add(1, ordering: .relaxed).newValue
        return RequestID(bits: (count ^ mask) &* 0x9E37_79B9_7F4A_7C15)
    }

    /// 16 hexadecimal digits.
    var description: String {
        String(unsafeUninitializedCapacity: 16) { text in
            for (index, digit) in digits.enumerated() { text[index] = digit }
            return 16
        }
    }

    var digits: some Sequence<UInt8> {
        (0..<16).lazy.map { index in
            let digit = UInt8(truncatingIfNeeded: bits >> UInt64(60 - 4 * index) & 0xF)
            return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
    }
}

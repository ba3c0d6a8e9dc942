import Foundation
import PasswordHashing
import Synchronization

/// What every log line that is written in the course of a request says of it.
struct RequestMark: Sendable {
    @TaskLocal static var current: RequestMark?

    let id: RequestID
    /// The client's.
    let address: String?
}

/// What ties a request's log lines, its problem document and its audit events together: 64 random
/// bits.
struct RequestID: Sendable, CustomStringConvertible {
    private let bits: UInt64

    /// Taken from the system in advance, since asking for one at a time takes a hundredth of a
    /// request's time.
    private static let drawn = Mutex<[UInt64]>([])

    /// A new one, from the system's random numbers: from no number of them can anybody tell how
    /// many requests there are, or what the next one will be.
    static func next() -> RequestID {
        drawn.withLock { drawn in
            if drawn.isEmpty {
                drawn = Random.bytes(Random.largestDraw).withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) }
            }
            return RequestID(bits: drawn.removeLast())
        }
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

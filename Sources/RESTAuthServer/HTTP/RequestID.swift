import Foundation
import PasswordHashing
import Synchronization

/// The id and the client address that each log line of a request shows.
struct RequestMark: Sendable {
    @TaskLocal static var current: RequestMark?

    let id: RequestID
    /// IP address of the client.
    let address: String?
}

/// The id of a request in log lines, problem documents and audit events: 64 random bits.
struct RequestID: Sendable, CustomStringConvertible {
    private let bits: UInt64

    /// Ids drawn in advance: a system call for each would take a hundredth of a request's time.
    private static let drawn = Mutex<[UInt64]>([])

    /// A new id. A random id reveals neither the number of requests nor the next id.
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

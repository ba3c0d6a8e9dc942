import CZlib
import HTTPTypes

/// The content coding `gzip` (RFC 9110 section 8.4.1.3).
enum Gzip {
    /// Compresses the bytes; `nil` when there is no memory for it.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        // 15 is the largest window; adding 16 selects the gzip format.
        let size = Int32(MemoryLayout<z_stream>.size)
        guard deflateInit2_(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK else {
            return nil
        }
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
        let isDone = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return deflate(&stream, Z_FINISH) == Z_STREAM_END
            }
        }
        return isDone ? Array(output.prefix(Int(stream.total_out))) : nil
    }

    /// Whether the sender of these fields accepts gzip (RFC 9110 section 12.5.3).
    static func isAccepted(by fields: HTTPFields) -> Bool {
        var (named, others) = (nil as Bool?, false)
        for value in fields[values: .acceptEncoding] {
            for member in value.utf8.split(separator: UInt8(ascii: ",")) {
                let parts = member.split(separator: UInt8(ascii: ";")).map(\.trimmingBlanks)
                let isWanted = !parts.dropFirst().contains(where: isZero)
                switch parts.first {
                case let coding? where isEqual(coding, "gzip") || isEqual(coding, "x-gzip"): named = isWanted
                case let coding? where isEqual(coding, "*"): others = isWanted
                default: break
                }
            }
        }
        return named ?? others
    }

    /// Whether a parameter is a weight of zero, such as `q=0` or `q=0.000`.
    private static func isZero(_ parameter: Substring.UTF8View) -> Bool {
        guard let first = parameter.first, first | 0x20 == UInt8(ascii: "q") else { return false }
        let weight = parameter.dropFirst()
        return weight.first == UInt8(ascii: "=")
            && weight.dropFirst().allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
    }

    private static func isEqual(_ bytes: Substring.UTF8View, _ lowercased: StaticString) -> Bool {
        lowercased.withUTF8Buffer {
            bytes.elementsEqual($0) { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 == $1 : $0 == $1 }
        }
    }
}

extension Substring.UTF8View {
    /// The bytes without the blanks and tabs that a list in a field may have around its members
    /// (RFC 9110 section 5.6.1).
    var trimmingBlanks: Self {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var bytes = drop(while: isBlank)
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return bytes
    }
}

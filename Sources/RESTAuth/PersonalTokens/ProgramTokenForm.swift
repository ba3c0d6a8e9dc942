import CZlib
import PasswordHashing

extension ProgramToken {
    /// The text of a token: a prefix by which scanners for secrets know it, 30 random characters of
    /// base62, and 6 characters of the CRC-32 of all before, so that a mistyped token costs no
    /// query.
    package struct Form: Sendable, Redacted {
        package enum Kind: String, Sendable, CaseIterable {
            case personal = "ra_pat_"
            case service = "ra_svc_"
        }

        private static let randomLength = 30
        private static let checksumLength = 6
        private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

        package let kind: Kind
        /// The whole token.
        package let bytes: [UInt8]

        /// Makes a new random token.
        package init(_ kind: Kind) {
            self.kind = kind
            let body = Array(kind.rawValue.utf8) + Self.randomDigits(Self.randomLength)
            bytes = body + Self.checksum(of: body)
        }

        /// Reads a token; `nil` for anything of another form, and for a wrong checksum.
        package init?(_ bytes: some Collection<UInt8>) {
            guard let kind = Kind.allCases.first(where: { bytes.starts(with: $0.rawValue.utf8) }) else { return nil }
            let length = kind.rawValue.utf8.count + Self.randomLength + Self.checksumLength
            guard bytes.count == length, bytes.allSatisfy({ $0 == UInt8(ascii: "_") || Self.digits.contains($0) })
            else { return nil }
            let all = Array(bytes)
            guard Self.checksum(of: Array(all.dropLast(Self.checksumLength))) == all.suffix(Self.checksumLength)
            else { return nil }
            self.kind = kind
            self.bytes = all
        }

        /// Whether these bytes begin as a token for a program does, whatever follows.
        package static func begins(_ bytes: some Collection<UInt8>) -> Bool {
            Kind.allCases.contains { bytes.starts(with: $0.rawValue.utf8) }
        }

        package var text: String { String(decoding: bytes, as: UTF8.self) }

        var lastFour: String { String(decoding: bytes.suffix(4), as: UTF8.self) }

        /// Digits that are all equally likely: the bytes from 248 on, for which some would be
        /// likelier, are drawn anew.
        private static func randomDigits(_ count: Int) -> [UInt8] {
            let base = UInt8(digits.count)
            let limit = UInt8.max - UInt8.max % base
            var drawn: [UInt8] = []
            while drawn.count < count {
                drawn += Random.bytes(count - drawn.count).filter { $0 < limit }.map { digits[Int($0 % base)] }
            }
            return drawn
        }

        /// The CRC-32 in base62, the most significant digit first.
        private static func checksum(of bytes: [UInt8]) -> [UInt8] {
            var rest = bytes.withUnsafeBufferPointer { crc32(0, $0.baseAddress, uInt($0.count)) }
            let base = uLong(digits.count)
            var text: [UInt8] = []
            for _ in 0..<checksumLength {
                text.append(digits[Int(rest % base)])
                rest /= base
            }
            return text.reversed()
        }
    }
}

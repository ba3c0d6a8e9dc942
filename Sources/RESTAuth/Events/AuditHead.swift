public import Foundation

/// The end of the trail as one line. Kept out of reach of everyone who can change the database, it
/// later shows whether rows were removed from the end, or the whole trail was made anew.
///
///     1042 6f1f…(64 hexadecimal digits) 2026-11-28T10:18:26Z
public struct AuditHead: Sendable, Hashable {
    /// The last row that was sealed.
    public let link: AuditLink
    /// The time at which it was sealed.
    public let sealedAt: Date

    /// The head of a chain. The seal of the chain is not checked.
    public init(_ chain: AuditChain) {
        link = chain.head
        sealedAt = chain.sealedAt
    }

    /// The digest in hexadecimal digits.
    public var digest: String { link.digest.hexadecimal }
}

extension AuditHead: LosslessStringConvertible {
    public var description: String { "\(link.number) \(digest) \(Timestamp.text(sealedAt))" }

    /// Parses what ``description`` writes; the three parts may be separated by any blanks.
    public init?(_ text: String) {
        let parts = text.utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
        guard parts.count == 3, let number = WireText(Substring(parts[0])).decimalNumber, number > 0,
            let digest = Self.bytes(parts[1]), digest.count == AuditLink.start.digest.count,
            let sealedAt = Timestamp.date(parts[2])
        else { return nil }
        link = AuditLink(number: number, digest: digest)
        self.sealedAt = sealedAt
    }

    private static func bytes(_ digits: Substring.UTF8View) -> [UInt8]? {
        let values = digits.compactMap { WireText.value(ofHexDigit: $0) }
        guard values.count == digits.count, values.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
    }
}

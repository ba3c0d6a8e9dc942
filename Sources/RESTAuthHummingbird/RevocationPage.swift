import Foundation
import NIOCore
import RESTAuth
import Synchronization

/// Lines of the log of revocations that stand on one page of the list, as they are written.
struct RevocationBlock: Sendable {
    /// The page that begins with the first of them, in the coding `gzip`: made when it is first
    /// asked for.
    final class Compressed: Sendable {
        private let bytes = Mutex<ByteBuffer?>(nil)

        func bytes(of body: () -> [UInt8]) -> ByteBuffer? {
            bytes.withLock { bytes in
                if bytes == nil { bytes = Gzip.compress(body()).map { ByteBuffer(bytes: $0) } }
                return bytes
            }
        }
    }

    fileprivate private(set) var numbers: [Int64] = []
    /// Where each line begins.
    fileprivate private(set) var offsets: [Int] = []
    /// With commas between them.
    fileprivate private(set) var lines: [UInt8] = []
    fileprivate private(set) var compressed = Compressed()
    /// When the last of the lines expires.
    private(set) var expiresAt = Date.distantPast

    var isFull: Bool { numbers.count >= Auth.revocationPageSize }

    /// The number of the last line.
    var end: Int64 { numbers.last ?? 0 }

    /// - Parameter keys: by which a user's roles stand there.
    mutating func append(_ line: Revocation, keys: (User.ID) -> [RoleKey]) {
        if !lines.isEmpty { lines.append(UInt8(ascii: ",")) }
        numbers.append(line.number)
        offsets.append(lines.count)
        lines += line.json(keys: keys).map(\.bytes).joined(separator: [UInt8(ascii: ",")])
        expiresAt = max(expiresAt, line.expiresAt)
        compressed = Compressed()
    }
}

/// What is answered to who knows the list up to some number.
struct RevocationPage: Sendable {
    private let block: RevocationBlock
    /// Of the first line.
    private let index: Int
    /// The number to go on from.
    private let last: Int64
    let tag: EntityTag

    /// Not worth the work below, in bytes.
    private static let smallestCompressed = 1024

    /// The lines of `block` with numbers greater than `number`.
    init(_ block: RevocationBlock, after number: Int64, last: Int64) {
        self.block = block
        self.last = last
        index = block.numbers.firstIndex { $0 > number } ?? block.numbers.count
        let first = index < block.numbers.count ? block.numbers[index] : number
        // A line is never changed, so these three tell one page from another.
        tag = EntityTag("\(first)-\(last)-\(block.numbers.count - index)")
    }

    var body: ByteBuffer { ByteBuffer(bytes: bytes) }

    /// The body in the coding `gzip`; `nil` where that would be work for each who asks, or for
    /// little.
    var compressedBody: ByteBuffer? {
        guard index == 0, block.lines.count >= Self.smallestCompressed else { return nil }
        return block.compressed.bytes { bytes }
    }

    private var bytes: [UInt8] {
        var bytes = Array("{\"revocations\":[".utf8)
        if index < block.offsets.count { bytes += block.lines[block.offsets[index]...] }
        bytes += "],\"last\":\(last),\"more\":\(block.isFull)}".utf8
        return bytes
    }
}

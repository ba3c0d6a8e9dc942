import Foundation
import NIOCore
import RESTAuth
import Synchronization

/// Entries of the revocation log in their wire form, at most a page of them.
struct RevocationBlock: Sendable {
    /// The page that begins with the first of the entries, compressed with gzip when it is first
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
    /// The offset of each entry in `lines`.
    fileprivate private(set) var offsets: [Int] = []
    /// The JSON text of the entries, with commas between them.
    fileprivate private(set) var lines: [UInt8] = []
    fileprivate private(set) var compressed = Compressed()
    /// The time at which the last of the entries expires.
    private(set) var expiresAt = Date.distantPast

    var isFull: Bool { numbers.count >= Auth.revocationPageSize }

    /// The sequence number of the last entry.
    var end: Int64 { numbers.last ?? 0 }

    /// - Parameter keys: the keys that hide the names of a user's roles in the list.
    mutating func append(_ line: Revocation, keys: (User.ID) -> [RoleKey]) {
        if !lines.isEmpty { lines.append(UInt8(ascii: ",")) }
        numbers.append(line.number)
        offsets.append(lines.count)
        lines += line.json(keys: keys).map(\.bytes).joined(separator: [UInt8(ascii: ",")])
        expiresAt = max(expiresAt, line.expiresAt)
        compressed = Compressed()
    }
}

/// The answer to a client that knows the list up to some sequence number.
struct RevocationPage: Sendable {
    private let block: RevocationBlock
    /// The index in the block of the first entry on the page.
    private let index: Int
    /// The sequence number to go on from.
    private let last: Int64
    let tag: EntityTag

    /// The size below which compression is not worth its work, in bytes.
    private static let smallestCompressed = 1024

    /// The entries of `block` with sequence numbers greater than `number`.
    init(_ block: RevocationBlock, after number: Int64, last: Int64) {
        self.block = block
        self.last = last
        index = block.numbers.firstIndex { $0 > number } ?? block.numbers.count
        let first = index < block.numbers.count ? block.numbers[index] : number
        // An entry is never changed, so these three numbers tell one page from another.
        tag = EntityTag("\(first)-\(last)-\(block.numbers.count - index)")
    }

    var body: ByteBuffer { ByteBuffer(bytes: bytes) }

    /// The body compressed with gzip; `nil` for a part of a block, which would be compressed anew
    /// for each request, and for a small page.
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

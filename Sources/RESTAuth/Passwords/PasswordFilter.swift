import Crypto
package import Foundation

/// A set of passwords that only answers whether a password is in it, with a small chance of a
/// mistake.
///
/// A Bloom filter over SHA-1 digests, the form in which breached passwords are published. No
/// password can be read back from it. A password in the set is always found; one that is not in it
/// is taken for one that is once in ``falsePositiveInterval`` times.
///
/// The file, numbers with the lowest byte first: "RAFILTER" · version (4 bytes) · bits set for each
/// password (4) · passwords (8) · bits (8) · false positive interval (8) · SHA-256 of all other
/// bytes (32) · the bits. For one password they are at the 64-bit sums a + i · b, i from 0 on, each
/// scaled to the number of bits; a and b are the first two 8-byte numbers of the SHA-1, highest
/// byte first, b made odd.
package struct PasswordFilter: Sendable {
    /// The reasons why a file is not accepted.
    package enum Flaw: Error {
        case foreign, newer, damaged
    }

    /// The numbers from which the positions of a password's bits are computed.
    package struct Key {
        fileprivate let first: UInt64
        fileprivate let step: UInt64

        package init(password: some Collection<UInt8>) {
            var hash = Insecure.SHA1()
            if password.withContiguousStorageIfAvailable({ hash.update(bufferPointer: UnsafeRawBufferPointer($0)) })
                == nil
            {
                hash.update(data: Array(password))
            }
            self = hash.finalize().withUnsafeBytes { Key(digest: $0) }
        }

        /// - Parameter digest: a SHA-1, or its first 16 bytes.
        package init(digest: UnsafeRawBufferPointer) {
            first = UInt64(bigEndian: digest.loadUnaligned(as: UInt64.self))
            step = UInt64(bigEndian: digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) | 1
        }

        fileprivate func bit(_ index: Int, of count: UInt64) -> Int {
            Int((first &+ UInt64(index) &* step).multipliedFullWidth(by: count).high)
        }
    }

    private static let magic = Array("RAFILTER".utf8)
    private static let version: UInt32 = 1
    private static let digestPlace = 40..<72
    fileprivate static let headerLength = 72

    private let bytes: Data
    private let hashes: Int
    private let bitCount: UInt64
    /// The number of passwords that were put in, with repetitions.
    package let count: Int
    package let falsePositiveInterval: Int

    /// - Parameter bytes: the contents of a file, which may be mapped into memory.
    /// - Throws: what is wrong with the header or the length. The bits are not checked:
    ///   ``checkContents()``.
    package init(_ bytes: Data) throws(Flaw) {
        guard bytes.starts(with: Self.magic) else { throw .foreign }
        guard bytes.count > Self.headerLength else { throw .damaged }
        func number<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Number {
            bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
        }
        guard number(8, UInt32.self) == Self.version else { throw .newer }
        bitCount = number(24, UInt64.self)
        guard let hashes = Int(exactly: number(12, UInt32.self)), (1...64).contains(hashes),
            let count = Int(exactly: number(16, UInt64.self)), let interval = Int(exactly: number(32, UInt64.self)),
            bitCount == UInt64(bytes.count - Self.headerLength) * 8
        else { throw .damaged }
        self.bytes = bytes
        self.hashes = hashes
        self.count = count
        falsePositiveInterval = interval
    }

    /// Reads the whole file and compares it with its digest.
    package func checkContents() throws(Flaw) {
        let isIntact = bytes.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            Self.digest(of: bytes).elementsEqual(UnsafeRawBufferPointer(rebasing: bytes[Self.digestPlace]))
        }
        guard isIntact else { throw .damaged }
    }

    package func contains(_ key: Key) -> Bool {
        bytes.withUnsafeBytes { (file: UnsafeRawBufferPointer) in
            (0..<hashes).allSatisfy { index in
                let bit = key.bit(index, of: bitCount)
                let byte: UInt8 = file[Self.headerLength + bit / 8]
                return byte >> UInt8(bit % 8) & 1 == 1
            }
        }
    }

    private static func digest(of bytes: UnsafeRawBufferPointer) -> SHA256.Digest {
        var hash = SHA256()
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[..<digestPlace.lowerBound]))
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[digestPlace.upperBound...]))
        return hash.finalize()
    }
}

extension PasswordFilter {
    /// Makes a filter, in as much memory as its file takes.
    package struct Builder: ~Copyable {
        /// The contents of the file.
        private var bytes: [UInt8]
        private let hashes: Int
        private let bitCount: UInt64
        private let interval: Int
        private var count = 0

        package static let falsePositiveIntervals = 2...1_000_000_000

        /// - Parameters:
        ///   - capacity: the number of passwords that will be put in.
        ///   - interval: the number of passwords not in the set of which one may be taken for one
        ///     that is.
        package init(capacity: Int, falsePositiveInterval interval: Int) {
            self.interval = interval
            // With half of the bits set, each bit that is checked halves the chance of a mistake.
            hashes = max(1, Int.bitWidth - (interval - 1).leadingZeroBitCount)
            let byteCount = max(8, Int((Double(capacity) * Double(hashes) / (8 * Foundation.log(2.0))).rounded(.up)))
            bitCount = UInt64(byteCount) * 8
            bytes = Array(repeating: 0, count: PasswordFilter.headerLength + byteCount)
        }

        package mutating func insert(_ key: Key) {
            count += 1
            for index in 0..<hashes {
                let bit = key.bit(index, of: bitCount)
                bytes[PasswordFilter.headerLength + bit / 8] |= 1 << UInt8(bit % 8)
            }
        }

        /// The bytes of the file.
        package consuming func finish() -> [UInt8] {
            var header = PasswordFilter.magic
            func append(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { header += $0 } }
            append(PasswordFilter.version)
            append(UInt32(hashes))
            append(UInt64(count))
            append(bitCount)
            append(UInt64(interval))
            for (index, byte) in header.enumerated() { bytes[index] = byte }
            let digest = bytes.withUnsafeBytes { PasswordFilter.digest(of: $0) }
            for (index, byte) in zip(PasswordFilter.digestPlace, digest) { bytes[index] = byte }
            return bytes
        }
    }
}

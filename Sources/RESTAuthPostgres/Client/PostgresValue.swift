import CLibpq
import Foundation
import RESTAuth

/// A value for a statement, in PostgreSQL's binary form.
protocol PostgresParameter: Sendable {
    /// Type number in `pg_type`.
    static var type: Oid { get }
    /// Appends the value and returns whether there is one; `false` is NULL.
    func append(to bytes: inout [UInt8]) -> Bool
    /// Whether the server can store the value.
    var isStorable: Bool { get }
}

extension PostgresParameter {
    var isStorable: Bool { true }
}

/// A value that can be read from a row as well.
protocol PostgresValue: PostgresParameter {
    /// Reads the binary form; `nil` when the bytes are of another type.
    init?(_ bytes: UnsafeRawBufferPointer)
}

extension Int64: PostgresValue {
    static var type: Oid { 20 }

    func append(to bytes: inout [UInt8]) -> Bool {
        withUnsafeBytes(of: bigEndian) { bytes.append(contentsOf: $0) }
        return true
    }

    /// Reads a `bigint` or `integer`.
    init?(_ bytes: UnsafeRawBufferPointer) {
        switch bytes.count {
        case 8: self.init(bigEndian: bytes.loadUnaligned(as: Int64.self))
        case 4: self.init(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        default: return nil
        }
    }
}

extension Int: PostgresValue {
    static var type: Oid { Int64.type }
    func append(to bytes: inout [UInt8]) -> Bool { Int64(self).append(to: &bytes) }

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let number = Int64(bytes) else { return nil }
        self.init(number)
    }
}

extension Bool: PostgresValue {
    static var type: Oid { 16 }

    func append(to bytes: inout [UInt8]) -> Bool {
        bytes.append(self ? 1 : 0)
        return true
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 1, let byte = bytes.first, byte <= 1 else { return nil }
        self = byte == 1
    }
}

/// `text`, which can have every character except NUL.
extension String: PostgresValue {
    static var type: Oid { 25 }
    var isStorable: Bool { !utf8.contains(0) }

    func append(to bytes: inout [UInt8]) -> Bool {
        bytes.append(contentsOf: utf8)
        return true
    }

    init?(_ bytes: UnsafeRawBufferPointer) { self.init(validating: bytes, as: UTF8.self) }
}

/// `bytea`.
extension [UInt8]: PostgresParameter, PostgresValue {
    static var type: Oid { 17 }

    func append(to bytes: inout [UInt8]) -> Bool {
        bytes.append(contentsOf: self)
        return true
    }

    init?(_ bytes: UnsafeRawBufferPointer) { self = bytes.withMemoryRebound(to: UInt8.self) { Array($0) } }
}

/// `timestamptz`: microseconds since 2000. A time out of range becomes `infinity` or `-infinity`.
extension Date: PostgresValue {
    static var type: Oid { 1184 }
    private static var epoch: TimeInterval { 946_684_800 }

    func append(to bytes: inout [UInt8]) -> Bool {
        let microseconds = ((timeIntervalSince1970 - Self.epoch) * 1e6).rounded()
        return (Int64(exactly: microseconds) ?? (microseconds < 0 ? .min : .max)).append(to: &bytes)
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 8, let microseconds = Int64(bytes) else { return nil }
        self.init(timeIntervalSince1970: Self.epoch + Double(microseconds) / 1e6)
    }
}

/// `uuid`.
extension Session.ID: PostgresValue {
    static var type: Oid { 2950 }

    func append(to bytes: inout [UInt8]) -> Bool { self.bytes.append(to: &bytes) }
    init?(_ bytes: UnsafeRawBufferPointer) { self.init(bytes: bytes) }
}

extension Optional: PostgresParameter where Wrapped: PostgresParameter {
    static var type: Oid { Wrapped.type }
    func append(to bytes: inout [UInt8]) -> Bool { self?.append(to: &bytes) ?? false }
    var isStorable: Bool { self?.isStorable ?? true }
}

import CLibpq
import Foundation

/// Many values for one parameter: a PostgreSQL array in binary form.
struct PostgresArray<Element: PostgresArrayElement>: PostgresParameter {
    let elements: [Element?]

    init(_ elements: [Element?]) { self.elements = elements }

    static var type: Oid { Element.arrayType }
    var isStorable: Bool { elements.allSatisfy { $0?.isStorable ?? true } }

    func append(to bytes: inout [UInt8]) -> Bool {
        func append(_ number: Int, to bytes: inout [UInt8]) {
            withUnsafeBytes(of: Int32(number).bigEndian) { bytes.append(contentsOf: $0) }
        }
        // Number of dimensions, whether there are NULLs, type of the elements, their number, index
        // of the first.
        for number in [1, 1, Int(Element.type), elements.count, 1] { append(number, to: &bytes) }
        for element in elements {
            let start = bytes.count
            append(-1, to: &bytes)
            guard let element, element.append(to: &bytes) else { continue }
            let length = Int32(bytes.count - start - 4)
            withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(start..<start + 4, with: $0) }
        }
        return true
    }
}

protocol PostgresArrayElement: PostgresParameter {
    /// Type number of the array type in `pg_type`.
    static var arrayType: Oid { get }
}

extension Int64: PostgresArrayElement {
    static var arrayType: Oid { 1016 }
}

extension String: PostgresArrayElement {
    static var arrayType: Oid { 1009 }
}

extension [UInt8]: PostgresArrayElement {
    static var arrayType: Oid { 1001 }
}

extension Date: PostgresArrayElement {
    static var arrayType: Oid { 1185 }
}

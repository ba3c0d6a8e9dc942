import Foundation

/// A password as it is hashed: normalised once, never printed.
///
/// Prepared by the OpaqueString profile (RFC 8265 section 4.2): every blank becomes U+0020, then
/// NFC. Case, length and everything else stay as typed.
public struct Password: Sendable {
    /// The longest password in bytes of UTF-8, so that a long one cannot be used to keep the server
    /// busy.
    public static let maximumBytes = 1024

    package let bytes: [UInt8]
    /// The bytes as typed, which is what other programs have hashed. They differ from ``bytes`` in
    /// unusual spellings only.
    let typedBytes: [UInt8]
    /// The number of code points, for the policy.
    let length: Int

    /// - Parameters:
    ///   - text: the password as it was typed.
    ///   - field: the name of the input field, for the error.
    /// - Throws: ``AuthError/Code/validationFailed`` for an empty password, one of more than
    ///   ``maximumBytes``, and one with control characters: HTTP Basic cannot carry them (RFC 7617
    ///   section 2), and some hash functions end at a NUL.
    public init(_ text: String, field: String = "password") throws(AuthError) {
        guard !text.isEmpty else { throw Self.refused("missing argument: password is empty", field) }
        guard text.utf8.count <= Self.maximumBytes else {
            throw Self.refused("password is longer than \(Self.maximumBytes) bytes", field)
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw Self.refused("password has a control character", field)
        }
        let prepared = text.utf8.allSatisfy { $0 < 0x80 } ? text : Self.prepare(text)
        bytes = Array(prepared.utf8)
        typedBytes = Array(text.utf8)
        length = prepared.unicodeScalars.count
    }

    private static func prepare(_ text: String) -> String {
        var mapped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            mapped.append(scalar.properties.generalCategory == .spaceSeparator ? " " : scalar)
        }
        return String(mapped).precomposedStringWithCanonicalMapping
    }

    private static func refused(_ reason: String, _ field: String) -> AuthError {
        AuthError(.validationFailed, reason, field: field)
    }

    /// The prepared text, only for rules that must read it.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Password: Redacted {}

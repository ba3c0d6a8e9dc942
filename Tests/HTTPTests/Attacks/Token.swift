import Crypto
import Foundation
import Testing

/// A token taken apart, to be assembled wrongly.
struct Token {
    var header: String
    var payload: String
    var signature: String

    init(_ text: String) throws {
        let parts = text.components(separatedBy: ".")
        try #require(parts.count == 3)
        (header, payload, signature) = (parts[0], parts[1], parts[2])
    }

    var text: String { "\(header).\(payload).\(signature)" }
    var parts: [String] { [header, payload, signature] }

    /// The JSON text of the header, and that of the payload.
    var headerText: String { String(decoding: Token.decode(header), as: UTF8.self) }
    var payloadText: String { String(decoding: Token.decode(payload), as: UTF8.self) }
    var signatureBytes: [UInt8] { Array(Token.decode(signature)) }

    func with(header text: String) -> Token { changed { $0.header = Token.encode(text.utf8) } }
    func with(payload text: String) -> Token { changed { $0.payload = Token.encode(text.utf8) } }
    func with(signature bytes: some Sequence<UInt8>) -> Token { changed { $0.signature = Token.encode(bytes) } }

    func signed(by key: P256.Signing.PrivateKey) throws -> Token {
        with(signature: try key.signature(for: Data("\(header).\(payload)".utf8)).rawRepresentation)
    }

    /// The same token with another value of one claim, given as JSON text; `nil` removes the claim.
    func claiming(_ name: String, _ value: String?) throws -> Token {
        let claim = try Regex("\"\(name)\":(\"[^\"]*\"|[0-9]+),?")
        let changed = payloadText.replacing(claim, with: value.map { "\"\(name)\":\($0)," } ?? "").replacing(
            ",}", with: "}")
        try #require(changed != payloadText)
        return with(payload: changed)
    }

    private func changed(_ change: (inout Token) -> Void) -> Token {
        var token = self
        change(&token)
        return token
    }

    // MARK: base64url without padding

    static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    static func decode(_ text: String) -> Data {
        let padding = String(repeating: "=", count: (4 - text.count % 4) % 4)
        return Data(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/") + padding) ?? Data()
    }
}

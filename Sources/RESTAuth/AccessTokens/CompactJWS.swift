/// A JWS in compact serialisation (RFC 7515 section 7.1), parsed strictly. Nothing in it is
/// verified yet.
package struct CompactJWS {
    package let header: JSON
    /// The signed bytes: header, dot, payload, as they were sent.
    let signingInput: ArraySlice<UInt8>
    let signature: [UInt8]
    private let encodedPayload: ArraySlice<UInt8>

    /// `nil` unless there are exactly three parts in canonical base64url and the header is a strict
    /// JSON object.
    package init?(_ token: [UInt8]) {
        let dot = UInt8(ascii: ".")
        guard let first = token.firstIndex(of: dot), let last = token.lastIndex(of: dot), first < last,
            !token[(first + 1)..<last].contains(dot),
            let headerBytes = Base64.url.decode(token[..<first]), let header = JSON(headerBytes), case .object = header,
            let signature = Base64.url.decode(token[(last + 1)...])
        else { return nil }
        self.header = header
        self.signature = signature
        signingInput = token[..<last]
        encodedPayload = token[(first + 1)..<last]
    }

    /// The `kid` that the header names, which may be unknown.
    package var keyID: String? { header["kid"]?.string }

    /// The payload, to be read only after the signature was verified.
    package var payload: JSON? {
        Base64.url.decode(encodedPayload).flatMap { JSON($0) }
    }
}

/// A token as it was presented.
package struct PresentedToken: Sendable {
    let bytes: [UInt8]
    /// The last eight bytes, which are of the signature: they tell at once that a token is none of
    /// those that are remembered, and no more.
    let ending: UInt64

    /// `nil` for bytes that are longer than any token.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= TokenVerifier.maximumBytes else { return nil }
        self.bytes = bytes
        ending = bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The SHA-256 of the token, computed each time.
    var digest: TokenDigest { TokenDigest(of: bytes) }

    /// The parts of the token, parsed each time; `nil` for bytes without the outline of a token.
    package var parts: CompactJWS? { CompactJWS(bytes) }
}

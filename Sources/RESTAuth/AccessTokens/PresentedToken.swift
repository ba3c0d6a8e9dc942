/// A token as it was presented, with its digest, which is computed once.
package struct PresentedToken: Sendable {
    let bytes: [UInt8]
    let digest: TokenDigest

    /// `nil` for bytes that are longer than any token.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= TokenVerifier.maximumBytes else { return nil }
        self.bytes = bytes
        digest = TokenDigest(of: bytes)
    }

    /// The parts of the token, parsed each time; `nil` for bytes without the outline of a token.
    package var parts: CompactJWS? { CompactJWS(bytes) }
}

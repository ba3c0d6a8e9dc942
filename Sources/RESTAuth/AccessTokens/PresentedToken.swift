/// A token as it was presented: digested once, whatever it is asked for after that.
package struct PresentedToken: Sendable {
    let bytes: [UInt8]
    let digest: TokenDigest

    /// `nil` for what is longer than any token.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count <= TokenVerifier.maximumBytes else { return nil }
        self.bytes = bytes
        digest = TokenDigest(of: bytes)
    }

    /// Taken apart each time it is asked for; `nil` for what has not the outline of a token.
    package var parts: CompactJWS? { CompactJWS(bytes) }
}

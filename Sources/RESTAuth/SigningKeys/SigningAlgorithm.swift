/// Algorithms that sign access tokens (RFC 7518 section 3.1, RFC 8037).
public enum SigningAlgorithm: String, Sendable, Hashable, CaseIterable {
    /// ECDSA on P-256: short signatures, supported everywhere.
    case es256 = "ES256"
    /// Ed25519.
    case edDSA = "EdDSA"
    /// RSA of 3072 bits, for verifiers that support nothing else: a signature takes a hundred times
    /// as long to make.
    case rs256 = "RS256"
}

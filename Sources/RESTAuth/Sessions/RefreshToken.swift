import Crypto
import Foundation

/// What renews a session: opaque to the client, 256 random bits, and signed by us.
///
/// Session, generation and secret, then a keyed tag over them. The tag tells a token that we made
/// from anything else without a look into the database, so nobody who only knows a session's id can
/// make it look stolen.
public struct RefreshToken: Sendable {
    /// For the client only: 112 characters of base64url.
    public let value: String
    let sessionID: Session.ID
    /// Counts the rotations of its session.
    let generation: Int
}

extension RefreshToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "redacted" }
    public var debugDescription: String { "redacted" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Makes refresh tokens and knows them again. Keys are derived from the instance's secret, one for
/// each purpose.
struct RefreshTokens: Sendable {
    private static let bodyLength = 16 + 4 + 32
    private static let tagLength = 32

    private let tagKey: SymmetricKey
    private let digestKey: SymmetricKey
    private let successorKey: SymmetricKey

    init(secret: InstanceSecret) {
        tagKey = secret.key(for: "refresh token tags")
        digestKey = secret.key(for: "refresh token digests")
        successorKey = secret.key(for: "refresh token successors")
    }

    /// The first token of a session.
    func first(of session: Session.ID) -> RefreshToken {
        token(session, generation: 0, secret: SymmetricKey(size: .bits256).withUnsafeBytes(Array.init))
    }

    /// The token that takes the place of `token`: always the same one, so that a lost answer can be
    /// asked for again without any secret being kept, and one that nobody without our key can
    /// foresee.
    func successor(of token: RefreshToken) -> RefreshToken {
        let secret = HMAC<SHA256>.authenticationCode(for: body(of: token), using: successorKey)
        return self.token(token.sessionID, generation: token.generation + 1, secret: Array(secret))
    }

    /// The token that `text` spells, when we made it.
    func token(_ text: String) -> RefreshToken? {
        guard let bytes = Base64.url.decode(text.utf8), bytes.count == Self.bodyLength + Self.tagLength,
            HMAC<SHA256>.isValidAuthenticationCode(
                bytes.suffix(Self.tagLength), authenticating: bytes.prefix(Self.bodyLength), using: tagKey)
        else { return nil }
        let generation = bytes[16..<20].reduce(0) { $0 << 8 | Int($1) }
        return RefreshToken(value: text, sessionID: Session.ID(bytes: bytes[..<16]), generation: generation)
    }

    /// What is stored of a token: useless to whoever reads the table without our key.
    func digest(of token: RefreshToken) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: body(of: token), using: digestKey))
    }

    private func token(_ session: Session.ID, generation: Int, secret: [UInt8]) -> RefreshToken {
        let body = session.bytes + (0..<4).map { UInt8(truncatingIfNeeded: generation >> (24 - 8 * $0)) } + secret
        let tag = HMAC<SHA256>.authenticationCode(for: body, using: tagKey)
        return RefreshToken(value: Base64.url.encode(body + Array(tag)), sessionID: session, generation: generation)
    }

    private func body(of token: RefreshToken) -> [UInt8] {
        Array((Base64.url.decode(token.value.utf8) ?? []).prefix(Self.bodyLength))
    }
}

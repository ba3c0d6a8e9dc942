import Crypto
import Foundation
import PasswordHashing

/// A refresh token: opaque to the client, 256 random bits, authenticated by a keyed tag.
///
/// Bytes: during a rotation of the instance's secret the id of the secret; then session id,
/// generation and random bits; then the tag over all of it. The tag tells a token of this instance
/// from anything else without a query, so nobody who knows only a session's id can make its token
/// look stolen.
public struct RefreshToken: Sendable {
    /// The token, for the client only: 112 characters of base64url, 118 with the id of a secret.
    public let value: String
    let sessionID: Session.ID
    /// Number of rotations of its session before this token.
    let generation: Int
    /// The bytes before the tag.
    fileprivate let body: [UInt8]
    /// The instance secret that the token and its digest are made with.
    let maker: SecretMaker
}

extension RefreshToken: Redacted {}

/// Makes and verifies refresh tokens. Keys are derived from the instance's secrets, one for each
/// purpose.
struct RefreshTokens: Sendable {
    private static let bodyLength = 16 + 4 + 32
    private static let tagLength = 32

    let secrets: InstanceSecrets

    /// The instance secret that new tokens are made with.
    var maker: SecretMaker { secrets.known.maker }

    /// The first token of a session.
    func first(of session: Session.ID) -> RefreshToken {
        token(session, generation: 0, secret: Random.bytes(32), by: secrets.known.maker)
    }

    /// Finds the successor with that digest among those of all known secrets: processes need not
    /// agree on which secret is the present one.
    /// - Returns: `nil` when no known secret gives that digest.
    func successor(of token: RefreshToken, index: Int, digest: [UInt8]) -> RefreshToken? {
        secrets.known.makers(of: digest, isMarked: digest.count > SHA256.byteCount)
            .map { successor(of: token, index: index, by: $0) }
            .first { isEqualInConstantTime(self.digest(of: $0), digest) }
    }

    /// The successor of `token` with that index. It is always the same one, so that a lost answer
    /// can be repeated without storing any token, and nobody without the instance's key can compute
    /// it, not even from the other successors.
    func successor(of token: RefreshToken, index: Int, by maker: SecretMaker) -> RefreshToken {
        // The message of the first successor is the body alone, which has a fixed length.
        let suffix = index == 0 ? [] : (0..<4).map { UInt8(truncatingIfNeeded: index >> (24 - 8 * $0)) }
        let secret = maker.secret.code(of: token.body + suffix, for: "refresh token successors")
        return self.token(token.sessionID, generation: token.generation + 1, secret: secret, by: maker)
    }

    /// A text of the length and alphabet of a refresh token, decoded; its tag is not checked yet.
    struct Candidate {
        fileprivate let text: String
        fileprivate let bytes: [UInt8]
        /// Whether the bytes begin with the id of a secret.
        fileprivate let isMarked: Bool

        init?(_ text: String) {
            guard let bytes = Base64.url.decode(text.utf8) else { return nil }
            switch bytes.count {
            case bodyLength + tagLength: isMarked = false
            case SecretID.length + bodyLength + tagLength: isMarked = true
            default: return nil
            }
            self.text = text
            self.bytes = bytes
        }
    }

    /// Checks the tag; `nil` when no known secret made it.
    func token(_ candidate: Candidate) -> RefreshToken? {
        let bytes = candidate.bytes
        let (body, tag) = (Array(bytes.dropLast(Self.tagLength)), bytes.suffix(Self.tagLength))
        let maker = secrets.known.makers(of: bytes, isMarked: candidate.isMarked).first { maker in
            maker.secret.isCode(tag, of: body, for: Self.tagPurpose)
        }
        guard let maker else { return nil }
        let fields = body.dropFirst(maker.mark.count)
        guard let sessionID = fields.prefix(16).withUnsafeBytes(Session.ID.init(bytes:)) else { return nil }
        let generation = fields.dropFirst(16).prefix(4).reduce(0) { $0 << 8 | Int($1) }
        return RefreshToken(
            value: candidate.text, sessionID: sessionID, generation: generation, body: body, maker: maker)
    }

    /// Whether the token names a secret that is not known here, but may be known to another
    /// process.
    func isOfUnknownSecret(_ candidate: Candidate) -> Bool {
        candidate.isMarked && secrets.known.makers(of: candidate.bytes, isMarked: true).isEmpty
    }

    /// The keyed digest of a token, as stored: without the key it is useless to anyone who reads
    /// the table.
    func digest(of token: RefreshToken) -> [UInt8] {
        token.maker.mark + token.maker.secret.code(of: token.body, for: "refresh token digests")
    }

    private func token(
        _ session: Session.ID, generation: Int, secret: [UInt8], by maker: SecretMaker
    ) -> RefreshToken {
        let number = (0..<4).map { UInt8(truncatingIfNeeded: generation >> (24 - 8 * $0)) }
        let body = maker.mark + session.bytes + number + secret
        let tag = maker.secret.code(of: body, for: Self.tagPurpose)
        return RefreshToken(
            value: Base64.url.encode(body + tag), sessionID: session, generation: generation, body: body,
            maker: maker)
    }

    private static let tagPurpose = "refresh token tags"
}

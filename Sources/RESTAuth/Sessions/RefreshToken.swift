import Crypto
import Foundation
import PasswordHashing

/// What renews a session: opaque to the client, 256 random bits, and signed by us.
///
/// Session, generation and secret, then a keyed tag over them; before them the id of the instance's
/// secret, while there are two. The tag tells a token that we made
/// from anything else without a look into the database, so nobody who only knows a session's id can
/// make it look stolen.
public struct RefreshToken: Sendable {
    /// For the client only: 112 characters of base64url, 118 with an id.
    public let value: String
    let sessionID: Session.ID
    /// Counts the rotations of its session.
    let generation: Int
    /// Without the tag.
    fileprivate let body: [UInt8]
    /// Who made it, and its digest.
    let maker: SecretMaker
}

extension RefreshToken: Redacted {}

/// Makes refresh tokens and knows them again. Keys are derived from the instance's secrets, one for
/// each purpose.
struct RefreshTokens: Sendable {
    private static let bodyLength = 16 + 4 + 32
    private static let tagLength = 32

    let secrets: InstanceSecrets

    /// Who makes new ones.
    var maker: SecretMaker { secrets.known.maker }

    /// The first token of a session.
    func first(of session: Session.ID) -> RefreshToken {
        token(session, generation: 0, secret: Random.bytes(32), by: secrets.known.maker)
    }

    /// The one of that digest, whoever made it: processes need not agree on which secret is the
    /// present one.
    /// - Returns: `nil` when it is by none of the secrets.
    func successor(of token: RefreshToken, index: Int, digest: [UInt8]) -> RefreshToken? {
        secrets.known.makers(of: digest, isMarked: digest.count > SHA256.byteCount)
            .map { successor(of: token, index: index, by: $0) }
            .first { isEqualInConstantTime(self.digest(of: $0), digest) }
    }

    /// A token that takes the place of `token`: for each index always the same one, so that a lost
    /// answer can be asked for again without any secret being kept, and one that nobody without our
    /// key can foresee, whichever of the others they have.
    func successor(of token: RefreshToken, index: Int, by maker: SecretMaker) -> RefreshToken {
        let key = maker.secret.key(for: "refresh token successors")
        // The first one's message is the body alone, whose length is fixed.
        let suffix = index == 0 ? [] : (0..<4).map { UInt8(truncatingIfNeeded: index >> (24 - 8 * $0)) }
        let secret = HMAC<SHA256>.authenticationCode(for: token.body + suffix, using: key)
        return self.token(token.sessionID, generation: token.generation + 1, secret: Array(secret), by: maker)
    }

    /// A text that has the outline of a token, decoded.
    struct Candidate {
        fileprivate let text: String
        fileprivate let bytes: [UInt8]
        /// Whether it begins with the id of a secret.
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

    /// The token that it is, when we made it.
    func token(_ candidate: Candidate) -> RefreshToken? {
        let bytes = candidate.bytes
        let (body, tag) = (bytes.dropLast(Self.tagLength), bytes.suffix(Self.tagLength))
        let maker = secrets.known.makers(of: bytes, isMarked: candidate.isMarked).first { maker in
            HMAC<SHA256>.isValidAuthenticationCode(tag, authenticating: body, using: Self.tagKey(maker))
        }
        guard let maker else { return nil }
        let fields = body.dropFirst(maker.mark.count)
        let generation = fields.dropFirst(16).prefix(4).reduce(0) { $0 << 8 | Int($1) }
        return RefreshToken(
            value: candidate.text, sessionID: Session.ID(bytes: fields.prefix(16)), generation: generation,
            body: Array(body),
            maker: maker)
    }

    /// Whether it could be a token by a secret that another process knows.
    func isOfUnknownSecret(_ candidate: Candidate) -> Bool {
        candidate.isMarked && secrets.known.makers(of: candidate.bytes, isMarked: true).isEmpty
    }

    /// What is stored of a token: useless to whoever reads the table without our key.
    func digest(of token: RefreshToken) -> [UInt8] {
        let key = token.maker.secret.key(for: "refresh token digests")
        return token.maker.mark + Array(HMAC<SHA256>.authenticationCode(for: token.body, using: key))
    }

    private func token(
        _ session: Session.ID, generation: Int, secret: [UInt8], by maker: SecretMaker
    ) -> RefreshToken {
        let number = (0..<4).map { UInt8(truncatingIfNeeded: generation >> (24 - 8 * $0)) }
        let body = maker.mark + session.bytes + number + secret
        let tag = HMAC<SHA256>.authenticationCode(for: body, using: Self.tagKey(maker))
        return RefreshToken(
            value: Base64.url.encode(body + Array(tag)), sessionID: session, generation: generation, body: body,
            maker: maker)
    }

    private static func tagKey(_ maker: SecretMaker) -> SymmetricKey { maker.secret.key(for: "refresh token tags") }
}

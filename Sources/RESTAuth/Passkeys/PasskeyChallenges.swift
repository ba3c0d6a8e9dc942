import Crypto
package import Foundation
import PasswordHashing

/// Makes challenges and recognises them, on every node that has the secret, without storing any.
///
/// 32 bytes: the second of the end, 96 random bits, then the first 128 bits of a keyed tag over
/// them, the relying party and the purpose. A challenge is good for one answer, which spends its
/// digest.
package struct PasskeyChallenges: Sendable {
    package static let length = 32
    /// Lifetime in seconds.
    package static let duration = 300
    private static let bodyLength = 4 + 12
    private static let tagLength = 16

    private let secrets: InstanceSecrets
    private let relyingParty: RelyingParty

    package init(secrets: InstanceSecrets, relyingParty: RelyingParty) {
        self.secrets = secrets
        self.relyingParty = relyingParty
    }

    package func next(for purpose: PasskeyPurpose, at now: Date) -> [UInt8] {
        let end = UInt32(clamping: UInt64(max(0, now.timeIntervalSince1970)) + UInt64(Self.duration))
        let body = withUnsafeBytes(of: end.bigEndian, Array.init) + Random.bytes(12)
        return body + tag(of: body, for: purpose, by: secrets.known.present)
    }

    /// Finds what an answer to a challenge uses up; `nil` unless this instance made it for that
    /// purpose and it has not expired.
    package func spent(_ challenge: [UInt8], for purpose: PasskeyPurpose, at now: Date) -> SpentChallenge? {
        guard challenge.count == Self.length else { return nil }
        let body = Array(challenge.prefix(Self.bodyLength))
        let given = Array(challenge.suffix(Self.tagLength))
        let isOurs = secrets.known.all.contains { isEqualInConstantTime(tag(of: body, for: purpose, by: $0), given) }
        let expiresAt = Date(timeIntervalSince1970: TimeInterval(body.prefix(4).bigEndian))
        guard isOurs, expiresAt > now else { return nil }
        return SpentChallenge(digest: Array(SHA256.hash(data: challenge)), expiresAt: expiresAt)
    }

    private func tag(of body: [UInt8], for purpose: PasskeyPurpose, by secret: InstanceSecret) -> [UInt8] {
        let code = HMAC<SHA256>.authenticationCode(
            for: body + relyingParty.idHash + purpose.binding, using: secret.key(for: "passkey challenges"))
        return Array(code.prefix(Self.tagLength))
    }
}

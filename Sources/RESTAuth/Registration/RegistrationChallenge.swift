import Crypto
import Foundation
import PasswordHashing

/// Proof of work for a registration: the client finds a `nonce` for which SHA-256 of the challenge,
/// a dot and the nonce begins with ``difficulty`` zero bits.
public struct RegistrationChallenge: Sendable {
    /// The challenge: 76 characters of base64url, to be sent back unchanged.
    public let value: String
    /// Number of zero bits; each more doubles the work.
    public let difficulty: Int
    /// Seconds for which the challenge is valid.
    public let duration: Int

    package init(value: String, difficulty: Int, duration: Int) {
        self.value = value
        self.difficulty = difficulty
        self.duration = duration
    }
}

/// Makes challenges and verifies them, on every node that has the secret, without storing any.
///
/// Bytes of a challenge: 128 random bits, the expiry in seconds, the difficulty, then a keyed tag
/// over them.
struct RegistrationChallenges: Sendable {
    private static let duration = 300
    private static let bodyLength = 16 + 8 + 1
    private static let tagLength = 32

    private let difficulty: Int
    private let secrets: InstanceSecrets

    init(difficulty: Int, secrets: InstanceSecrets) {
        self.difficulty = difficulty
        self.secrets = secrets
    }

    private static let tagPurpose = "registration challenges"

    func next(at now: Date) -> RegistrationChallenge {
        let end = UInt64(max(0, now.timeIntervalSince1970)) + UInt64(Self.duration)
        let body = Random.bytes(16) + withUnsafeBytes(of: end.bigEndian, Array.init) + [UInt8(difficulty)]
        let tag = secrets.known.present.code(of: body, for: Self.tagPurpose)
        return RegistrationChallenge(
            value: Base64.url.encode(body + tag), difficulty: difficulty, duration: Self.duration)
    }

    /// Verifies that the challenge is genuine and has not expired, and that `nonce` solves it at
    /// the challenge's own difficulty. That difficulty must be at least the configured one when a
    /// secret other than the present one made the challenge, because others may know that secret.
    /// - Returns: the solved challenge, which the registration uses up; `nil` when it is refused.
    func solved(_ challenge: String, nonce: String, at now: Date) -> SpentChallenge? {
        guard let bytes = Base64.url.decode(challenge.utf8), bytes.count == Self.bodyLength + Self.tagLength,
            let least = leastDifficulty(of: bytes), Int(bytes[24]) >= least
        else { return nil }
        let end = Date(timeIntervalSince1970: TimeInterval(bytes[16..<24].reduce(0) { $0 << 8 | UInt64($1) }))
        guard end > now, Self.isNonce(nonce) else { return nil }
        let work = SHA256.hash(data: Data("\(challenge).\(nonce)".utf8))
        guard Self.leadingZeroBits(of: work) >= Int(bytes[24]) else { return nil }
        return SpentChallenge(digest: Array(SHA256.hash(data: Data(challenge.utf8))), expiresAt: end)
    }

    /// The least difficulty that is accepted for the challenge; `nil` when no known secret made it.
    private func leastDifficulty(of bytes: [UInt8]) -> Int? {
        let known = secrets.known
        let maker = known.all.first { secret in
            secret.isCode(
                bytes.suffix(Self.tagLength), of: Array(bytes.prefix(Self.bodyLength)), for: Self.tagPurpose)
        }
        return maker.map { $0.id == known.present.id ? 0 : difficulty }
    }

    /// Whether the text is a decimal number of 1 to 20 digits.
    private static func isNonce(_ text: String) -> Bool {
        (1...20).contains(text.utf8.count)
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func leadingZeroBits(of bytes: some Sequence<UInt8>) -> Int {
        var count = 0
        for byte in bytes {
            count += byte.leadingZeroBitCount
            if byte != 0 { break }
        }
        return count
    }
}

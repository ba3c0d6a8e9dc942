public import Foundation
import PasswordHashing

/// A link by which one user can set a password, once.
///
/// Nothing of it is stored. It is good for a day, until the user has another password, and only on
/// the instance that made it.
public struct PasswordLink: Sendable, Redacted {
    /// 96 characters of base64url, for the user only.
    public let token: String
    /// Time from which the link is refused.
    public let expiresAt: Date
    /// The page of ``AuthConfiguration/passwordLinkURL`` with the token behind `#`, so that it is
    /// in no log; `nil` where no page is configured.
    public let url: String?

    /// The life of a link, in seconds.
    public static let duration = 86400

    /// The link as an object, for whoever hands it to the user.
    package var json: JSON {
        [
            "token": .string(token), "expires_at": .string(expiresAt.ISO8601Format()),
            "url": url.map(JSON.string) ?? .null,
        ]
    }
}

/// Makes links and reads them, on every node that has the secret.
///
/// A token is the user, the number of the password, the second of the expiry and 128 random bits,
/// then a keyed tag over them, the issuer, and whether the user is an operator. So a link that was
/// made for another user is worth nothing once that user is made an operator.
struct PasswordLinks: Sendable {
    let secrets: InstanceSecrets
    let issuer: String
    let url: String?

    private static let bodyLength = 8 + 8 + 8 + 16
    private static let tagLength = 32
    private static let purpose = "links for passwords"

    /// The content of a text that has the form of a link, which anyone can write.
    struct Claim: Sendable {
        let userID: User.ID
        let passwordVersion: Int
        fileprivate let body: [UInt8]
        fileprivate let tag: [UInt8]
    }

    func next(for stored: StoredCredentials, at now: Date) -> PasswordLink {
        let end = UInt64(max(0, now.timeIntervalSince1970)) + UInt64(PasswordLink.duration)
        let numbers = [UInt64(bitPattern: stored.user.id), UInt64(bitPattern: Int64(stored.passwordVersion)), end]
        let body = numbers.flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) } + Random.bytes(16)
        let token = Base64.url.encode(
            body + secrets.known.present.code(of: signed(body, for: stored.user), for: Self.purpose))
        return PasswordLink(
            token: token, expiresAt: Date(timeIntervalSince1970: TimeInterval(end)), url: url.map { "\($0)#\(token)" })
    }

    /// Reads a token, whose tag is not checked yet: that takes its user. `nil` for a text of
    /// another form, and for a link that has expired.
    func claim(of token: String, at now: Date) -> Claim? {
        guard let bytes = Base64.url.decode(token.utf8), bytes.count == Self.bodyLength + Self.tagLength else {
            return nil
        }
        let body = Array(bytes.prefix(Self.bodyLength))
        func number(at start: Int) -> Int64 {
            Int64(bitPattern: body[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) })
        }
        guard Date(timeIntervalSince1970: TimeInterval(number(at: 16))) > now else { return nil }
        return Claim(
            userID: number(at: 0), passwordVersion: Int(number(at: 8)), body: body,
            tag: Array(bytes.suffix(Self.tagLength)))
    }

    /// Whether the link was made here, for that user as the user is now.
    func isGood(_ claim: Claim, for stored: StoredCredentials) -> Bool {
        let text = signed(claim.body, for: stored.user)
        return secrets.known.all.contains { $0.isCode(claim.tag[...], of: text, for: Self.purpose) }
            && stored.user.id == claim.userID && stored.passwordVersion == claim.passwordVersion
            && !stored.user.isDisabled
    }

    /// The bytes that the tag is over. The body and the word have fixed lengths, so what follows
    /// them is the issuer.
    private func signed(_ body: [UInt8], for user: User) -> [UInt8] {
        body + [user.roles.contains(Role.operator) ? 1 : 0] + Array(issuer.utf8)
    }
}

extension AuthConfiguration {
    /// Checks the page of links for passwords: `https`, or `http` on this machine, and no fragment.
    /// - Throws: ``AuthError/Code/misconfigured``.
    package static func checkPasswordLinkURL(_ text: String) throws(AuthError) {
        let url = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && text.utf8.count <= 2000 ? URL(string: text) : nil
        let host = url?.host ?? ""
        let isLoopback = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(host)
        guard let url, !host.isEmpty, url.user == nil, !text.utf8.contains(UInt8(ascii: "#")),
            url.scheme == "https" || url.scheme == "http" && isLoopback
        else {
            throw AuthError(
                .misconfigured,
                "the page of password links is no https URL without a fragment: \(text.debugDescription)")
        }
    }
}

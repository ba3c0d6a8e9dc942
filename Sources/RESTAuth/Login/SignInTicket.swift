import Crypto
import Foundation
import PasswordHashing

/// Says that somebody has given the right password, and may go on to another factor.
///
/// Good for ``duration`` seconds, for one sign-in, for ``tries`` answers, and from the network that
/// the password came from; not any more when the password is changed or the user disabled.
public struct SignInTicket: Sendable {
    /// 96 characters of base64url, for the client only, to be sent back as they are.
    public let value: String

    /// In seconds.
    public static let duration = 600

    /// How many answers may be given with it.
    public static let tries = 5
}

extension SignInTicket: Redacted {}

/// Makes tickets and knows them again, on every node that has the secret. What is kept of one is
/// only what was used up (``SignInStorage``).
///
/// User, version of the password, the second of the end and 128 random bits, then a keyed tag over
/// them and the network.
struct SignInTickets: Sendable {
    private static let bodyLength = 8 + 8 + 8 + 16
    private static let tagLength = 32

    let secrets: InstanceSecrets

    /// A ticket that we made.
    struct Content: Sendable {
        let userID: User.ID
        let passwordVersion: Int
        let expiresAt: Date
        fileprivate let body: ArraySlice<UInt8>

        /// Of the answers that may be given, one of which each takes.
        var tries: [[UInt8]] { (0..<SignInTicket.tries).map { digest("try \($0)") } }
        /// Of the sign-in that it is good for.
        var use: [UInt8] { digest("use") }

        private func digest(_ purpose: String) -> [UInt8] { Array(SHA256.hash(data: body + Array(purpose.utf8))) }
    }

    func next(for stored: StoredCredentials, from network: ClientNetwork?, at now: Date) -> SignInTicket {
        let end = UInt64(max(0, now.timeIntervalSince1970)) + UInt64(SignInTicket.duration)
        let numbers = [UInt64(bitPattern: stored.user.id), UInt64(bitPattern: Int64(stored.passwordVersion)), end]
        let body =
            numbers.flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) }
            + Random.bytes(16)
        let tag = HMAC<SHA256>.authenticationCode(
            for: Self.signed(body[...], from: network), using: Self.tagKey(secrets.known.present))
        return SignInTicket(value: Base64.url.encode(body + Array(tag)))
    }

    /// `nil` when we did not make it for that network, or it has expired.
    func content(of ticket: String, from network: ClientNetwork?, at now: Date) -> Content? {
        guard let bytes = Base64.url.decode(ticket.utf8), bytes.count == Self.bodyLength + Self.tagLength else {
            return nil
        }
        let body = bytes.prefix(Self.bodyLength)
        let isOurs = secrets.known.all.contains { secret in
            HMAC<SHA256>.isValidAuthenticationCode(
                bytes.suffix(Self.tagLength), authenticating: Self.signed(body, from: network),
                using: Self.tagKey(secret))
        }
        func number(at start: Int) -> Int64 {
            Int64(bitPattern: body[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) })
        }
        let expiresAt = Date(timeIntervalSince1970: TimeInterval(number(at: 16)))
        guard isOurs, expiresAt > now else { return nil }
        return Content(
            userID: number(at: 0), passwordVersion: Int(number(at: 8)), expiresAt: expiresAt, body: body)
    }

    private static func tagKey(_ secret: InstanceSecret) -> SymmetricKey { secret.key(for: "sign-in tickets") }

    /// The body has one length, so what follows it is the network.
    private static func signed(_ body: ArraySlice<UInt8>, from network: ClientNetwork?) -> [UInt8] {
        body + Array((network?.description ?? "").utf8)
    }
}

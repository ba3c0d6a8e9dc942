import Crypto
import Foundation
import PasswordHashing

/// Shows that the right password was given, so that another factor may follow.
///
/// Valid for ``duration`` seconds, for one sign-in, for ``tries`` answers, and from the network
/// that the password came from; no longer when the password is changed or the user disabled.
public struct SignInTicket: Sendable {
    /// 96 characters of base64url, for the client only, to be sent back as they are.
    public let value: String

    /// The life of a ticket, in seconds.
    public static let duration = 600

    /// The number of answers that may be given with a ticket.
    public static let tries = 5
}

extension SignInTicket: Redacted {}

/// Makes tickets and reads them, on every node that has the secret. Only what was used up of a
/// ticket is stored (``SignInStorage``).
///
/// A ticket is the user, the version of the password, the second of the expiry and 128 random bits,
/// then a keyed tag over them and the network.
struct SignInTickets: Sendable {
    private static let bodyLength = 8 + 8 + 8 + 16
    private static let tagLength = 32

    let secrets: InstanceSecrets

    /// The content of a ticket that was made here.
    struct Content: Sendable {
        let userID: User.ID
        let passwordVersion: Int
        let expiresAt: Date
        fileprivate let body: ArraySlice<UInt8>

        /// The digests of the answers that may be given, one of which each answer spends.
        var tries: [[UInt8]] { (0..<SignInTicket.tries).map { digest("try \($0)") } }
        /// The digest of the one sign-in that the ticket is valid for.
        var use: [UInt8] { digest("use") }

        private func digest(_ purpose: String) -> [UInt8] { Array(SHA256.hash(data: body + Array(purpose.utf8))) }
    }

    func next(for stored: StoredCredentials, from network: ClientNetwork?, at now: Date) -> SignInTicket {
        let end = UInt64(max(0, now.timeIntervalSince1970)) + UInt64(SignInTicket.duration)
        let numbers = [UInt64(bitPattern: stored.user.id), UInt64(bitPattern: Int64(stored.passwordVersion)), end]
        let body =
            numbers.flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) }
            + Random.bytes(16)
        let tag = secrets.known.present.code(of: Self.signed(body[...], from: network), for: Self.tagPurpose)
        return SignInTicket(value: Base64.url.encode(body + tag))
    }

    /// The content of a ticket; `nil` when it was not made here for that network, or has expired.
    func content(of ticket: String, from network: ClientNetwork?, at now: Date) -> Content? {
        guard let bytes = Base64.url.decode(ticket.utf8), bytes.count == Self.bodyLength + Self.tagLength else {
            return nil
        }
        let body = bytes.prefix(Self.bodyLength)
        let isOurs = secrets.known.all.contains { secret in
            secret.isCode(
                bytes.suffix(Self.tagLength), of: Self.signed(body, from: network), for: Self.tagPurpose)
        }
        func number(at start: Int) -> Int64 {
            Int64(bitPattern: body[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) })
        }
        let expiresAt = Date(timeIntervalSince1970: TimeInterval(number(at: 16)))
        guard isOurs, expiresAt > now else { return nil }
        return Content(
            userID: number(at: 0), passwordVersion: Int(number(at: 8)), expiresAt: expiresAt, body: body)
    }

    private static let tagPurpose = "sign-in tickets"

    /// The bytes that the tag is over. The body has a fixed length, so what follows it is the
    /// network.
    private static func signed(_ body: ArraySlice<UInt8>, from network: ClientNetwork?) -> [UInt8] {
        body + Array((network?.description ?? "").utf8)
    }
}

public import Foundation
import PasswordHashing

/// A session: one sign-in and all tokens that come of it, until it ends.
public struct Session: Sendable, Hashable, Identifiable {
    /// Id of the session, the `sid` of its tokens. It is not secret and opens nothing.
    public let id: ID
    /// Id of the session's user.
    public let userID: User.ID
    /// Time when the session began, from which its longest life is counted.
    public let createdAt: Date
    /// The user's authentication: the `amr`, `acr` and `auth_time` of its tokens.
    public let authentication: Authentication
    /// Id of the client that acts on the user's behalf; `nil` for the user alone.
    public let clientID: String?
    /// Permissions of the client (RFC 6749 section 3.3); `nil` for everything.
    public let scope: Set<String>?
    /// Time when a token was last given for the session. The use of an access token is not
    /// recorded.
    public internal(set) var lastUsedAt: Date
    /// Expiry of the session unless it is renewed before. None of its access tokens lives longer.
    public internal(set) var expiresAt: Date
    /// The origin of the sign-in, shown to the session's owner.
    public let origin: SessionOrigin
    /// Whether the session has a refresh token. A session of the original Flask server's route has
    /// none and ends with its access token.
    public let isRenewable: Bool
    /// Expiry of the last token that was ever given for the session: from then on no process need
    /// know that it was ended.
    public internal(set) var tokensExpireAt: Date

    /// Makes a session from a row. Without `authenticatedAt` the user was authenticated when the
    /// session began; empty `methods` mean that the methods are unknown; without `tokensExpireAt`
    /// its tokens expire when the session does.
    public init(
        id: ID, userID: User.ID, createdAt: Date, authenticatedAt: Date? = nil,
        methods: [Authentication.Method], clientID: String? = nil, scope: Set<String>? = nil, lastUsedAt: Date,
        expiresAt: Date, origin: SessionOrigin, isRenewable: Bool, tokensExpireAt: Date? = nil
    ) {
        self.id = id
        self.userID = userID
        self.createdAt = createdAt
        authentication = Authentication(methods, at: authenticatedAt ?? createdAt)
        self.clientID = clientID
        self.scope = scope
        self.lastUsedAt = lastUsedAt
        self.expiresAt = expiresAt
        self.origin = origin
        self.isRenewable = isRenewable
        self.tokensExpireAt = tokensExpireAt ?? expiresAt
    }
}

extension Session {
    /// The scope as one text (RFC 6749 section 3.3), as a row stores it; sorted.
    package var scopeText: String? { scope.map { $0.sorted().joined(separator: " ") } }

    /// Reads a text that ``scopeText`` made.
    package static func scope(_ text: String?) -> Set<String>? {
        text.map { Set($0.utf8.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }) }
    }
}

/// Origin of a sign-in, for its owner to recognise it. It can be forged, so nothing is decided by
/// it.
public struct SessionOrigin: Sendable, Hashable {
    /// The client's IP address.
    public let address: String?
    /// The `User-Agent` field: its first ``maximumLength`` bytes, without characters that control a
    /// terminal or change the writing direction.
    public let userAgent: String?

    /// Longest user agent that is stored, in bytes of UTF-8.
    public static let maximumLength = 256

    private static let invisible: Set<Unicode.GeneralCategory> = [
        .control, .format, .lineSeparator, .paragraphSeparator,
    ]

    public init(address: String? = nil, userAgent: String? = nil) {
        self.address = address
        self.userAgent = userAgent.map { text in
            var visible = String.UnicodeScalarView()
            var length = 0
            for scalar in text.unicodeScalars where !Self.invisible.contains(scalar.properties.generalCategory) {
                length += UTF8.width(scalar)
                if length > Self.maximumLength { break }
                visible.append(scalar)
            }
            return String(visible)
        }
    }
}

extension Session {
    /// A UUID of version 7 (RFC 9562 section 5.7). Ids sort in the order of creation, so that the
    /// rows of new sessions lie side by side in the index, and the least id is that of a user's
    /// oldest session.
    ///
    /// A session id made for another server's token has the time 1970, because the time when that
    /// session began is not known.
    public struct ID: Sendable, Hashable {
        private let uuid: UUID

        /// Makes a new id: the time in steps of a quarter of a microsecond, then 62 random bits.
        package init(at date: Date) {
            let milliseconds = max(0, date.timeIntervalSince1970) * 1000
            let time = UInt64(milliseconds)
            let fraction = UInt64((milliseconds - Double(time)) * 4096) & 0xFFF
            let high = time << 16 | 0x7000 | fraction
            self.init(high: high, low: Self.variant(Self.word(Random.bytes(8))))
        }

        /// Makes an id with the time 1970 and 74 bits of a digest.
        package init(digest: some Collection<UInt8>) {
            let (first, second) = (digest.prefix(8), digest.dropFirst(8).prefix(8))
            self.init(high: 0x7000 | Self.word(first) & 0xFFF, low: Self.variant(Self.word(second)))
        }

        private static func variant(_ bits: UInt64) -> UInt64 { bits & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000 }

        private init(high: UInt64, low: UInt64) {
            var bytes: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
            withUnsafeMutableBytes(of: &bytes) { buffer in
                buffer.storeBytes(of: high.bigEndian, as: UInt64.self)
                buffer.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            uuid = UUID(uuid: bytes)
        }

        /// Makes an id of its 16 bytes; `nil` for another number of them.
        package init?(bytes: UnsafeRawBufferPointer) {
            guard bytes.count == 16 else { return nil }
            uuid = UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
        }

        private static func word(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

        package var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid, Array.init) }
    }
}

extension Session.ID: LosslessStringConvertible {
    /// Parses 36 characters in lower case; any other spelling gives `nil`.
    public init?(_ text: String) {
        guard text.utf8.count == 36, let uuid = UUID(uuidString: text) else { return nil }
        self.uuid = uuid
        guard description == text else { return nil }
    }

    /// 32 hexadecimal digits in lower case in groups of 8, 4, 4, 4 and 12 (RFC 9562 section 4).
    public var description: String {
        withUnsafeBytes(of: uuid.uuid) { bytes in
            String(unsafeUninitializedCapacity: 36) { text in
                var count = 0
                for (index, byte) in bytes.enumerated() {
                    if index == 4 || index == 6 || index == 8 || index == 10 {
                        text[count] = UInt8(ascii: "-")
                        count += 1
                    }
                    for digit in [byte >> 4, byte & 0xF] {
                        text[count] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                        count += 1
                    }
                }
                return count
            }
        }
    }
}

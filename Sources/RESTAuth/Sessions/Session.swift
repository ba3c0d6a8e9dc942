public import Foundation
import PasswordHashing

/// One sign-in, from what was proven to its end: what all tokens that came of it belong to.
public struct Session: Sendable, Hashable, Identifiable {
    /// The `sid` of its tokens. Names the session and opens nothing.
    public let id: ID
    /// Whose it is.
    public let userID: User.ID
    /// When it began. How long it may live is counted from here.
    public let createdAt: Date
    /// What its user has proven, and when: the `amr`, `acr` and `auth_time` of its tokens.
    public let authentication: Authentication
    /// The client on whose behalf it is: an application that the user allowed to act; `nil` for the
    /// user alone.
    public let clientID: String?
    /// What the client may do (RFC 6749 section 3.3); `nil` for everything.
    public let scope: Set<String>?
    /// When a token was last given for it. A token's own use leaves no trace: nothing is written
    /// then.
    public internal(set) var lastUsedAt: Date
    /// When it ends unless it is renewed before. No access token of it lives longer.
    public internal(set) var expiresAt: Date
    /// Where the sign-in came from, for its owner to look at.
    public let origin: SessionOrigin
    /// Whether it has a refresh token. One that the original Flask server's route started has none
    /// and ends with its access token.
    public let isRenewable: Bool
    /// The end of the last of its tokens that was ever given: from then on nobody need know that it
    /// has been ended.
    public internal(set) var tokensExpireAt: Date

    /// A session as a row has it. Without `authenticatedAt` the user proved who they are when it
    /// began, with no `methods` nobody knows how, and without `tokensExpireAt` its tokens end when
    /// the session does.
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
    /// The scope in one text (RFC 6749 section 3.3), for a row.
    package var scopeText: String? { scope.map { $0.sorted().joined(separator: " ") } }

    /// Reads what ``scopeText`` wrote.
    package static func scope(_ text: String?) -> Set<String>? {
        text.map { Set($0.utf8.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }) }
    }
}

/// Where a sign-in came from, as far as anyone can tell: for its owner to recognise it, never to
/// decide anything by.
public struct SessionOrigin: Sendable, Hashable {
    /// The client's IP address.
    public let address: String?
    /// The `User-Agent` field: its first ``maximumLength`` bytes, without characters that could
    /// steer a terminal or turn the text around.
    public let userAgent: String?

    /// In bytes of UTF-8.
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
    /// A UUID of version 7 (RFC 9562 section 5.7): in the order of creation, so that a session's
    /// row lies beside its like in the index and a user's oldest session is the one with the least
    /// id.
    ///
    /// That of a token of another server's says 1970: when its session began there nobody knows.
    public struct ID: Sendable, Hashable {
        private let uuid: UUID

        /// A new one: the time to a quarter of a microsecond, then 62 random bits.
        package init(at date: Date) {
            let milliseconds = max(0, date.timeIntervalSince1970) * 1000
            let time = UInt64(milliseconds)
            let fraction = UInt64((milliseconds - Double(time)) * 4096) & 0xFFF
            let high = time << 16 | 0x7000 | fraction
            self.init(high: high, low: Self.variant(Self.word(Random.bytes(8))))
        }

        /// The one of 1970 that has 74 bits of a digest.
        package init(digest: some Collection<UInt8>) {
            let words = Self.words(digest)
            self.init(high: 0x7000 | words.high & 0xFFF, low: Self.variant(words.low))
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

        /// The 16 bytes of one.
        package init(bytes: some Collection<UInt8>) {
            let words = Self.words(bytes)
            self.init(high: words.high, low: words.low)
        }

        private static func words(_ bytes: some Collection<UInt8>) -> (high: UInt64, low: UInt64) {
            (word(bytes.prefix(8)), word(bytes.dropFirst(8).prefix(8)))
        }

        private static func word(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

        package var bytes: [UInt8] { withUnsafeBytes(of: uuid.uuid, Array.init) }
    }
}

extension Session.ID: LosslessStringConvertible {
    /// 36 characters in lower case, and no other spelling.
    public init?(_ text: String) {
        guard text.utf8.count == 36, let uuid = UUID(uuidString: text) else { return nil }
        self.uuid = uuid
        guard description == text else { return nil }
    }

    public var description: String { uuid.uuidString.lowercased() }
}

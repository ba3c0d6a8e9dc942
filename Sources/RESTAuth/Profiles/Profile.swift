public import Foundation

/// The profile of a user: what the user, or an operator, says about the user beyond the name to
/// sign in with. Members are named as in OpenID Connect Core 1.0 section 5.1.
public struct Profile: Sendable, Hashable {
    /// Full name, for display.
    public var name: String?
    /// Mail address, as it was given.
    public var email: String?
    /// Time when the address was found to be the user's; `nil` for an address that may be anyone's.
    public var emailVerifiedAt: Date?
    /// Language as a BCP 47 tag, such as `de-AT`.
    public var locale: String?
    /// Time zone by its name in the IANA database, such as `Europe/Vienna`.
    public var zoneinfo: String?
    /// URL of a picture.
    public var picture: String?
    /// The user's own data: a JSON object as compact text.
    public var metadata: String
    /// The operator's data about the user, which the user may read: a JSON object as compact text.
    public var appMetadata: String

    /// Longest ``metadata`` and ``appMetadata``, in bytes of compact JSON.
    public static let maximumMetadataBytes = 4096

    public init(
        name: String? = nil, email: String? = nil, emailVerifiedAt: Date? = nil, locale: String? = nil,
        zoneinfo: String? = nil, picture: String? = nil, metadata: String = "{}", appMetadata: String = "{}"
    ) {
        self.name = name
        self.email = email
        self.emailVerifiedAt = emailVerifiedAt
        self.locale = locale
        self.zoneinfo = zoneinfo
        self.picture = picture
        self.metadata = metadata
        self.appMetadata = appMetadata
    }

    /// Whether the address was found to be the user's.
    public var isEmailVerified: Bool { email != nil && emailVerifiedAt != nil }

    /// The form by which addresses are compared (``EmailAddress/key``); `nil` without an address.
    public var emailKey: String? { email.flatMap { try? EmailAddress($0).key } }

    /// The key of an address that no other user may have verified as well.
    package var verifiedEmailKey: String? { isEmailVerified ? emailKey : nil }

    /// Whether nothing is said about the user.
    package var isEmpty: Bool { changedFields(from: Profile()).isEmpty }

    /// The fields whose values differ byte by byte, in the order in which they are shown.
    package func changedFields(from other: Profile) -> [String] {
        func differs(_ one: String?, _ other: String?) -> Bool {
            one.map { WireText($0) } != other.map { WireText($0) }
        }
        let fields: [(ProfileField, Bool)] = [
            (.name, differs(name, other.name)), (.email, differs(email, other.email)),
            (.emailVerified, emailVerifiedAt != other.emailVerifiedAt), (.locale, differs(locale, other.locale)),
            (.zoneinfo, differs(zoneinfo, other.zoneinfo)), (.picture, differs(picture, other.picture)),
            (.metadata, differs(metadata, other.metadata)), (.appMetadata, differs(appMetadata, other.appMetadata)),
        ]
        return fields.filter(\.1).map(\.0.rawValue)
    }
}

extension Profile {
    /// The profile as members of a JSON object; what is not known is `null`.
    package var members: [(String, JSON)] {
        func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
        return [
            ("name", text(name)), ("email", text(email)), ("email_verified", .bool(isEmailVerified)),
            ("locale", text(locale)), ("zoneinfo", text(zoneinfo)), ("picture", text(picture)),
            ("metadata", Self.object(metadata)), ("app_metadata", Self.object(appMetadata)),
        ]
    }

    /// The object of a stored text.
    static func object(_ text: String) -> JSON { JSON(text.utf8) ?? [:] }
}

/// The profile of a user as it is stored.
public struct StoredProfile: Sendable, Hashable {
    public let user: User
    public let profile: Profile
    /// A number that every change replaces; 0 for a user whose profile was never changed.
    public let version: Int64

    public init(user: User, profile: Profile, version: Int64) {
        self.user = user
        self.profile = profile
        self.version = version
    }
}

extension StoredProfile {
    /// A number that no version had before: found by chance, so that nobody has to count.
    package static func newVersion() -> Int64 { Int64.random(in: 1...(1 << 62)) }
}

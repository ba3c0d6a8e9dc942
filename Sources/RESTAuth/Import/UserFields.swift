import Foundation

/// The fields of a user in a list, under the names of this server's own export.
struct UserFields {
    enum Name: String, CaseIterable {
        case username
        case passwordHash = "password_hash"
        case id
        case legacyID = "legacy_id"
        case createdAt = "created_at"
        case disabledAt = "disabled_at"
        case disabled
        case roles
        case name, email
        case emailVerified = "email_verified"
        case emailVerifiedAt = "email_verified_at"
        case locale, zoneinfo, picture, metadata
        case appMetadata = "app_metadata"
    }

    let place: ImportPlace
    var username: String?
    /// The hash; `nil` for a user without one.
    var passwordHash: String?
    var id: Int64?
    var legacyID: Int64?
    var createdAt: Date?
    var disabledAt: Date?
    var isDisabled: Bool?
    var roles: Set<String> = []
    var emailVerifiedAt: Date?
    /// The members of the profile, which are checked together.
    private var profile: [JSON.Member] = []

    init(place: ImportPlace) { self.place = place }

    mutating func set(_ member: JSON.Member) throws(UnreadableUser) {
        guard let field = Name(rawValue: member.name) else { throw .unknown(member.name) }
        switch (field, member.value) {
        case (_, .null): return
        case (.username, .string(let text)): username = text
        case (.passwordHash, .string(let text)): passwordHash = text
        case (.username, _), (.passwordHash, _): throw .wrong(field)
        case (.id, let value): id = try ForeignValue.id(value, field)
        case (.legacyID, let value): legacyID = try ForeignValue.id(value, field)
        case (.createdAt, let value): createdAt = try ForeignValue.time(value, field)
        case (.disabledAt, let value): disabledAt = try ForeignValue.time(value, field)
        case (.disabled, let value): isDisabled = try ForeignValue.isTrue(value, field)
        case (.roles, .array(let elements)):
            let roles = elements.compactMap(\.string)
            guard roles.count == elements.count else { throw .wrong(field) }
            self.roles = Set(roles)
        case (.roles, _): throw .wrong(field)
        case (.emailVerifiedAt, let value): emailVerifiedAt = try ForeignValue.time(value, field)
        case (.name, _), (.email, _), (.emailVerified, _), (.locale, _), (.zoneinfo, _), (.picture, _), (.metadata, _),
            (.appMetadata, _):
            profile.append(member)
        }
    }

    func user() throws(UnreadableUser) -> ForeignUser {
        guard let username else { throw UnreadableUser(reason: "there is no username") }
        guard disabledAt == nil || isDisabled != false else {
            throw UnreadableUser(reason: "disabled and disabled_at contradict each other")
        }
        return ForeignUser(
            place: place, id: id, legacyID: legacyID, username: username, passwordHash: passwordHash ?? "",
            createdAt: createdAt,
            isDisabled: isDisabled ?? false, disabledAt: disabledAt, roles: roles,
            profile: try checkedProfile())
    }

    /// The profile, by the rules for one that an operator changes.
    private func checkedProfile() throws(UnreadableUser) -> Profile {
        let isVerified = profile.first { $0.name == Name.emailVerified.rawValue }?.value
        guard emailVerifiedAt == nil || isVerified != false else {
            throw UnreadableUser(reason: "email_verified and email_verified_at contradict each other")
        }
        let verified: [JSON.Member] =
            emailVerifiedAt == nil || isVerified != nil
            ? [] : [JSON.Member(name: Name.emailVerified.rawValue, value: true)]
        guard !(profile + verified).isEmpty else { return Profile() }
        do {
            var checked = try ProfilePatch(.object(profile + verified), byOperator: true)
                .applied(to: Profile(), at: Date())
            if checked.isEmailVerified { checked.emailVerifiedAt = emailVerifiedAt ?? checked.emailVerifiedAt }
            return checked
        } catch {
            throw UnreadableUser(reason: error.detail)
        }
    }
}

extension UserFields: Redacted {}

/// The reason why an entry is not a valid user.
struct UnreadableUser: Error {
    let reason: String

    /// An unknown name is refused, because it could be a misspelt one, such as `disabled`.
    static func unknown(_ name: String) -> UnreadableUser {
        UnreadableUser(
            reason:
                "\(QuotedText(name)) is none of \(UserFields.Name.allCases.map(\.rawValue).joined(separator: ", "))"
        )
    }

    static func wrong(_ field: UserFields.Name) -> UnreadableUser {
        let rule =
            switch field {
            case .username, .passwordHash, .name, .email, .locale, .zoneinfo, .picture: "no text"
            case .id:
                "no whole number from 1 to \(UserImport.ids.upperBound); leave it out, and the user gets a new one"
            case .legacyID: "no whole number from 1 to \(UserImport.ids.upperBound)"
            case .createdAt, .disabledAt, .emailVerifiedAt: "no time such as 2026-01-02T03:04:05Z"
            case .disabled, .emailVerified: "neither true nor false"
            case .roles: "no list of texts"
            case .metadata, .appMetadata: "no object"
            }
        return UnreadableUser(reason: "\(field.rawValue) is \(rule)")
    }
}

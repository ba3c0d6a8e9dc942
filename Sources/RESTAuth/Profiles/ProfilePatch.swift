package import Foundation

/// The members of a merge patch of a profile.
package enum ProfileField: String, CaseIterable, Sendable {
    case name, email
    case emailVerified = "email_verified"
    case locale, zoneinfo, picture, metadata
    case appMetadata = "app_metadata"
    /// No member of the profile, but an order that comes with a change.
    case revokeSessions = "revoke_sessions"

    /// Whether users change it themselves.
    var isOwn: Bool {
        switch self {
        case .name, .email, .locale, .zoneinfo, .picture, .metadata: true
        case .emailVerified, .appMetadata, .revokeSessions: false
        }
    }
}

/// A merge patch of a profile (RFC 7396), of which every member is understood and may be changed by
/// whoever sends it. A patch with any other member is refused as a whole, so that none is half
/// applied.
package struct ProfilePatch: Sendable {
    private let members: [(field: ProfileField, value: JSON)]
    /// Whether all sessions of the user are to end with the change.
    package let revokesSessions: Bool

    /// - Parameter isOperator: whether an operator sends it, and not the user.
    /// - Throws: `validation_failed`.
    package init(_ patch: JSON, byOperator isOperator: Bool) throws(AuthError) {
        guard case .object(let changes) = patch else {
            throw AuthError(.validationFailed, "a merge patch of a profile is an object")
        }
        var members: [(field: ProfileField, value: JSON)] = []
        for change in changes {
            let field = ProfileField.allCases.first { $0.rawValue.utf8.elementsEqual(change.name.utf8) }
            guard let field, isOperator || field.isOwn else {
                throw Self.refused(change.name, isKnown: field != nil, byOperator: isOperator)
            }
            members.append((field, change.value))
        }
        switch members.first(where: { $0.field == .revokeSessions })?.value {
        case nil, .null, .bool(false): revokesSessions = false
        case .bool(true): revokesSessions = true
        default: throw ProfileText.refused(.revokeSessions, "must be true or false")
        }
        self.members = members
    }

    /// Fields of an account that no merge patch changes, each with the request by which an operator
    /// changes it; `nil` for one that never changes.
    private static let fixed: [(name: String, request: String?)] = [
        ("id", nil), ("created_at", nil), ("username", "PUT /api/operator/users/ID/username"),
        ("roles", "PUT or DELETE /api/operator/users/ID/roles/ROLE"),
        ("disabled_at", "POST /api/operator/users/ID/disable or enable"),
    ]

    private static func refused(_ name: String, isKnown: Bool, byOperator isOperator: Bool) -> AuthError {
        if let fixed = fixed.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
            let rule =
                if let request = fixed.request {
                    if isOperator {
                        "to change \(name), use \(request)"
                    } else if WireText(name).equals("username") {
                        "to change username, use PUT /api/me/username"
                    } else {
                        "only an operator may change \(name)"
                    }
                } else {
                    "\(name) never changes"
                }
            return AuthError(.validationFailed, rule, field: name)
        }
        if isKnown { return AuthError(.validationFailed, "only an operator may set \(name)", field: name) }
        let fields = ProfileField.allCases.filter { isOperator || $0.isOwn }.map(\.rawValue).joined(separator: ", ")
        return AuthError(
            .validationFailed, "\(QuotedText(name)) is not a field of a profile; these are: \(fields)")
    }

    /// The profile with the changes of the patch.
    ///
    /// Another address is not verified, unless the same patch says so. One that differs in the case
    /// of its domain alone is no other.
    /// - Throws: `validation_failed`.
    package func applied(to profile: Profile, at now: Date) throws(AuthError) -> Profile {
        var new = profile
        for (field, value) in members {
            switch field {
            case .name: new.name = try Self.text(value, field, ProfileText.name)
            case .email:
                new.email = try Self.text(value, field) { text throws(AuthError) in try EmailAddress(text).text }
                if new.emailKey.map({ WireText($0) }) != profile.emailKey.map({ WireText($0) }) {
                    new.emailVerifiedAt = nil
                }
            case .locale: new.locale = try Self.text(value, field, ProfileText.locale)
            case .zoneinfo: new.zoneinfo = try Self.text(value, field, ProfileText.zoneinfo)
            case .picture: new.picture = try Self.text(value, field, ProfileText.picture)
            case .metadata: new.metadata = try Self.object(value, field, profile.metadata)
            case .appMetadata: new.appMetadata = try Self.object(value, field, profile.appMetadata)
            case .emailVerified, .revokeSessions: continue
            }
        }
        // Last, because the order of members means nothing.
        switch members.first(where: { $0.field == .emailVerified })?.value {
        case nil: break
        case .null, .bool(false): new.emailVerifiedAt = nil
        case .bool(true):
            guard new.email != nil else {
                throw AuthError(
                    .validationFailed, "there is no address to verify: give email with it",
                    field: ProfileField.emailVerified.rawValue)
            }
            // As exact as every backend stores it.
            new.emailVerifiedAt =
                new.emailVerifiedAt ?? Date(timeIntervalSince1970: now.timeIntervalSince1970.rounded(.down))
        default: throw ProfileText.refused(.emailVerified, "must be true or false")
        }
        return new
    }

    private static func text(
        _ value: JSON, _ field: ProfileField, _ check: (String) throws(AuthError) -> String
    ) throws(AuthError) -> String? {
        switch value {
        case .null: return nil
        case .string(let text): return try check(text)
        default: throw ProfileText.refused(field, "must be a string, or null for none")
        }
    }

    private static func object(
        _ value: JSON, _ field: ProfileField, _ present: String
    ) throws(AuthError) -> String {
        let new: JSON
        switch value {
        case .null: new = [:]
        case .object: new = Profile.object(present).merging(value)
        default: throw ProfileText.refused(field, "must be an object, or null for an empty one")
        }
        let bytes = new.bytes
        guard bytes.count <= Profile.maximumMetadataBytes, JSON(bytes) != nil else {
            throw ProfileText.refused(
                field, "must have at most \(Profile.maximumMetadataBytes) bytes as compact JSON")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

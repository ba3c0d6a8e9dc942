package import Foundation

/// The description of a token for programs at `/oauth/introspect` (RFC 7662), which the server
/// writes and a verifier elsewhere reads.
extension VerifiedProgramToken {
    /// The description of a live token.
    package func introspection(issuer: String) -> JSON {
        let holder: [(String, JSON)]
        switch identity {
        case .user(let user):
            holder = [
                ("token_use", "personal_token"), ("sub", .string(String(user.userID))),
                ("username", .string(user.username)), ("roles", .array(user.roles.sorted().map(JSON.string))),
            ]
        case .service(let service):
            holder = [
                ("token_use", "service_token"), ("sub", .string(service.subject)),
                ("username", .string(service.subject)), ("roles", []),
            ]
        case .client, .operator: return ["active": false]
        }
        let members: [(String, JSON)] =
            [("active", true), ("token_type", "Bearer"), ("iss", .string(issuer))] + holder + [
                ("scope", .string((identity.scope ?? []).sorted().joined(separator: " "))),
                ("jti", .string(identity.programTokenID?.description ?? "")),
            ] + (expiresAt.map { [("exp", .integer(Int($0.timeIntervalSince1970)))] } ?? [])
        return .object(members.map(JSON.Member.init))
    }

    package init(of identity: Identity, until expiresAt: Date?, checkedAt: Date) {
        self.init(identity: identity, expiresAt: expiresAt, checkedAt: checkedAt)
    }

    /// Reads what ``introspection(issuer:)`` wrote; `nil` for anything else.
    package init?(introspection json: JSON, issuer: String, at now: Date) {
        guard json["active"] == true, json["iss"] == .string(issuer), let subject = json["sub"]?.string,
            let username = json["username"]?.string, let words = json["scope"]?.string.flatMap(Session.scope),
            let id = json["jti"]?.string.flatMap(ProgramToken.ID.init), case .array(let given)? = json["roles"]
        else { return nil }
        let roles = given.compactMap(\.string)
        let expiresAt: Date?
        switch json["exp"] {
        case nil: expiresAt = nil
        case .integer(let seconds)?: expiresAt = Date(timeIntervalSince1970: TimeInterval(seconds))
        default: return nil
        }
        guard roles.count == given.count else { return nil }
        let identity: Identity
        switch json["token_use"]?.string {
        case "personal_token":
            guard let user = User.ID(subject), String(user) == subject else { return nil }
            identity = .user(
                UserIdentity(
                    userID: user, username: username, roles: Set(roles),
                    authentication: Authentication([], at: Date(timeIntervalSince1970: 0)),
                    presented: .personalToken(id), scope: words))
        case "service_token":
            guard let service = WireText(subject).after("service:"), !service.isEmpty else { return nil }
            identity = .service(ServiceIdentity(id: service.string, scope: words, tokenID: id))
        default: return nil
        }
        self.init(identity: identity, expiresAt: expiresAt, checkedAt: now)
    }
}

extension Identity {
    /// The id of the token for programs with which it came; `nil` for anything else.
    package var programTokenID: ProgramToken.ID? {
        switch self {
        case .user(let user): if case .personalToken(let id) = user.presented { id } else { nil }
        case .service(let service): service.tokenID
        case .client, .operator: nil
        }
    }

    /// The holder of tokens for programs; `nil` for one that cannot have any.
    var holder: ProgramToken.Holder? {
        switch self {
        case .user(let user): .user(user.userID)
        case .service(let service): .service(service.id)
        case .client, .operator: nil
        }
    }
}

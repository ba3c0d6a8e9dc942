import Foundation
import HTTPTypes
import Hummingbird
package import RESTAuth

extension LoginRoom: RoutedRoom {
    static func routes(of auth: Auth, _ configuration: AuthRoutesConfiguration) -> [RouteGroup] {
        [
            RouteGroup(.resource, ResourceRoutes(auth: auth).routes),
            RouteGroup(.verify, VerifyRoutes(auth: auth).routes),
        ]
    }
}

/// `/api/verify` and all paths below it, by any method: identifies the maker of a request that a
/// reverse proxy is about to pass on (nginx `auth_request`, forward auth of Caddy and Traefik,
/// `ext_authz` of Envoy, which keeps method and path). Answers 200 with the identity in the header,
/// or the 401 or 403 that the proxy gives its client.
///
/// Some proxies let through every request that is answered with 2xx, so nobody else gets such an
/// answer, not even to `OPTIONS`.
struct VerifyRoutes: Sendable {
    let auth: Auth

    var routes: [Route] {
        HTTPRequest.Method.registered.filter { $0 != .head }.flatMap { method in
            [route(method, isBelow: false), route(method, isBelow: true)]
        }
    }

    private func route(_ method: HTTPRequest.Method, isBelow: Bool) -> Route {
        let access = Access.program(auth) { head in
            try Self.requirements(of: WireText(head.path ?? ""), isBelow: isBelow)
        }
        let name = Self.operationIDs[method] ?? "verify\(method.rawValue)"
        return Route(
            method, isBelow ? "/api/verify/**" : "/api/verify", access, isBelow ? "\(name)Below" : name,
            atOnce: { ImmediateAnswer(fields: Self.fields(for: $0)) })
    }

    /// The operation ids, for the methods that OpenAPI can describe.
    private static let operationIDs: [HTTPRequest.Method: String] = [
        .get: "verify", .post: "verifyPost", .put: "verifyPut", .patch: "verifyPatch", .delete: "verifyDelete",
        .options: "verifyOptions", .trace: "verifyTrace",
    ]

    /// Header fields with the identity. `Remote-User` is the name as typed at registration, in
    /// UTF-8; `Remote-Groups` are the roles, separated by commas. A service account is named in a
    /// form that no user's name and no user's id can have.
    private static func fields(for identity: Identity) -> HTTPFields {
        guard let user = identity.user else {
            let subject = identity.service?.subject ?? ""
            return [.remoteUser: subject, .remoteUserID: subject, .remoteGroups: ""]
        }
        return [
            .remoteUser: user.username, .remoteUserID: String(user.userID),
            .remoteGroups: user.roles.sorted().joined(separator: ","),
        ]
    }

    /// The requirements in the query of a path: for each parameter `role`, one of the roles in its
    /// comma-separated value; for each parameter `scope`, all words of its blank-separated value.
    /// Tokens for programs are admitted by a scope, and without one refused.
    ///
    /// At `/api/verify` itself the query is the operator's, and any other parameter is refused: a
    /// requirement that is not read would admit every signed-in user. Below, path and query belong
    /// to another application, about whose client a proxy asks; one more `role` there asks more of
    /// that client, never less. A `scope` is not read there: it would admit programs.
    /// - Parameter target: the path as it came, with its query. A path that ends with a slash is
    ///   below.
    /// - Throws: `validation_failed` for a value that cannot be a role or a scope, for another
    ///   parameter in the operator's query, and for a fragment, which no request has (RFC 9112
    ///   section 3.2).
    private static func requirements(of target: WireText, isBelow: Bool) throws(AuthError) -> [Requirement] {
        guard !target.bytes.contains(UInt8(ascii: "#")) else { throw fragment }
        let isOwn = !isBelow && !target.before("?").ends(with: "/")
        var requirements: [Requirement] = []
        for parameter in target.from("?").after("?")?.parts(at: "&") ?? [] {
            let name = FormBody.decode(Array(parameter.before("=").bytes)[...]).map { WireText($0) }
            let isScope = name?.equals("scope") == true
            guard isScope && isOwn || name?.equals("role") == true else {
                if isOwn { throw unread }
                continue
            }
            let value = FormBody.decode(Array(parameter.from("=").bytes.dropFirst())[...])
            if isScope {
                requirements += try scopes(in: value ?? "")
                continue
            }
            let names = value?.utf8
            let roles = names?.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) ?? []
            guard !roles.isEmpty else { throw AuthError(.validationFailed, "role cannot be read", field: "role") }
            for role in roles { try Role.check(String(Substring(role))) }
            requirements.append(.anyRole(of: Set(roles.map { String(Substring($0)) })))
        }
        return requirements
    }

    private static func scopes(in value: String) throws(AuthError) -> [Requirement] {
        let words = value.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
        try Scope.check(words, field: "scope")
        return words.map { .scope($0) }
    }

    private static let unread = AuthError(
        .validationFailed,
        """
        unknown parameter; this path takes only role and scope, as in /api/verify?role=editor; a proxy that appends \
        the query of its client has to leave that out (in Caddy by a question mark: /api/verify?)
        """, field: "role")
    private static let fragment = AuthError(.validationFailed, "a request has no fragment: write # as %23")
}

extension WireText {
    /// Whether a request with this path and query is for ``VerifyRoutes``.
    package var isVerifyPath: Bool {
        guard let rest = after("/api/verify") else { return false }
        return rest.isEmpty || rest.begins(with: "/") || rest.begins(with: "?") || rest.begins(with: "#")
    }
}

extension HTTPField.Name {
    static let remoteUser = Self("Remote-User")!
    static let remoteUserID = Self("Remote-User-Id")!
    static let remoteGroups = Self("Remote-Groups")!
}

import Foundation
import HTTPTypes
import Hummingbird
package import RESTAuth

/// `/api/verify` and whatever stands below it, by any method: who makes the request that a reverse
/// proxy is about to pass on (nginx `auth_request`, forward auth of Caddy and Traefik, `ext_authz`
/// of Envoy, which keeps method and path). 200 with the identity in the header, or the 401 or 403
/// that the proxy gives its client.
///
/// Some proxies let through whatever is answered with 2xx, so that is answered to nobody else: not
/// to `OPTIONS` either.
struct VerifyRoutes: Sendable {
    let login: Login
    let now: @Sendable () -> Date

    func add(to routes: some RouterMethods<some RequestContext>) {
        add(to: routes, at: "verify")
        add(to: routes, at: "verify/**")
    }

    private func add<Context: RequestContext>(to routes: some RouterMethods<Context>, at path: RouterPath) {
        let ask: @Sendable (Request, Context) async throws -> Response = { request, context in
            try await show(request, context)
        }
        routes.resource(path, Dictionary(uniqueKeysWithValues: HTTPRequest.Method.registered.map { ($0, ask) }))
    }

    private func show(_ request: Request, _ context: some RequestContext) async throws -> Response {
        let requirements = try Self.requirements(of: WireText(request.head.path ?? ""))
        let identity = try await login.identity(of: request, in: context)
        for requirement in requirements { try requirement.check(identity, at: now()) }
        var response = Response.empty(.ok)
        response.headers.append(contentsOf: Self.fields(for: identity))
        return response
    }

    /// `Remote-User` is the name as typed at registration, in UTF-8; `Remote-Groups` are the roles,
    /// with commas between.
    static func fields(for identity: Identity) -> HTTPFields {
        [
            .remoteUser: identity.username, .remoteUserID: String(identity.userID),
            .remoteGroups: identity.roles.sorted().joined(separator: ","),
        ]
    }

    /// What the query of a path asks for: of each `role`, one of the roles between its commas.
    ///
    /// A proxy that keeps the query of its client appends that, and a client who writes one more
    /// `role` asks more of itself, never less.
    /// - Throws: `validation_failed` for what can be no role, and for a name that was meant to be
    ///   `role`: one that nobody reads would let everybody in who is signed in.
    static func requirements(of target: WireText) throws(AuthError) -> [Requirement] {
        var requirements: [Requirement] = []
        let isOwnQuery = target.before("?").trimmingEnd("/").ends(with: "/verify")
        for parameter in target.from("?").before("#").after("?")?.parts(at: "&") ?? [] {
            guard let name = FormBody.decode(Array(parameter.before("=").bytes)[...]).map({ WireText($0) }) else {
                continue
            }
            guard name.equals("role") else {
                if isOwnQuery, Self.misspellings.contains(where: { name.isWord($0) }) { throw unread }
                continue
            }
            let names = FormBody.decode(Array(parameter.from("=").bytes.dropFirst())[...])?.utf8
            let roles = names?.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) ?? []
            guard !roles.isEmpty else { throw AuthError(.validationFailed, "role cannot be read", field: "role") }
            for role in roles { try Role.check(String(Substring(role))) }
            requirements.append(.anyRole(of: Set(roles.map { String(Substring($0)) })))
        }
        return requirements
    }

    private static let misspellings: [StaticString] = ["role", "roles", "allowed_roles", "allowed_groups"]
    private static let unread = AuthError(
        .validationFailed, "a role is asked for by the name role, as in /api/verify?role=editor", field: "role")
}

extension WireText {
    /// Whether a request with this path and query is one of ``VerifyRoutes``.
    package var isVerifyPath: Bool {
        guard let rest = after("/api/verify") else { return false }
        return rest.isEmpty || rest.begins(with: "/") || rest.begins(with: "?")
    }
}

extension HTTPField.Name {
    static let remoteUser = Self("Remote-User")!
    static let remoteUserID = Self("Remote-User-Id")!
    static let remoteGroups = Self("Remote-Groups")!
}

import Foundation
package import HTTPTypes
package import RESTAuth

/// What can be answered on the spot: that the process lives, and a remembered token, need neither
/// the database nor another thread.
///
/// A server may ask this before its router. `nil` says nothing about the request, only that the
/// router has to answer it.
package struct ImmediateRoutes: Sendable {
    private let accessTokens: AccessTokens
    private let now: @Sendable () -> Date

    package init(auth: Auth) {
        accessTokens = auth.accessTokens
        now = auth.configuration.now
    }

    /// A 200 that nobody may keep, without the fields that all answers have.
    package struct Answer: Sendable {
        /// The route's pattern.
        package let route: String
        package let fields: HTTPFields
        package let body: [UInt8]

        fileprivate init(route: String, fields: HTTPFields, body: [UInt8] = []) {
            self.route = route
            var fields = fields
            fields[.cacheControl] = "no-store"
            self.fields = fields
            self.body = body
        }
    }

    /// `nil` for a role that is missing as well.
    private func verified(_ identity: UserIdentity, _ path: WireText) -> Answer? {
        let isBelow = !path.before("?").equals("/api/verify")
        guard let requirements = try? VerifyRoutes.requirements(of: path, isBelow: isBelow),
            requirements.allSatisfy({ (try? $0.check(identity, at: now())) != nil })
        else { return nil }
        return Answer(
            route: isBelow ? "/api/verify/**" : "/api/verify", fields: VerifyRoutes.fields(for: identity))
    }

    package func answer(to request: HTTPRequest) -> Answer? {
        // Who may ask, and read the answer, is for the router's middleware to say.
        guard request.method == .get, !request.headerFields.contains(.origin),
            !request.headerFields.contains(.secFetchSite), let path = request.path.map({ WireText($0) })
        else { return nil }
        if path.equals("/health/live") {
            return Answer(
                route: "/health/live", fields: [.contentType: "application/json"], body: HealthRoutes.alive.bytes)
        }
        guard path.equals("/api/resource") || path.isVerifyPath,
            case .token(let token)? = try? AuthorizationHeader.credentials(in: request.headerFields),
            let identity = accessTokens.remembered(token)
        else { return nil }
        if path.isVerifyPath { return verified(identity, path) }
        return Answer(
            route: "/api/resource", fields: [.contentType: "application/json"],
            body: ResourceRoutes.greeting(for: identity).bytes)
    }
}

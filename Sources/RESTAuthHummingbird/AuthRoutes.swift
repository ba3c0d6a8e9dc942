/// Names of the routes that ``RESTAuth/Auth/addRoutes(to:configuration:leavingOut:)`` adds, for
/// applications that have no use for some of them, or have routes of the same path.
public struct AuthRoutes: OptionSet, Sendable {
    /// One bit for each name.
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// `POST /api/users` and `GET /api/challenge`.
    public static let registration = AuthRoutes(rawValue: 1)
    /// `GET /api/users`, `GET /api/users/{id}` and `GET /api/user/{id}`.
    public static let users = AuthRoutes(rawValue: 1 << 1)
    /// `GET /api/token`.
    public static let token = AuthRoutes(rawValue: 1 << 2)
    /// `/api/tokens` and below, and `/api/passkeys/options`: to sign in, renew, raise and sign out.
    public static let sessions = AuthRoutes(rawValue: 1 << 3)
    /// `/api/me` and what is below it.
    public static let account = AuthRoutes(rawValue: 1 << 4)
    /// `GET /api/resource`, the original Flask server's example.
    public static let resource = AuthRoutes(rawValue: 1 << 5)
    /// `/api/verify`, for proxies.
    public static let verify = AuthRoutes(rawValue: 1 << 6)
    /// `GET /api/revocations`, for services that verify tokens by themselves.
    public static let revocations = AuthRoutes(rawValue: 1 << 7)
    /// `/oauth`, for services that ask about each token.
    public static let oauth = AuthRoutes(rawValue: 1 << 8)
    /// `/.well-known`: the keys, the metadata, and the sites that may use passkeys. Without it no
    /// other service can verify tokens.
    public static let wellKnown = AuthRoutes(rawValue: 1 << 9)
    /// `/api/operator` and below, and `PUT /api/tokens/reset`, where links of operators are used.
    public static let `operator` = AuthRoutes(rawValue: 1 << 10)
}

import RESTAuth
import RESTAuthHummingbird

struct TokenSettings: SettingGroup {
    static let title = "Tokens"

    let audience = Setting(
        "token_audience", \.auth.tokenAudience, .audience, standard: "public_url, or rest-auth without one",
        "Services that tokens are made out to, aud, with commas between.",
        details: """
            At most 512 characters together. For those services to check: this server takes whatever it signed, so a \
            change refuses no live token.
            """)
    let type = Setting(
        "token_type", \.auth.tokenType, .choice, "What a token's header calls it, typ.",
        details: "`at+jwt` is RFC 9068's word; `JWT` is for services that insist on it. A change refuses no live token."
    )
    let duration = Setting(
        "token_duration", \.auth.tokenDuration, .duration(in: AuthConfiguration.tokenDurations),
        "Life of a token.")
    let renewal = Setting(
        "token_renewal", \.tokenRenewal, .choice, "Whether a token gives a fresh token.",
        details: "With `until`, for as long after the password as `token_renewal_limit` says.")
    let renewalLimit = Setting(
        "token_renewal_limit", \.tokenRenewalLimit, .duration(in: 1...(366 * 86400)),
        "With --token-renewal until: how long after the password.")
    let cache = Setting(
        "token_cache", \.auth.verifiedTokenCapacity, .count(in: AuthConfiguration.verifiedTokenCapacities),
        "How many verified tokens are remembered.", details: "`0` checks each one every time.")
    let revocationBound = Setting(
        "revocation_bound", \.auth.revocationBound, .duration(in: AuthConfiguration.revocationBounds),
        "How long another node may take to learn that a token is refused.")
}

struct SigningKeySettings: SettingGroup {
    static let title = "Signing keys"

    let algorithm = Setting(
        "signing_algorithm", \.auth.signingAlgorithm, .choice, standard: "as the newest key; ES256 for the first",
        "How new keys sign tokens.", details: "Another than the newest key's takes effect after an hour.")
    let rotation = Setting(
        "key_rotation", \.auth.keyRotationInterval,
        .duration(in: AuthConfiguration.keyRotationIntervals),
        "How long a key signs before the next one does.")
}

struct SessionSettings: SettingGroup {
    static let title = "Sessions"

    let inactivityTimeout = Setting(
        "session_inactivity_timeout", \.auth.sessionInactivityTimeout,
        .duration(in: AuthConfiguration.sessionDurations), "How long a session lives without being renewed.")
    let timebox = Setting(
        "session_timebox", \.auth.sessionTimebox, .duration(in: AuthConfiguration.sessionDurations),
        "How long a session with a refresh token lives at most.")
    let limit = Setting(
        "session_limit", \.auth.sessionLimit, .count(in: AuthConfiguration.sessionLimits),
        "How many sessions a user may have; the oldest go.",
        details: "Each `GET /api/token` with a password starts one.")
    let refreshTokenInCookie = Setting(
        "refresh_token_in_cookie", \.routes.refreshTokenInCookie, .flag, platformName: "REFRESH_TOKEN_IN_COOKIE",
        "Give and take the refresh token as a cookie, for browsers.",
        details: "Pages of `cors_origins` on the same site may use the cookie.")
    let refreshTokenInBody = Setting(
        "refresh_token_in_body", \.routes.refreshTokenInBody, .flag, platformName: "REFRESH_TOKEN_IN_BODY",
        "Give the refresh token in the answer's body.", details: "In the body, in a cookie, or in both.")
    let refreshTokenCookieSecure = Setting(
        "refresh_token_cookie_secure", \.routes.refreshTokenCookieSecure, .flag,
        "Send the cookie over HTTPS only; no is for development on http://localhost.",
        details: """
            With `no`, who comes by `http://localhost` is given a cookie that Safari keeps there too. Refused with \
            TLS, a proxy, a public URL elsewhere, or another address than a loopback one.
            """)
}

extension Setting {
    static let tokens = TokenSettings()
    static let signingKeys = SigningKeySettings()
    static let sessions = SessionSettings()
}

extension SettingType<[String]> {
    fileprivate static let audience = list("names", "names of services with commas between") {
        names, found throws(AuthError) in
        // Names are taken as they are written, and no service is named like these.
        for name in names
        where name == "*" || name.utf8.contains(UInt8(ascii: "\"")) || name.utf8.first.map("'[{".utf8.contains) == true
        {
            throw AuthError(
                .misconfigured,
                """
                \(found.place) has \(name.debugDescription), which no service is called: write their names with commas \
                between them and without quotes, as api,https://notes.example.com
                """)
        }
        try found.explaining { () throws(AuthError) in try AuthConfiguration.checkAudience(names) }
    }
}

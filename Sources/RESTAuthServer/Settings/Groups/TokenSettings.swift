import RESTAuth
import RESTAuthHummingbird

struct TokenSettings: SettingGroup {
    static let title = "Tokens"

    let audience = Setting(
        "token_audience", \.auth.tokenAudience, .audience, standard: "public_url, or rest-auth without one",
        "Audience (aud) of tokens: services that are to accept them, separated by commas.",
        details: """
            At most 512 bytes together. Only those services check it; this server does not, so a change invalidates no \
            live token.
            """)
    let type = Setting(
        "token_type", \.auth.tokenType, .choice, "Type (typ) in the header of a token.",
        details: """
            `at+jwt` is the type of RFC 9068; `JWT` is for services that insist on it. A change invalidates no live \
            token.
            """)
    let duration = Setting(
        "token_duration", \.auth.tokenDuration, .duration(in: AuthConfiguration.tokenDurations),
        "Lifetime of a token.")
    let renewal = Setting(
        "token_renewal", \.tokenRenewal, .choice, "Whether a live token can be exchanged for a fresh one.",
        details: "With `until`, it can for as long after the password was given as `token_renewal_limit` says.")
    let renewalLimit = Setting(
        "token_renewal_limit", \.tokenRenewalLimit, .duration(in: 1...(366 * 86400)),
        "With --token-renewal until: how long after the password tokens can be renewed.")
    let cache = Setting(
        "token_cache", \.auth.verifiedTokenCapacity, .count(in: AuthConfiguration.verifiedTokenCapacities),
        "How many verified tokens are remembered.",
        details: "With `0`, each token is verified every time.")
    let personalLifetime = Setting(
        "personal_token_lifetime", \.auth.personalTokenLifetime,
        .duration(in: AuthConfiguration.personalTokenLifetimes),
        "How long a personal token lives unless its user asks for another time.",
        details: "It cannot be longer than `personal_token_maximum_lifetime`.")
    let personalMaximumLifetime = Setting(
        "personal_token_maximum_lifetime", \.auth.personalTokenMaximumLifetime,
        SettingType.duration(in: AuthConfiguration.personalTokenLifetimes).or("none"),
        "How long a personal token may live; none allows tokens that never expire.",
        details: """
            It cannot be shorter than `personal_token_lifetime`, so with less than its default of 90d set both. A \
            change applies to new tokens, and to others when they are rotated.
            """)
    let revocationBound = Setting(
        "revocation_bound", \.auth.revocationBound, .duration(in: AuthConfiguration.revocationBounds),
        "How long it may take until every node refuses a revoked token.",
        details: "A node that could not read the revocations for longer than that asks the database about each token.")
}

struct SigningKeySettings: SettingGroup {
    static let title = "Signing keys"

    let algorithm = Setting(
        "signing_algorithm", \.auth.signingAlgorithm, .choice, standard: "as the newest key; ES256 for the first",
        "Algorithm with which new keys sign tokens.",
        details: "If it differs from the newest key's, it takes effect after an hour.")
    let rotation = Setting(
        "key_rotation", \.auth.keyRotationInterval,
        .duration(in: AuthConfiguration.keyRotationIntervals),
        "How long a key signs before the next one replaces it.")
}

struct SessionSettings: SettingGroup {
    static let title = "Sessions"

    let inactivityTimeout = Setting(
        "session_inactivity_timeout", \.auth.sessionInactivityTimeout,
        .duration(in: AuthConfiguration.sessionDurations), "How long a session lasts without being renewed.")
    let timebox = Setting(
        "session_timebox", \.auth.sessionTimebox, .duration(in: AuthConfiguration.sessionDurations),
        "How long a session with a refresh token may last, however often it is renewed.")
    let limit = Setting(
        "session_limit", \.auth.sessionLimit, .count(in: AuthConfiguration.sessionLimits),
        "How many sessions a user may have; a new one ends the oldest beyond that.",
        details: "Each `GET /api/token` with a password starts a session.")
    let refreshTokenInCookie = Setting(
        "refresh_token_in_cookie", \.routes.refreshTokenInCookie, .flag, platformName: "REFRESH_TOKEN_IN_COOKIE",
        "Give and accept the refresh token as a cookie, for browsers.",
        details: "Pages of `cors_origins` may use the cookie if they are on the same site.")
    let refreshTokenInBody = Setting(
        "refresh_token_in_body", \.routes.refreshTokenInBody, .flag, platformName: "REFRESH_TOKEN_IN_BODY",
        "Give the refresh token in the body of the answer.",
        details: "The refresh token can be given in the body, in a cookie, or in both.")
    let refreshTokenCookieSecure = Setting(
        "refresh_token_cookie_secure", \.routes.refreshTokenCookieSecure, .flag,
        "Send the cookie over HTTPS only; no is for development on http://localhost.",
        details: """
            With `no`, a client that comes by `http://localhost` gets a refresh token cookie that Safari keeps there, \
            too. `no` is refused with TLS, with a proxy, with a public URL elsewhere, and with an address to listen on \
            that is not loopback.
            """)
}

extension Setting {
    static let tokens = TokenSettings()
    static let signingKeys = SigningKeySettings()
    static let sessions = SessionSettings()
}

extension Settings {
    /// - Throws: `misconfigured` for a lifetime of personal tokens beyond their longest.
    func checkPersonalTokenLifetimes() throws(AuthError) {
        guard let longest = auth.personalTokenMaximumLifetime, auth.personalTokenLifetime > longest else { return }
        let (lifetime, maximum) = (Setting.tokens.personalLifetime, Setting.tokens.personalMaximumLifetime)
        throw AuthError(
            .misconfigured,
            """
            \(lifetime.name) is \(lifetime.text(in: self)), and \(maximum.name) allows at most \
            \(maximum.text(in: self)): set the former to that or less, or raise the latter
            """)
    }
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

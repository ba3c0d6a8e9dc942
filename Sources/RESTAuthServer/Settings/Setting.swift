/// A setting's name and meaning: the one list that flags, environment, file, documentation and
/// errors agree on.
///
/// `token_duration` is `--token-duration` on the command line, `REST_AUTH_TOKEN_DURATION` in the
/// environment and `token_duration:` in the file.
package enum Setting: String, CaseIterable {
    case hostname
    case port
    case socketMode = "socket_mode"
    case socketGroup = "socket_group"
    case databaseURL = "database_url"
    case databaseSchema = "database_schema"
    case databaseConnections = "database_connections"
    case databaseTimeout = "database_timeout"
    case databasePooler = "database_pooler"
    case waitForDatabase = "wait_for_database"
    case publicURL = "public_url"
    case secretKey = "secret_key"
    case secretKeyFile = "secret_key_file"
    case secretKeyNext = "secret_key_next"
    case secretKeyPrevious = "secret_key_previous"
    case tokenAudience = "token_audience"
    case tokenType = "token_type"
    case tokenDuration = "token_duration"
    case tokenRenewal = "token_renewal"
    case tokenRenewalLimit = "token_renewal_limit"
    case sessionInactivityTimeout = "session_inactivity_timeout"
    case sessionTimebox = "session_timebox"
    case sessionLimit = "session_limit"
    case refreshTokenInCookie = "refresh_token_in_cookie"
    case refreshTokenInBody = "refresh_token_in_body"
    case refreshTokenCookieSecure = "refresh_token_cookie_secure"
    case signingAlgorithm = "signing_algorithm"
    case keyRotation = "key_rotation"
    case revocationBound = "revocation_bound"
    case auditRetention = "audit_retention"
    case tokenCache = "token_cache"
    case registration
    case registrationChallenge = "registration_challenge"
    case passwordPolicy = "password_policy"
    case breachedPasswords = "breached_passwords"
    case passwordMemory = "password_memory"
    case passwordPasses = "password_passes"
    case passwordHashMemoryLimit = "password_hash_memory_limit"
    case passwordHashTimeLimit = "password_hash_time_limit"
    case passwordPepper = "password_pepper"
    case legacySecret = "legacy_secret"
    case hashingThreads = "hashing_threads"
    case hashingQueue = "hashing_queue"
    case hashingPatience = "hashing_patience"
    case throttle
    case accountFailures = "account_failures"
    case networkFailures = "network_failures"
    case registrationsPerHour = "registrations_per_hour"
    case sessionsPerHour = "sessions_per_hour"
    case hashingBudget = "hashing_budget"
    case publicUsers = "public_users"
    case userLookupsPerHour = "user_lookups_per_hour"
    case publicRevocations = "public_revocations"
    case headLimit = "head_limit"
    case verifyHeadLimit = "verify_head_limit"
    case bodyLimit = "body_limit"
    case requestTimeout = "request_timeout"
    case idleTimeout = "idle_timeout"
    case shutdownTimeout = "shutdown_timeout"
    case maxConnections = "max_connections"
    case logLevel = "log_level"
    case logFormat = "log_format"
    case corsOrigins = "cors_origins"
    case trustedProxies = "trusted_proxies"
    case forwardedFields = "forwarded_fields"
    case http2Cleartext = "http2_cleartext"
    case tlsCertificate = "tls_certificate"
    case tlsKey = "tls_key"

    /// The name that hosting platforms set without a prefix, when there is one.
    package var platformName: String? {
        switch self {
        case .port: "PORT"
        case .databaseURL: "DATABASE_URL"
        case .secretKey: "SECRET_KEY"
        case .secretKeyFile: "SECRET_KEY_FILE"
        case .secretKeyNext: "SECRET_KEY_NEXT"
        case .secretKeyPrevious: "SECRET_KEY_PREVIOUS"
        case .refreshTokenInCookie: "REFRESH_TOKEN_IN_COOKIE"
        case .refreshTokenInBody: "REFRESH_TOKEN_IN_BODY"
        case .logLevel: "LOG_LEVEL"
        default: nil
        }
    }

    static let environmentPrefix = "REST_AUTH_"

    package var environmentName: String { Self.environmentPrefix + rawValue.uppercased() }

    /// Where the value may lie in a file, what names that file: in the environment with `_FILE`
    /// behind the setting's name, in the settings file with `_file`. Every setting that is secret,
    /// or can have a password in it; the secret key has a setting for that.
    package var isAlsoReadFromFile: Bool {
        switch self {
        case .databaseURL: true
        case .secretKey: false
        default: isSecret
        }
    }

    /// `--database` is shorter than what the platforms' name would give.
    package var flag: String {
        switch self {
        case .databaseURL: "--database"
        default: "--" + rawValue.replacing("_", with: "-")
        }
    }

    package var isSecret: Bool {
        switch self {
        case .secretKey, .secretKeyNext, .secretKeyPrevious, .passwordPepper, .legacySecret: true
        default: false
        }
    }

    /// A value of it as it may be shown.
    func shown(_ value: String) -> String {
        switch self {
        case _ where isSecret: "(secret)"
        case .databaseURL, .publicURL: DatabaseURL.withoutPassword(value)
        default: value
        }
    }
}

import ArgumentParser

/// The flags of every command that reads settings. A flag wins over the environment, the
/// environment over the file.
struct SettingsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read settings from this YAML or JSON file.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Address to listen on, * for every one, or unix: and the path of a socket (127.0.0.1).",
            valueName: "address"))
    var hostname: String?

    @Option(help: ArgumentHelp("Port to listen on (5000).", valueName: "port"))
    var port: String?

    @Option(help: ArgumentHelp("Who may connect to a unix-domain socket, in octal digits (0660).", valueName: "mode"))
    var socketMode: String?

    @Option(help: ArgumentHelp("Group of a unix-domain socket, by name or number (the process's).", valueName: "group"))
    var socketGroup: String?

    @Option(
        help: ArgumentHelp(
            "Where users are kept: sqlite:PATH or postgres://... (sqlite:rest-auth.sqlite).", valueName: "url"))
    var database: String?

    @Option(help: ArgumentHelp("PostgreSQL: schema of the tables (the role's first).", valueName: "name"))
    var databaseSchema: String?

    @Option(
        help: ArgumentHelp(
            "PostgreSQL: connections of this node; one reads, one listens, the others write (6).", valueName: "count"))
    var databaseConnections: String?

    @Option(help: ArgumentHelp("PostgreSQL: how long a statement may take (3).", valueName: "seconds"))
    var databaseTimeout: String?

    @Option(
        help: ArgumentHelp(
            "PostgreSQL: whether a pooler such as PgBouncer stands between (auto).", valueName: "auto|yes|no"))
    var databasePooler: String?

    @Option(
        help: ArgumentHelp(
            "How long serve waits at its start for a database that is not there (0).", valueName: "seconds"))
    var waitForDatabase: String?

    @Option(
        help: ArgumentHelp(
            "URL that clients reach this server by; taken from the request when absent.", valueName: "url"))
    var publicURL: String?

    @Option(
        help: ArgumentHelp(
            "File with the secret key, for the process and its group alone; beside a SQLite database it is made when absent.",
            valueName: "file"))
    var secretKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "Services that tokens are made out to, aud, with commas between (public_url, or rest-auth without one).",
            valueName: "names"))
    var tokenAudience: String?

    @Option(help: ArgumentHelp("What a token's header calls it, typ (at+jwt).", valueName: "at+jwt|JWT"))
    var tokenType: String?

    @Option(help: ArgumentHelp("Life of a token (600).", valueName: "seconds"))
    var tokenDuration: String?

    @Option(help: ArgumentHelp("Whether a token gives a fresh token (always).", valueName: "always|until|never"))
    var tokenRenewal: String?

    @Option(
        help: ArgumentHelp("With --token-renewal until: how long after the password (43200).", valueName: "seconds"))
    var tokenRenewalLimit: String?

    @Option(help: ArgumentHelp("How long a session lives without being renewed (604800).", valueName: "seconds"))
    var sessionInactivityTimeout: String?

    @Option(help: ArgumentHelp("How long a session lives at most (2592000).", valueName: "seconds"))
    var sessionTimebox: String?

    @Option(help: ArgumentHelp("How many sessions a user may have; the oldest go (10000).", valueName: "count"))
    var sessionLimit: String?

    @Option(help: ArgumentHelp("Give and take the refresh token as a cookie, for browsers (no).", valueName: "yes|no"))
    var refreshTokenInCookie: String?

    @Option(help: ArgumentHelp("Give the refresh token in the answer's body (yes).", valueName: "yes|no"))
    var refreshTokenInBody: String?

    @Option(
        help: ArgumentHelp(
            "Send the cookie over HTTPS only; no is for development on http://localhost (yes).", valueName: "yes|no"))
    var refreshTokenCookieSecure: String?

    @Option(help: ArgumentHelp("How new keys sign tokens (as the newest does; ES256).", valueName: "ES256|EdDSA|RS256"))
    var signingAlgorithm: String?

    @Option(help: ArgumentHelp("How long a key signs before the next one does (2592000).", valueName: "seconds"))
    var keyRotation: String?

    @Option(
        help: ArgumentHelp("How long another node may take to learn that a token is refused (1).", valueName: "seconds")
    )
    var revocationBound: String?

    @Option(help: ArgumentHelp("How long events are kept (7776000).", valueName: "seconds"))
    var auditRetention: String?

    @Option(help: ArgumentHelp("How many verified tokens are remembered (100000).", valueName: "count"))
    var tokenCache: String?

    @Option(help: ArgumentHelp("Who may register over HTTP (open).", valueName: "open|invitation|closed"))
    var registration: String?

    @Option(
        help: ArgumentHelp(
            "Work asked of who registers, in zero bits of a hash, 8 to 30; 20 is a million hashes (off).",
            valueName: "bits|off"))
    var registrationChallenge: String?

    @Option(help: ArgumentHelp("What a new password must be (open).", valueName: "open|nist"))
    var passwordPolicy: String?

    @Option(
        help: ArgumentHelp(
            "Passwords known from breaches, made by passwords filter; policy nist refuses them (none).",
            valueName: "file"))
    var breachedPasswords: String?

    @Option(help: ArgumentHelp("Argon2id memory for a new hash (19456, the least).", valueName: "KiB"))
    var passwordMemory: String?

    @Option(help: ArgumentHelp("Argon2id passes for a new hash (2, the least).", valueName: "count"))
    var passwordPasses: String?

    @Option(help: ArgumentHelp("Memory that checking an imported password hash may take (262144).", valueName: "KiB"))
    var passwordHashMemoryLimit: String?

    @Option(
        help: ArgumentHelp("Time that checking an imported password hash may take (2000).", valueName: "milliseconds"))
    var passwordHashTimeLimit: String?

    @Option(help: ArgumentHelp("Passwords hashed at once (one for each core).", valueName: "count"))
    var hashingThreads: String?

    @Option(help: ArgumentHelp("Passwords that may wait to be hashed (256).", valueName: "count"))
    var hashingQueue: String?

    @Option(help: ArgumentHelp("How long a password may wait to be hashed (5).", valueName: "seconds"))
    var hashingPatience: String?

    @Option(help: ArgumentHelp("Make guesses wait after too many wrong passwords (yes).", valueName: "yes|no"))
    var throttle: String?

    @Option(help: ArgumentHelp("Wrong passwords for one account before the next has to wait (10).", valueName: "count"))
    var accountFailures: String?

    @Option(
        help: ArgumentHelp("Wrong passwords from one network before the next has to wait (30).", valueName: "count"))
    var networkFailures: String?

    @Option(
        help: ArgumentHelp("Registrations an hour from one network; none for no limit (500).", valueName: "count|none"))
    var registrationsPerHour: String?

    @Option(help: ArgumentHelp("Sessions a user may start an hour; none for no limit (3600).", valueName: "count|none"))
    var sessionsPerHour: String?

    @Option(help: ArgumentHelp("What wrong passwords may cost in all, a second (1000).", valueName: "milliseconds"))
    var hashingBudget: String?

    @Option(
        help: ArgumentHelp(
            "Whether GET /api/users/ID answers anybody; with no, who is signed in (yes).", valueName: "yes|no"))
    var publicUsers: String?

    @Option(
        help: ArgumentHelp(
            "Different users that one network may look up by number in an hour; none for no limit (3600).",
            valueName: "count|none"))
    var userLookupsPerHour: String?

    @Option(
        help: ArgumentHelp(
            "Whether GET /api/revocations answers anybody; with no, clients only (yes).", valueName: "yes|no"))
    var publicRevocations: String?

    @Option(help: ArgumentHelp("Largest head of a request: path and fields (16384).", valueName: "bytes"))
    var headLimit: String?

    @Option(
        help: ArgumentHelp(
            "The same at /api/verify, where the fields of other applications come along (32768).", valueName: "bytes"))
    var verifyHeadLimit: String?

    @Option(help: ArgumentHelp("Largest request body (65536).", valueName: "bytes"))
    var bodyLimit: String?

    @Option(
        help: ArgumentHelp(
            "Time for a request to arrive whole; the first begins in it, TLS included (30).", valueName: "seconds"))
    var requestTimeout: String?

    @Option(
        help: ArgumentHelp(
            "Time that a connection may be without a request, from its start on (60).", valueName: "seconds"))
    var idleTimeout: String?

    @Option(
        help: ArgumentHelp(
            "Time to finish requests in flight when told to stop; then they are cut off (5).", valueName: "seconds"))
    var shutdownTimeout: String?

    @Option(help: ArgumentHelp("Connections open at once (10000).", valueName: "count"))
    var maxConnections: String?

    @Option(
        help: ArgumentHelp(
            "Least level that is logged (info).", valueName: "trace|debug|info|notice|warning|error|critical"))
    var logLevel: String?

    @Option(help: ArgumentHelp("Form of the log (text).", valueName: "text|json"))
    var logFormat: String?

    @Option(
        help: ArgumentHelp(
            "Origins whose pages may call this server, with commas between; * for all (none).", valueName: "origins"))
    var corsOrigins: String?

    @Option(
        help: ArgumentHelp(
            "Proxies that are believed about their clients: addresses, CIDR ranges, unix: for a socket, with commas between (none).",
            valueName: "list"))
    var trustedProxies: String?

    @Option(
        help: ArgumentHelp(
            "Where trusted proxies say for whom they ask: X-Forwarded-For and its like, or Forwarded (x-forwarded).",
            valueName: "x-forwarded|forwarded"))
    var forwardedFields: String?

    @Option(
        help: ArgumentHelp(
            "Without TLS, speak HTTP/2 with clients that begin with it, as a mesh's do (no).", valueName: "yes|no"))
    var http2Cleartext: String?

    @Option(
        help: ArgumentHelp(
            "PEM file with the certificate chain; turns TLS 1.2 and 1.3 and HTTP/2 on.", valueName: "file"))
    var tlsCertificate: String?

    @Option(help: ArgumentHelp("PEM file with the certificate's private key.", valueName: "file"))
    var tlsKey: String?

    /// What was given, by setting. There is no flag for a secret itself: a command line is seen by
    /// other users.
    var given: [Setting: String] {
        let values: [Setting: String?] = [
            .hostname: hostname, .port: port, .socketMode: socketMode, .socketGroup: socketGroup,
            .databaseURL: database, .databaseSchema: databaseSchema,
            .databaseConnections: databaseConnections, .databaseTimeout: databaseTimeout,
            .databasePooler: databasePooler, .waitForDatabase: waitForDatabase,
            .publicURL: publicURL, .secretKeyFile: secretKeyFile,
            .tokenAudience: tokenAudience, .tokenType: tokenType,
            .tokenDuration: tokenDuration, .tokenRenewal: tokenRenewal, .tokenRenewalLimit: tokenRenewalLimit,
            .sessionInactivityTimeout: sessionInactivityTimeout, .sessionTimebox: sessionTimebox,
            .sessionLimit: sessionLimit,
            .refreshTokenInCookie: refreshTokenInCookie, .refreshTokenInBody: refreshTokenInBody,
            .refreshTokenCookieSecure: refreshTokenCookieSecure,
            .signingAlgorithm: signingAlgorithm, .keyRotation: keyRotation,
            .revocationBound: revocationBound, .auditRetention: auditRetention, .tokenCache: tokenCache,
            .registration: registration,
            .registrationChallenge: registrationChallenge, .passwordPolicy: passwordPolicy,
            .breachedPasswords: breachedPasswords,
            .passwordMemory: passwordMemory, .passwordPasses: passwordPasses,
            .passwordHashMemoryLimit: passwordHashMemoryLimit,
            .passwordHashTimeLimit: passwordHashTimeLimit, .hashingThreads: hashingThreads, .hashingQueue: hashingQueue,
            .hashingPatience: hashingPatience, .throttle: throttle, .accountFailures: accountFailures,
            .networkFailures: networkFailures, .registrationsPerHour: registrationsPerHour,
            .sessionsPerHour: sessionsPerHour, .hashingBudget: hashingBudget, .publicUsers: publicUsers,
            .userLookupsPerHour: userLookupsPerHour, .publicRevocations: publicRevocations,
            .headLimit: headLimit, .verifyHeadLimit: verifyHeadLimit,
            .bodyLimit: bodyLimit, .requestTimeout: requestTimeout,
            .idleTimeout: idleTimeout, .shutdownTimeout: shutdownTimeout, .maxConnections: maxConnections,
            .logLevel: logLevel, .logFormat: logFormat, .corsOrigins: corsOrigins, .trustedProxies: trustedProxies,
            .forwardedFields: forwardedFields, .http2Cleartext: http2Cleartext,
            .tlsCertificate: tlsCertificate, .tlsKey: tlsKey,
        ]
        return values.compactMapValues { $0 }
    }
}

import Foundation
import Logging
import PasswordHashing
import RESTAuth
import RESTAuthHummingbird
import RESTAuthPostgres
import RESTAuthSQLite

/// Every setting with its value, checked: what the server is started from.
struct Settings {
    let hostname: String
    let port: Int
    let database: DatabaseURL
    let databaseSchema: String?
    let databaseConnections: Int
    let databaseTimeout: Int
    let isBehindPooler: Bool
    let publicURL: String?
    let secret: InstanceSecret?
    /// Where the secret lies, when it is neither given nor beside the database.
    let secretFile: String?
    let tokenDuration: Int
    let tokenRenewal: TokenRenewal
    let sessionInactivityTimeout: Int
    let sessionTimebox: Int
    let sessionLimit: Int
    let refreshTokenInCookie: Bool
    let refreshTokenInBody: Bool
    /// `nil` for that of the newest key.
    let signingAlgorithm: SigningAlgorithm?
    let keyRotation: Int
    let revocationBound: Int
    let tokenCache: Int
    let registration: RegistrationMode
    let registrationChallenge: Int?
    let passwordPolicy: PasswordPolicy
    let breachedPasswords: String?
    let passwordCost: Argon2id
    let passwordHashLimit: HashLimit
    let legacySecret: LegacySecret?
    let hashingThreads: Int
    let hashingQueue: Int
    let hashingPatience: Int
    let throttle: ThrottleConfiguration
    let bodyLimit: Int
    let requestTimeout: Int
    let idleTimeout: Int
    let shutdownTimeout: Int
    let maxConnections: Int
    /// `nil` when nobody said: a server and a command differ in what they say unasked.
    let logLevel: Logger.Level?
    let logFormat: LogSink.Format
    let corsOrigins: [String]
    let trustedProxies: [Network]
    let tls: TLSFiles?

    /// - Throws: `misconfigured`, naming the setting, where it came from and what it must be.
    init(_ source: SettingsSource) throws {
        let read = SettingsReader(source: source)
        hostname = read.text(.hostname) ?? "127.0.0.1"
        port = try read.number(.port, in: 0...65535) ?? 5000
        database = try read.database()
        databaseSchema = read.text(.databaseSchema)
        databaseConnections = try read.number(.databaseConnections, in: 3...1000) ?? 6
        databaseTimeout = try read.number(.databaseTimeout, in: 1...600) ?? 3
        isBehindPooler = try read.flag(.databasePooler) ?? false
        publicURL = try read.publicURL()
        secret = try read.secret()
        secretFile = read.text(.secretKeyFile)
        tokenDuration = try read.number(.tokenDuration, in: 1...AuthConfiguration.maximumTokenDuration) ?? 600
        tokenRenewal = try read.tokenRenewal()
        let longest = AuthConfiguration.longestSession
        sessionInactivityTimeout = try read.number(.sessionInactivityTimeout, in: 1...longest) ?? 7 * 86400
        sessionTimebox = try read.number(.sessionTimebox, in: 1...longest) ?? 30 * 86400
        sessionLimit = try read.number(.sessionLimit, in: 1...1_000_000) ?? 10_000
        refreshTokenInCookie = try read.flag(.refreshTokenInCookie) ?? false
        refreshTokenInBody = try read.flag(.refreshTokenInBody) ?? true
        guard refreshTokenInCookie || refreshTokenInBody else {
            throw AuthError(
                .misconfigured, "refresh_token_in_cookie and refresh_token_in_body are both off, so no client could renew its session")
        }
        signingAlgorithm = try read.choice(.signingAlgorithm)
        keyRotation =
            try read.number(.keyRotation, in: AuthConfiguration.shortestRotation...AuthConfiguration.longestRotation) ?? 30 * 86400
        revocationBound = try read.number(.revocationBound, in: 1...AuthConfiguration.longestRevocationBound) ?? 1
        tokenCache = try read.number(.tokenCache, in: 0...100_000_000) ?? 100_000
        registration = try read.choice(.registration) ?? .open
        registrationChallenge = try read.registrationChallenge()
        passwordPolicy = try read.choice(.passwordPolicy) ?? .open
        breachedPasswords = read.text(.breachedPasswords)
        passwordCost = try read.passwordCost()
        passwordHashLimit = try read.passwordHashLimit()
        legacySecret = try read.legacySecret()
        hashingThreads = try read.number(.hashingThreads, in: 1...1024) ?? AuthConfiguration().hashingThreads
        hashingQueue = try read.number(.hashingQueue, in: 1...1_000_000) ?? 256
        hashingPatience = try read.number(.hashingPatience, in: 1...600) ?? 5
        throttle = try read.throttle()
        bodyLimit = try read.number(.bodyLimit, in: 1024...(16 << 20)) ?? 65536
        requestTimeout = try read.number(.requestTimeout, in: 1...3600) ?? 30
        idleTimeout = try read.number(.idleTimeout, in: 1...3600) ?? 60
        shutdownTimeout = try read.number(.shutdownTimeout, in: 1...3600) ?? 10
        maxConnections = try read.number(.maxConnections, in: 1...1_000_000) ?? 10_000
        logLevel = try read.choice(.logLevel)
        logFormat = try read.choice(.logFormat) ?? .text
        corsOrigins = try read.corsOrigins()
        trustedProxies = try read.trustedProxies()
        tls = try read.tls()
    }

    /// The core over the configured database. The only place that opens or makes files.
    /// - Parameters:
    ///   - createsMissing: whether to make the database when there is none.
    ///   - isServer: whether many will use it at once.
    func openAuth(createsMissing: Bool = false, isServer: Bool = false) async throws -> Auth {
        var configuration = authConfiguration
        if let secretFile {
            try requireSharedSecret(secretFile)
            configuration.secret = try InstanceSecret(file: secretFile)
        }
        configuration.breachedPasswords = try openBreachedPasswords(checksContents: isServer)
        return try await Auth(
            storage: openStorage(createsMissing: createsMissing, isServer: isServer), configuration: configuration)
    }

    /// The list of breached passwords; `nil` where there is none, or a policy that does not ask it.
    /// - Parameter checksContents: whether to read all of it, which a command has no time for.
    func openBreachedPasswords(checksContents: Bool) throws -> BreachedPasswords? {
        guard let breachedPasswords, passwordPolicy == .nist else { return nil }
        return try BreachedPasswords(file: breachedPasswords, checksContents: checksContents)
    }

    /// The database alone, without what the core makes in it.
    func openStorage(createsMissing: Bool, isServer: Bool) async throws -> any Storage {
        switch database {
        case .sqlite(let path): return try await SQLiteStorage(path: path, createsMissing: createsMissing)
        case .postgres(let url):
            guard secret != nil || secretFile != nil else {
                throw AuthError(
                    .misconfigured,
                    "with PostgreSQL every node needs the same secret: set SECRET_KEY, or --secret-key-file to a file that is the same everywhere"
                )
            }
            return try await PostgresStorage(postgresConfiguration(url, isServer: isServer), createsMissing: createsMissing)
        }
    }

    /// A secret that each node makes for itself would be another on each.
    private func requireSharedSecret(_ file: String) throws {
        guard case .postgres = database, !FileManager.default.fileExists(atPath: file) else { return }
        throw AuthError(
            .misconfigured,
            "there is no secret in \(file); make one and give it to every node: (umask 077; openssl rand -base64 32 > \(file))")
    }

    func postgresConfiguration(_ url: String, isServer: Bool = false) -> PostgresConfiguration {
        var configuration = PostgresConfiguration(url: url)
        configuration.schema = databaseSchema
        // One reads and one listens. A command does one thing after the other.
        configuration.writers = isServer ? databaseConnections - 2 : 1
        configuration.timeout = databaseTimeout
        configuration.isBehindPooler = isBehindPooler
        return configuration
    }

    private var authConfiguration: AuthConfiguration {
        var configuration = AuthConfiguration()
        configuration.secret = secret
        configuration.issuer = publicURL ?? configuration.issuer
        configuration.tokenDuration = tokenDuration
        configuration.tokenRenewal = tokenRenewal
        configuration.sessionInactivityTimeout = sessionInactivityTimeout
        configuration.sessionTimebox = sessionTimebox
        configuration.sessionLimit = sessionLimit
        configuration.signingAlgorithm = signingAlgorithm
        configuration.keyRotationInterval = keyRotation
        configuration.revocationBound = revocationBound
        configuration.verifiedTokenCapacity = tokenCache
        configuration.registration = registration
        configuration.registrationChallenge = registrationChallenge
        configuration.passwordPolicy = passwordPolicy
        configuration.passwordCost = passwordCost
        configuration.passwordHashLimit = passwordHashLimit
        configuration.legacySecret = legacySecret
        configuration.hashingThreads = hashingThreads
        configuration.hashingQueue = hashingQueue
        configuration.hashingPatience = hashingPatience
        configuration.throttle = throttle
        return configuration
    }

    var routesConfiguration: AuthRoutesConfiguration {
        var configuration = AuthRoutesConfiguration()
        configuration.publicURL = publicURL
        configuration.scheme = scheme
        configuration.believesForwardedFields = !trustedProxies.isEmpty
        configuration.bodyLimit = bodyLimit
        configuration.refreshTokenInCookie = refreshTokenInCookie
        configuration.refreshTokenInBody = refreshTokenInBody
        // A star allows every page to call, not to call as whoever sits before it.
        configuration.trustedOrigins = Set(corsOrigins).subtracting(["*"])
        return configuration
    }

    /// Sends what is logged to standard error, in the configured form.
    /// - Parameter level: the least that is written.
    func startLogging(level: Logger.Level) -> LogSink {
        let sink = LogSink(format: logFormat)
        LoggingSystem.bootstrap { _ in SinkLogHandler(sink: sink, level: level) }
        return sink
    }

    /// What keeps who can reach the server from registering, in words; `nil` for nothing.
    var registrationRestriction: String? {
        let mode: String? =
            switch registration {
            case .open: nil
            case .invitation: "invitation: with a code that rest-auth invitations create makes"
            case .closed: "closed: by rest-auth users add only"
            }
        let work = registration == .closed ? nil : registrationChallenge.map { "a challenge of \($0) bits has to be solved" }
        let parts = [mode, work].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    var scheme: String { tls == nil ? "http" : "https" }

    var isLoopback: Bool { hostname == "localhost" || hostname == "::1" || hostname.hasPrefix("127.") }
}

/// Reads single settings and says what is wrong with them.
private struct SettingsReader {
    let source: SettingsSource

    func text(_ setting: Setting) -> String? { source[setting]?.value }

    func number(_ setting: Setting, in range: ClosedRange<Int>) throws -> Int? {
        guard let found = source[setting] else { return nil }
        guard let number = Int(found.value), range.contains(number) else {
            throw wrong(found, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ setting: Setting) throws -> Choice? where Choice.RawValue == String {
        guard let found = source[setting] else { return nil }
        guard let choice = Choice.allCases.first(where: { $0.rawValue.lowercased() == found.value.lowercased() }) else {
            throw wrong(found, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    func flag(_ setting: Setting) throws -> Bool? {
        guard let found = source[setting] else { return nil }
        switch found.value.lowercased() {
        case "yes", "true", "on", "1": return true
        case "no", "false", "off", "0": return false
        default: throw wrong(found, "must be yes or no")
        }
    }

    private func list(_ setting: Setting) -> [String] {
        (text(setting) ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private func wrong(_ found: SettingsSource.Found, _ rule: String) -> AuthError {
        AuthError(.misconfigured, "\(found.place) is \"\(found.value)\" and \(rule)")
    }

    // MARK: Settings with rules of their own

    func database() throws -> DatabaseURL {
        guard let found = source[.databaseURL] else { return .sqlite(path: "rest-auth.sqlite") }
        return try DatabaseURL(found.value, place: found.place)
    }

    func throttle() throws -> ThrottleConfiguration {
        var throttle = ThrottleConfiguration()
        throttle.isOn = try flag(.throttle) ?? throttle.isOn
        throttle.accountFailures = try number(.accountFailures, in: 1...ThrottleConfiguration.longestSeries) ?? throttle.accountFailures
        throttle.networkFailures = try number(.networkFailures, in: 1...1_000_000) ?? throttle.networkFailures
        throttle.hashingBudget = try number(.hashingBudget, in: 1...1_000_000) ?? throttle.hashingBudget
        if text(.registrationsPerHour)?.lowercased() == "none" {
            throttle.registrationsPerHour = nil
        } else if let count = try number(.registrationsPerHour, in: 1...1_000_000) {
            throttle.registrationsPerHour = count
        }
        return throttle
    }

    func publicURL() throws -> String? {
        guard let found = source[.publicURL] else { return nil }
        guard let url = URLComponents(string: found.value), url.scheme == "http" || url.scheme == "https",
            url.host?.isEmpty == false, url.query == nil, url.fragment == nil, url.user == nil
        else { throw wrong(found, "must be an http or https URL such as https://auth.example.com") }
        return found.value.hasSuffix("/") ? String(found.value.dropLast()) : found.value
    }

    func secret() throws -> InstanceSecret? {
        guard source[.secretKey] == nil || source[.secretKeyFile] == nil else {
            throw AuthError(.misconfigured, "secret_key and secret_key_file say the same thing twice: set one of them")
        }
        guard let found = source[.secretKey] else { return nil }
        do {
            return try InstanceSecret(found.value)
        } catch {
            throw AuthError(.misconfigured, "\(found.place): \(error.detail)")
        }
    }

    func tokenRenewal() throws -> TokenRenewal {
        enum Name: String, CaseIterable { case always, until, never }
        let limit = try number(.tokenRenewalLimit, in: 1...(366 * 86400)) ?? 43200
        let name: Name = try choice(.tokenRenewal) ?? .always
        return switch name {
        case .always: .always
        case .until: .until(limit)
        case .never: .never
        }
    }

    func registrationChallenge() throws -> Int? {
        guard let found = source[.registrationChallenge] else { return nil }
        // In a YAML file, off is a way to write false.
        if ["off", "no", "false"].contains(found.value.lowercased()) { return nil }
        guard let bits = Int(found.value), AuthConfiguration.registrationChallenges.contains(bits) else {
            throw wrong(found, "must be off or a number of bits from 8 to 30")
        }
        return bits
    }

    func passwordCost() throws -> Argon2id {
        let memory = try number(.passwordMemory, in: Argon2id.minimumMemory...(4 << 20)) ?? Argon2id.minimumMemory
        let passes = try number(.passwordPasses, in: Argon2id.minimumPasses...64) ?? Argon2id.minimumPasses
        return Argon2id(memoryKiB: memory, passes: passes) ?? .standard
    }

    func passwordHashLimit() throws -> HashLimit {
        HashLimit(
            memoryKiB: try number(.passwordHashMemoryLimit, in: 1...(4 << 20)) ?? HashLimit().memoryKiB,
            milliseconds: try number(.passwordHashTimeLimit, in: 1...60_000) ?? HashLimit().milliseconds)
    }

    func legacySecret() throws -> LegacySecret? {
        guard let found = source[.legacySecret] else { return nil }
        do {
            return try LegacySecret(found.value)
        } catch {
            throw AuthError(.misconfigured, "\(found.place): \(error.detail)")
        }
    }

    func corsOrigins() throws -> [String] {
        let origins = list(.corsOrigins)
        for origin in origins where origin != "*" && origin.wholeMatch(of: /https?:\/\/[^\/\s?#@]+/) == nil {
            throw AuthError(
                .misconfigured, "\(source[.corsOrigins]?.place ?? "") has \"\(origin)\", which is no origin such as https://app.example.com"
            )
        }
        return origins
    }

    func trustedProxies() throws -> [Network] {
        try list(.trustedProxies).map { text in
            guard let network = Network(text) else {
                throw AuthError(
                    .misconfigured,
                    "\(source[.trustedProxies]?.place ?? "") has \"\(text)\", which is no address or range such as 10.0.0.0/8")
            }
            return network
        }
    }

    func tls() throws -> TLSFiles? {
        switch (source[.tlsCertificate], source[.tlsKey]) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return TLSFiles(certificate: certificate.value, key: key.value)
        default: throw AuthError(.misconfigured, "tls_certificate and tls_key go together: set both or none")
        }
    }
}

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
    let secrets: InstanceSecrets?
    /// Where the secrets lie, when they are neither given nor beside the database.
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
    let passwordPepper: PasswordPepper?
    let legacySecret: LegacySecret?
    let hashingThreads: Int
    let hashingQueue: Int
    let hashingPatience: Int
    let throttle: ThrottleConfiguration
    let publicUsers: Bool
    let publicRevocations: Bool
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
    /// The file that settings were read from, where it has secrets.
    private let fileWithSecrets: String?

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
        secrets = try read.secrets()
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
                .misconfigured,
                "refresh_token_in_cookie and refresh_token_in_body are both off, so no client could renew its session")
        }
        signingAlgorithm = try read.choice(.signingAlgorithm)
        keyRotation =
            try read.number(.keyRotation, in: AuthConfiguration.shortestRotation...AuthConfiguration.longestRotation)
            ?? 30 * 86400
        revocationBound = try read.number(.revocationBound, in: 1...AuthConfiguration.longestRevocationBound) ?? 1
        tokenCache = try read.number(.tokenCache, in: 0...100_000_000) ?? 100_000
        registration = try read.choice(.registration) ?? .open
        registrationChallenge = try read.registrationChallenge()
        passwordPolicy = try read.choice(.passwordPolicy) ?? .open
        breachedPasswords = read.text(.breachedPasswords)
        passwordCost = try read.passwordCost()
        passwordHashLimit = try read.passwordHashLimit()
        passwordPepper = try read.passwordPepper()
        legacySecret = try read.legacySecret()
        hashingThreads = try read.number(.hashingThreads, in: 1...1024) ?? AuthConfiguration().hashingThreads
        hashingQueue = try read.number(.hashingQueue, in: 1...1_000_000) ?? 256
        hashingPatience = try read.number(.hashingPatience, in: 1...600) ?? 5
        throttle = try read.throttle()
        publicUsers = try read.flag(.publicUsers) ?? true
        publicRevocations = try read.flag(.publicRevocations) ?? true
        bodyLimit = try read.number(.bodyLimit, in: 1024...(16 << 20)) ?? 65536
        requestTimeout = try read.number(.requestTimeout, in: 1...3600) ?? 30
        idleTimeout = try read.number(.idleTimeout, in: 1...3600) ?? 60
        shutdownTimeout = try read.number(.shutdownTimeout, in: 1...3600) ?? 5
        maxConnections = try read.number(.maxConnections, in: 1...1_000_000) ?? 10_000
        logLevel = try read.choice(.logLevel)
        logFormat = try read.choice(.logFormat) ?? .text
        corsOrigins = try read.corsOrigins()
        trustedProxies = try read.trustedProxies()
        tls = try read.tls()
        fileWithSecrets = source.fileWithSecrets
    }

    /// The core over the configured database. The only place that opens or makes files.
    /// - Parameters:
    ///   - createsMissing: whether to make the database when there is none.
    ///   - isServer: whether many will use it at once.
    func openAuth(createsMissing: Bool = false, isServer: Bool = false) async throws -> Auth {
        var configuration = authConfiguration
        if let secretFile {
            try requireSharedSecret(secretFile)
            configuration.secrets = try InstanceSecrets(file: secretFile)
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
            try requireSecretForPostgres()
            return try await PostgresStorage(
                postgresConfiguration(url, isServer: isServer), createsMissing: createsMissing)
        }
    }

    /// Makes sure that a server would start, as far as can be told without making or changing
    /// anything. A database that is there is opened to be read.
    /// - Throws: `misconfigured`, as the server would.
    func rehearse() async throws {
        _ = try tls?.configuration()
        try Server(settings: self).checkPort(isFree: false)
        _ = try openBreachedPasswords(checksContents: true)
        try authConfiguration.validate()
        switch database {
        case .sqlite(let path):
            let keys = try SQLiteStorage.checkUsable(path: path)
            try check(keys, secrets?.known ?? checkedSecrets(in: secretFile ?? SQLiteFile(path).secretFile))
        case .postgres(let url):
            try requireSecretForPostgres()
            if let secretFile { try requireSharedSecret(secretFile) }
            let known = try secrets?.known ?? secretFile.flatMap { try checkedSecrets(in: $0) }
            try await check(PostgresStorage.checkUsable(postgresConfiguration(url)), known)
        }
    }

    /// `nil` for a file that the server makes at its start.
    private func checkedSecrets(in file: String) throws -> KnownSecrets? {
        if let known = try SecretFile(file).secrets() { return known }
        let directory = URL(fileURLWithPath: file).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: directory) else {
            throw AuthError(.misconfigured, "the secret file \(file) cannot be made: its directory cannot be written")
        }
        return nil
    }

    /// A secret that is made at the start opens nothing that is there.
    private func check(_ keys: [StoredSigningKey], _ known: KnownSecrets?) throws {
        try SigningKeys.check(keys, by: known ?? KnownSecrets(InstanceSecret()))
    }

    /// Files that only whoever runs the server should read, and others can.
    var exposedFiles: [String] {
        var files = [fileWithSecrets, tls?.key].compactMap(\.self)
        if case .sqlite(let path) = database { files.append(path) }
        return files.filter { file in
            let target = URL(fileURLWithPath: file).resolvingSymlinksInPath().path
            let mode = try? FileManager.default.attributesOfItem(atPath: target)[.posixPermissions] as? Int
            return mode.map { $0 & 0o077 != 0 } ?? false
        }
    }

    private func requireSecretForPostgres() throws {
        guard secrets == nil, secretFile == nil else { return }
        throw AuthError(
            .misconfigured,
            "with PostgreSQL every node needs the same secret: set SECRET_KEY, or --secret-key-file to a file that is the same everywhere"
        )
    }

    /// A secret that each node makes for itself would be another on each.
    private func requireSharedSecret(_ file: String) throws {
        guard case .postgres = database, !FileManager.default.fileExists(atPath: file) else { return }
        throw AuthError(
            .misconfigured,
            "there is no secret in \(file); make one and give it to every node: (umask 077; openssl rand -base64 32 > \(file))"
        )
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
        configuration.secrets = secrets
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
        configuration.passwordPepper = passwordPepper
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
        configuration.publicUsers = publicUsers
        configuration.publicRevocations = publicRevocations
        configuration.refreshTokenInCookie = refreshTokenInCookie
        configuration.refreshTokenInBody = refreshTokenInBody
        configuration.trustedOrigins = Set(corsOrigins)
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
        let work =
            registration == .closed ? nil : registrationChallenge.map { "a challenge of \($0) bits has to be solved" }
        let parts = [mode, work].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    var scheme: String { tls == nil ? "http" : "https" }

    var isLoopback: Bool { hostname == "localhost" || hostname == "::1" || hostname.hasPrefix("127.") }
}

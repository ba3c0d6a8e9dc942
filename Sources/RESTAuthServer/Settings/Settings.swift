import Foundation
import Logging
import NIOCore
import PasswordHashing
import RESTAuth
import RESTAuthHummingbird
import RESTAuthPostgres
import RESTAuthSQLite

/// Every setting with its value, checked: what the server is started from.
struct Settings {
    let listenAddress: ListenAddress
    let port: Int
    let socketMode: mode_t
    /// `nil` for that of the process.
    let socketGroup: gid_t?
    let database: DatabaseURL
    let databaseSchema: String?
    let databaseConnections: Int
    let databaseTimeout: Int
    let databasePooler: PostgresConfiguration.Pooler
    /// In seconds, at the start.
    let waitForDatabase: Int
    let publicURL: String?
    let secrets: InstanceSecrets?
    /// Where the secrets lie, when they are neither given nor beside the database.
    let secretFile: String?
    let tokenAudience: [String]
    let tokenType: AccessTokenType
    let tokenDuration: Int
    let tokenRenewal: TokenRenewal
    let sessionInactivityTimeout: Int
    let sessionTimebox: Int
    let sessionLimit: Int
    let refreshTokenInCookie: Bool
    let refreshTokenInBody: Bool
    let refreshTokenCookieSecure: Bool
    /// `nil` for that of the newest key.
    let signingAlgorithm: SigningAlgorithm?
    let keyRotation: Int
    let revocationBound: Int
    let auditRetention: Int
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
    let headLimits: HeadLimits
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
    let forwardedFields: ForwardedFamily
    let http2Cleartext: Bool
    let tls: TLSFiles?
    /// What was made of the environment that nobody may expect, a line each.
    let remarks: [String]
    /// What in the environment may be meant for another program, a line each.
    let warnings: [String]
    /// The variable that the secret key comes from, where other programs have one of that name.
    let unprefixedSecret: String?
    /// What who knows SQLAlchemy means by the URL of the database, where that is another file.
    let relativeReading: String?
    /// The arguments with which a command works on the same database.
    let commandArguments: [String]
    /// Files that settings were read from, where they have secrets.
    private let filesWithSecrets: [String]

    /// - Throws: `misconfigured`, naming the setting, where it came from and what it must be.
    init(_ source: SettingsSource) throws {
        let read = SettingsReader(source: source)
        listenAddress = try read.listenAddress()
        port = try read.number(.port, in: 0...65535) ?? 5000
        socketMode = try read.socketMode()
        socketGroup = try read.socketGroup()
        database = try read.database()
        databaseSchema = read.text(.databaseSchema)
        databaseConnections = try read.number(.databaseConnections, in: 3...1000) ?? 6
        databaseTimeout = try read.number(.databaseTimeout, in: 1...600) ?? 3
        databasePooler = try read.databasePooler()
        waitForDatabase = try read.number(.waitForDatabase, in: 0...86400) ?? 0
        publicURL = try read.publicURL()
        secrets = try read.secrets()
        secretFile = read.text(.secretKeyFile)
        tokenAudience = try read.tokenAudience()
        tokenType = try read.choice(.tokenType) ?? .accessToken
        tokenDuration = try read.number(.tokenDuration, in: 1...AuthConfiguration.maximumTokenDuration) ?? 600
        tokenRenewal = try read.tokenRenewal()
        let longest = AuthConfiguration.longestSession
        sessionInactivityTimeout = try read.number(.sessionInactivityTimeout, in: 1...longest) ?? 7 * 86400
        sessionTimebox = try read.number(.sessionTimebox, in: 1...longest) ?? 30 * 86400
        sessionLimit = try read.number(.sessionLimit, in: 1...1_000_000) ?? 10_000
        refreshTokenInCookie = try read.flag(.refreshTokenInCookie) ?? false
        refreshTokenInBody = try read.flag(.refreshTokenInBody) ?? true
        refreshTokenCookieSecure = try read.flag(.refreshTokenCookieSecure) ?? true
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
        auditRetention =
            try read.number(.auditRetention, in: AuthConfiguration.auditRetentions)
            ?? AuthConfiguration().auditRetention
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
        headLimits = try read.headLimits()
        bodyLimit = try read.number(.bodyLimit, in: 1024...(16 << 20)) ?? 65536
        requestTimeout = try read.number(.requestTimeout, in: 1...3600) ?? 30
        idleTimeout = try read.number(.idleTimeout, in: 1...3600) ?? 60
        shutdownTimeout = try read.number(.shutdownTimeout, in: 1...3600) ?? 5
        maxConnections = try read.number(.maxConnections, in: 1...1_000_000) ?? 10_000
        logLevel = try read.choice(.logLevel)
        logFormat = try read.choice(.logFormat) ?? .text
        corsOrigins = try read.corsOrigins()
        trustedProxies = try read.trustedProxies()
        forwardedFields = try read.choice(.forwardedFields) ?? .xForwarded
        http2Cleartext = try read.flag(.http2Cleartext) ?? false
        tls = try read.tls()
        remarks = source.remarks
        warnings = read.warnings()
        unprefixedSecret = read.unprefixedSecret
        relativeReading = source[.databaseURL].flatMap { SQLiteURL.relativeReading(of: $0.value) }
        commandArguments = source.commandArguments
        filesWithSecrets = [source.fileWithSecrets].compactMap(\.self) + source.valueFiles
        if let secrets { try legacySecret?.refuse(in: secrets.known) }
        if !refreshTokenCookieSecure, let obstacle = obstacleToCookieInTheClear {
            throw AuthError(
                .misconfigured,
                """
                \(source[.refreshTokenCookieSecure]?.place ?? "") is no, which is for http://localhost alone, and \
                \(obstacle): take it out
                """)
        }
        if http2Cleartext, tls != nil {
            throw AuthError(
                .misconfigured,
                """
                \(source[.http2Cleartext]?.place ?? "") is for a server without TLS; with tls_certificate HTTP/2 is \
                spoken anyway: take it out
                """)
        }
    }

    /// Why a cookie must not be given without `Secure`, in words; `nil` where nobody but the own
    /// machine comes, as far as the settings tell.
    var obstacleToCookieInTheClear: String? {
        if tls != nil { return "tls_certificate is set" }
        if let openAddress { return "\(openAddress) can be reached from other machines" }
        if !trustedProxies.isEmpty { return "trusted_proxies names a proxy" }
        guard let publicURL else { return nil }
        return AuthRoutesConfiguration.isLoopbackInTheClear(publicURL) ? nil : "public_url is \(publicURL)"
    }

    /// The same for addresses that are no setting: a service manager's.
    /// - Throws: `misconfigured` when other machines can reach one of them.
    func refuseCookieInTheClear(at addresses: [SocketAddress]) throws {
        guard !refreshTokenCookieSecure, let open = addresses.first(where: { !$0.isLoopback })?.shown else { return }
        throw AuthError(
            .misconfigured,
            """
            \(Setting.refreshTokenCookieSecure.rawValue) is no, which is for http://localhost alone, and \(open) can be \
            reached from other machines: take it out
            """)
    }

    /// The core over the configured database. The only place that opens or makes files; where it
    /// fails, what it made is gone again.
    /// - Parameters:
    ///   - createsMissing: whether to make the database when there is none.
    ///   - isServer: whether many will use it at once.
    func openAuth(createsMissing: Bool = false, isServer: Bool = false) async throws -> Auth {
        var configuration = authConfiguration
        try configuration.validate()
        if let secretFile { try requireSharedSecret(secretFile) }
        // Before anything is made.
        if let file = placeOfSecret, let known = try SecretFile(file).secrets() {
            try configuration.legacySecret?.refuse(in: known)
        }
        configuration.breachedPasswords = try openBreachedPasswords(checksContents: isServer)
        let storage = try await openStorage(createsMissing: createsMissing, isServer: isServer)
        do {
            if let file = placeOfSecret {
                configuration.secrets = try await InstanceSecrets(
                    file: file, makesMissing: storage.signingKeys().isEmpty)
            }
            return try await Auth(storage: storage, configuration: configuration)
        } catch {
            (storage as? any FileStorage)?.abandon(configuration.secrets)
            throw error
        }
    }

    /// The file of the secrets; `nil` when they are given themselves.
    var placeOfSecret: String? {
        guard secrets == nil else { return nil }
        return switch database {
        case .sqlite(let path): secretFile ?? SQLiteFile(path).secretFile
        case .postgres: secretFile
        }
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
        case .sqlite(let path):
            return try await explainingPath(path) {
                try await SQLiteStorage(path: path, createsMissing: createsMissing)
            }
        case .postgres(let url):
            try requireSecretForPostgres()
            return try await PostgresStorage(
                postgresConfiguration(url, isServer: isServer), createsMissing: createsMissing)
        }
    }

    /// Says with an error what may be wrong with the path of the database.
    func explainingPath<Value>(_ path: String, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as AuthError where error.code == .misconfigured {
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            guard !isDirectory.boolValue else {
                throw AuthError(
                    .misconfigured,
                    "the database \(path) is a directory: name a file in it, as \(path)\(path.utf8.last == UInt8(ascii: "/") ? "" : "/")rest-auth.sqlite"
                )
            }
            guard !exists, let relativeReading else { throw error }
            throw AuthError(
                .misconfigured,
                "\(error.detail); three slashes begin at the root directory: for \(relativeReading) in \(FileManager.default.currentDirectoryPath) write sqlite:\(relativeReading)"
            )
        }
    }

    /// Makes sure that a server would start, as far as can be told without making or changing
    /// anything. A database that is there is opened to be read.
    /// - Throws: `misconfigured`, as the server would.
    func rehearse() async throws {
        for rehearsal in rehearsals { try await rehearsal.run() }
    }

    /// The parts of a start, each of which may be refused for itself.
    var rehearsals: [(subject: String, run: () async throws -> Void)] {
        [
            (Setting.tlsCertificate.rawValue, { _ = try tls?.configuration() }),
            (Setting.hostname.rawValue, { try ListeningSockets.rehearse(self) }),
            (Setting.breachedPasswords.rawValue, { _ = try openBreachedPasswords(checksContents: true) }),
            ("settings", { try authConfiguration.validate() }),
            (Setting.databaseURL.rawValue, { try await rehearseOpening() }),
        ]
    }

    private func rehearseOpening() async throws {
        switch database {
        case .sqlite(let path):
            let keys = try await explainingPath(path) { try SQLiteStorage.checkUsable(path: path) }
            let file = secretFile ?? SQLiteFile(path).secretFile
            guard let known = try secrets?.known ?? checkedSecrets(in: file) else {
                // The server makes one.
                guard keys.isEmpty else { throw SecretFile(file).missing }
                return
            }
            try check(keys, known)
        case .postgres(let url):
            try requireSecretForPostgres()
            if let secretFile { try requireSharedSecret(secretFile) }
            let known = try secrets?.known ?? secretFile.flatMap { try checkedSecrets(in: $0) }
            let keys = try await PostgresStorage.checkUsable(postgresConfiguration(url))
            if let known { try check(keys, known) }
        }
    }

    /// `nil` for a file that the server makes at its start.
    private func checkedSecrets(in file: String) throws -> KnownSecrets? {
        if let known = try SecretFile(file).secrets() { return known }
        if let obstacle = InstanceSecret.obstacle(toMaking: file) { throw obstacle }
        return nil
    }

    private func check(_ keys: [StoredSigningKey], _ known: KnownSecrets) throws {
        try legacySecret?.refuse(in: known)
        try SigningKeys.check(keys, by: known)
    }

    /// Files that only whoever runs the server should read, and others can.
    var exposedFiles: [FileExposure] {
        var files = filesWithSecrets + [tls?.key, placeOfSecret].compactMap(\.self)
        if case .sqlite(let path) = database { files.append(path) }
        return files.compactMap { FileExposure(of: $0) }.filter { $0.kind != .none }
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
        configuration.pooler = databasePooler
        return configuration
    }

    private var authConfiguration: AuthConfiguration {
        var configuration = AuthConfiguration()
        configuration.secrets = secrets
        configuration.issuer = publicURL ?? configuration.issuer
        configuration.tokenAudience = tokenAudience
        configuration.tokenType = tokenType
        configuration.tokenDuration = tokenDuration
        configuration.tokenRenewal = tokenRenewal
        configuration.sessionInactivityTimeout = sessionInactivityTimeout
        configuration.sessionTimebox = sessionTimebox
        configuration.sessionLimit = sessionLimit
        configuration.signingAlgorithm = signingAlgorithm
        configuration.keyRotationInterval = keyRotation
        configuration.revocationBound = revocationBound
        configuration.auditRetention = auditRetention
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
        configuration.refreshTokenCookieSecure = refreshTokenCookieSecure
        configuration.trustedOrigins = Set(corsOrigins)
        return configuration
    }

    /// Sends what is logged to standard error, in the configured form.
    /// - Parameter level: the least that is written.
    func startLogging(level: Logger.Level) -> LogSink {
        let sink = LogSink(format: logFormat, level: level)
        LoggingSystem.bootstrap { _ in SinkLogHandler(sink: sink) }
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
}

/// The database's URL may have a password in it.
extension Settings: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    var description: String { "redacted" }
    var debugDescription: String { "redacted" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

import Foundation
import Logging
import NIOCore
import PasswordHashing
import RESTAuth
import RESTAuthHummingbird
import RESTAuthPostgres
import RESTAuthSQLite

/// Every setting with its checked value; a server is started from these.
package struct Settings: Sendable {
    // MARK: Rooms, routes and database

    var auth = AuthConfiguration()
    var routes = AuthRoutesConfiguration()
    var postgres = PostgresConfiguration(url: "")

    // MARK: Server

    var listenAddress = ListenAddress.host("127.0.0.1")
    var port = 5000
    var socketMode: mode_t = 0o660
    /// `nil` for the group of the process.
    var socketGroup: gid_t?
    var tlsCertificate: String?
    var tlsKey: String?
    var database = DatabaseURL.sqlite(path: "rest-auth.sqlite")
    /// Seconds to wait for the database at the start.
    var waitForDatabase = 0
    var secretKey: InstanceSecret?
    var secretKeyNext: InstanceSecret?
    var secretKeyPrevious: InstanceSecret?
    /// Path of the file with the secrets; `nil` when the secrets are given directly or lie beside
    /// the database.
    var secretFile: String?
    var tokenRenewal = TokenRenewalMode.always
    /// Seconds after the password for which `until` renews a token.
    var tokenRenewalLimit = 43200
    var breachedPasswords: String?
    var trustedProxies: [Network] = []
    var forwardedFields = ForwardedFamily.xForwarded
    var corsOrigins: [String] = []
    var headLimits = HeadLimits()
    /// Timeouts are in seconds.
    var requestTimeout = 30
    var idleTimeout = 60
    var shutdownTimeout = 5
    var maxConnections = 10_000
    /// `nil` where metrics are not served.
    var metricsPort: Int?
    var metricsAddress = ListenAddress.host("127.0.0.1")
    var http2Cleartext = false
    /// `nil` when it is not set: the default of a server differs from that of a command.
    var logLevel: Logger.Level?
    var logFormat = LogSink.Format.text

    /// The defaults of all settings.
    package static let standard = Settings()

    // MARK: Derived values

    private(set) var tls: TLSFiles?
    /// Messages about how the environment was interpreted where that may surprise, one a line.
    private(set) var remarks: [String] = []
    /// Messages about variables that may be meant for another program, one a line.
    private(set) var warnings: [String] = []
    /// Name of the variable that the secret key comes from, when it has no prefix, so that other
    /// programs may use it too.
    private(set) var unprefixedSecret: String?
    /// The relative path that SQLAlchemy would read from the URL of the database, when that is
    /// another file.
    private(set) var relativeReading: String?
    /// The arguments with which a command works on the same database.
    private(set) var commandArguments: [String] = []
    /// Paths of the files with secrets that settings were read from.
    private var filesWithSecrets: [String] = []

    private init() {}

    /// - Throws: `misconfigured`, with the setting, where it came from and what it must be.
    package init(_ source: SettingsSource) throws {
        try source.refuseContradictions()
        for setting in Setting.all {
            if let found = source[setting] { try setting.write(found, &self) }
        }
        try putTogether(source)
        remarks = source.remarks
        warnings = source.warnings
        unprefixedSecret = source.unprefixedSecret
        relativeReading = source[.database.url].flatMap { SQLiteURL.relativeReading(of: $0.value) }
        commandArguments = source.commandArguments
        filesWithSecrets = [source.fileWithSecrets].compactMap(\.self) + source.valueFiles
    }

    /// Derives values from several settings, and checks settings that depend on each other.
    private mutating func putTogether(_ source: SettingsSource) throws(AuthError) {
        switch (tlsCertificate, tlsKey) {
        case (nil, nil): break
        case (let certificate?, let key?): tls = TLSFiles(certificate: certificate, key: key)
        default: throw AuthError(.misconfigured, "tls_certificate and tls_key go together: set both or none")
        }
        auth.secrets = try givenSecrets(source)
        if let secrets = auth.secrets { try auth.legacySecret?.refuse(in: secrets.known) }
        auth.issuer = routes.publicURL ?? auth.issuer
        auth.tokenRenewal =
            switch tokenRenewal {
            case .always: .always
            case .until: .until(tokenRenewalLimit)
            case .never: .never
            }
        routes.scheme = tls == nil ? "http" : "https"
        routes.believesForwardedFields = !trustedProxies.isEmpty
        routes.trustedOrigins = Set(corsOrigins)
        guard routes.refreshTokenInCookie || routes.refreshTokenInBody else {
            throw AuthError(
                .misconfigured,
                "refresh_token_in_cookie and refresh_token_in_body are both off, so no client could renew its session")
        }
        if !routes.refreshTokenCookieSecure, let obstacle = obstacleToCookieInTheClear {
            throw AuthError(
                .misconfigured,
                """
                \(source[.sessions.refreshTokenCookieSecure]?.place ?? "") is no, which is for http://localhost alone, \
                and \(obstacle): take it out
                """)
        }
        if case .unixSocket = listenAddress {
        } else if metricsPort == port {
            throw AuthError(
                .misconfigured,
                "\(source[.metrics.port]?.place ?? "") is \(port), which is the port of the server: choose another")
        }
        if http2Cleartext, tls != nil {
            throw AuthError(
                .misconfigured,
                """
                \(source[.requests.http2Cleartext]?.place ?? "") is for a server without TLS; with tls_certificate \
                HTTP/2 is spoken anyway: take it out
                """)
        }
    }

    /// The secrets that are given directly; `nil` when they come from a file.
    private func givenSecrets(_ source: SettingsSource) throws(AuthError) -> InstanceSecrets? {
        guard let secretKey else { return nil }
        if let secretKeyNext, let next = source[.secret.next] {
            return try next.explaining { () throws(AuthError) in try InstanceSecrets(secretKey, next: secretKeyNext) }
        }
        if let secretKeyPrevious, let previous = source[.secret.previous] {
            return try previous.explaining { () throws(AuthError) in
                try InstanceSecrets(secretKey, previous: secretKeyPrevious)
            }
        }
        return InstanceSecrets(secretKey)
    }

    /// The reason why a cookie must not be given without `Secure`, in words; `nil` where the
    /// settings let only this machine reach the server.
    var obstacleToCookieInTheClear: String? {
        if tls != nil { return "tls_certificate is set" }
        if let openAddress { return "\(openAddress) can be reached from other machines" }
        if !trustedProxies.isEmpty { return "trusted_proxies names a proxy" }
        guard let publicURL = routes.publicURL else { return nil }
        return AuthRoutesConfiguration.isLoopbackInTheClear(publicURL) ? nil : "public_url is \(publicURL)"
    }

    /// Makes the same check for addresses that a service manager gave instead of the settings.
    /// - Throws: `misconfigured` when other machines can reach one of them.
    func refuseCookieInTheClear(at addresses: [SocketAddress]) throws {
        guard !routes.refreshTokenCookieSecure, let open = addresses.first(where: { !$0.isLoopback })?.shown else {
            return
        }
        throw AuthError(
            .misconfigured,
            """
            \(Setting.sessions.refreshTokenCookieSecure.name) is no, which is for http://localhost alone, and \(open) \
            can be reached from other machines: take it out
            """)
    }

    /// Opens the configured database and the core over it. Only this method opens or makes files;
    /// when it fails, it removes what it made.
    /// - Parameters:
    ///   - createsMissing: whether to make the database when there is none.
    ///   - isServer: whether a server uses it, with many requests at once.
    func openAuth(createsMissing: Bool = false, isServer: Bool = false) async throws -> Auth {
        var configuration = auth
        try configuration.validate()
        if let secretFile { try requireSharedSecret(secretFile) }
        // Checked before any file is made.
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

    /// Path of the file with the secrets; `nil` when they are given directly.
    var placeOfSecret: String? {
        guard auth.secrets == nil else { return nil }
        return switch database {
        case .sqlite(let path): secretFile ?? SQLiteFile(path).secretFile
        case .postgres: secretFile
        }
    }

    /// The list of breached passwords; `nil` where none is configured, or the password policy does
    /// not use it.
    /// - Parameter checksContents: whether to read and check the whole file, which takes too long
    ///   for a command.
    func openBreachedPasswords(checksContents: Bool) throws -> BreachedPasswords? {
        guard let breachedPasswords, auth.passwordPolicy == .nist else { return nil }
        return try BreachedPasswords(file: breachedPasswords, checksContents: checksContents)
    }

    /// Opens the database alone, without the core.
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

    /// Adds what may be wrong with the path of the database to an error.
    func explainingPath<Value>(_ path: String, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as AuthError where error.code == .misconfigured {
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            guard !isDirectory.boolValue else {
                throw AuthError(
                    .misconfigured,
                    """
                    the database \(path) is a directory: name a file in it, as \
                    \(path)\(path.utf8.last == UInt8(ascii: "/") ? "" : "/")rest-auth.sqlite
                    """
                )
            }
            guard !exists, let relativeReading else { throw error }
            throw AuthError(
                .misconfigured,
                """
                \(error.detail); three slashes begin at the root directory: for \(relativeReading) in \
                \(FileManager.default.currentDirectoryPath) write sqlite:\(relativeReading)
                """
            )
        }
    }

    /// Checks that a server would start, as far as possible without making or changing anything. An
    /// existing database is opened for reading only.
    /// - Throws: `misconfigured`, as the server would.
    func rehearse() async throws {
        for rehearsal in rehearsals { try await rehearsal.run() }
    }

    /// The checks of a start, each with the setting that it is about.
    var rehearsals: [(subject: String, run: () async throws -> Void)] {
        [
            (Setting.tls.certificate.name, { _ = try tls?.configuration() }),
            (Setting.address.hostname.name, { try ListeningSockets.rehearse(self) }),
            (Setting.metrics.port.name, { try ListeningSockets.rehearseMetrics(self) }),
            (Setting.passwords.breached.name, { _ = try openBreachedPasswords(checksContents: true) }),
            ("settings", { try auth.validate() }),
            (Setting.database.url.name, { try await rehearseOpening() }),
        ]
    }

    private func rehearseOpening() async throws {
        switch database {
        case .sqlite(let path):
            let keys = try await explainingPath(path) { try SQLiteStorage.checkUsable(path: path) }
            let file = secretFile ?? SQLiteFile(path).secretFile
            guard let known = try auth.secrets?.known ?? checkedSecrets(in: file) else {
                // The server makes a secret when none exists.
                guard keys.isEmpty else { throw SecretFile(file).missing }
                return
            }
            try check(keys, known)
        case .postgres(let url):
            try requireSecretForPostgres()
            if let secretFile { try requireSharedSecret(secretFile) }
            let known = try auth.secrets?.known ?? secretFile.flatMap { try checkedSecrets(in: $0) }
            let keys = try await PostgresStorage.checkUsable(postgresConfiguration(url))
            if let known { try check(keys, known) }
        }
    }

    /// The secrets in the file; `nil` when the server makes the file at its start.
    private func checkedSecrets(in file: String) throws -> KnownSecrets? {
        if let known = try SecretFile(file).secrets() { return known }
        if let obstacle = InstanceSecret.obstacle(toMaking: file) { throw obstacle }
        return nil
    }

    private func check(_ keys: [StoredSigningKey], _ known: KnownSecrets) throws {
        try auth.legacySecret?.refuse(in: known)
        try SigningKeys.check(keys, by: known)
    }

    /// Files with secrets or user data that others than the user of the server can read.
    var exposedFiles: [FileExposure] {
        var files = filesWithSecrets + [tls?.key, placeOfSecret].compactMap(\.self)
        if case .sqlite(let path) = database { files.append(path) }
        return files.compactMap { FileExposure(of: $0) }.filter { $0.kind != .none }
    }

    private func requireSecretForPostgres() throws {
        guard auth.secrets == nil, secretFile == nil else { return }
        throw AuthError(
            .misconfigured,
            """
            with PostgreSQL every node needs the same secret: set SECRET_KEY, or --secret-key-file to a file that is \
            the same everywhere
            """
        )
    }

    /// Refuses a missing file of secrets with PostgreSQL: each node would make a secret of its own.
    private func requireSharedSecret(_ file: String) throws {
        guard case .postgres = database, !FileManager.default.fileExists(atPath: file) else { return }
        throw AuthError(
            .misconfigured,
            """
            there is no secret in \(file); make one and give it to every node: \
            (umask 077; openssl rand -base64 32 > \(file))
            """
        )
    }

    func postgresConfiguration(_ url: String, isServer: Bool = false) -> PostgresConfiguration {
        var configuration = postgres
        configuration.url = url
        // A command runs one statement after the other.
        if !isServer { configuration.writers = 1 }
        return configuration
    }

    /// Sends log messages to standard error, in the configured form.
    /// - Parameter level: the lowest level that is written.
    func startLogging(level: Logger.Level) -> LogSink {
        let sink = LogSink(format: logFormat, level: level)
        LoggingSystem.bootstrap { _ in SinkLogHandler(sink: sink) }
        return sink
    }

    /// The restriction on registration, in words; `nil` for nothing.
    var registrationRestriction: String? {
        let mode: String? =
            switch auth.registration {
            case .open: nil
            case .invitation: "invitation: with a code that rest-auth invitations create makes"
            case .closed: "closed: by rest-auth users add only"
            }
        let work =
            auth.registration == .closed
            ? nil : auth.registrationChallenge.map { "a challenge of \($0) bits has to be solved" }
        let parts = [mode, work].compactMap { $0 }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

}

/// Redacted, because the database's URL may contain a password.
extension Settings: Redacted {}

/// Whether a live token may be traded for a new one; for `until`, a separate setting says for how
/// long.
enum TokenRenewalMode: String, Sendable, CaseIterable {
    case always
    case until
    case never
}

import Foundation
import Logging
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthPostgres

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
    /// Seconds after the password for which ``TokenRenewalMode/until`` renews a token.
    var tokenRenewalLimit = 43200 {
        didSet { if tokenRenewal == .until { tokenRenewal = .until } }
    }
    var breachedPasswords: String?
    var trustedProxies: [Network] = []
    var forwardedFields = ForwardedFamily.xForwarded
    var corsOrigins: [String] = []
    var passkeys = PasskeyNames()
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
    /// Reason why there are no passkeys, in words; `nil` where there are.
    private(set) var passkeyObstacle: String?
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
    private(set) var filesWithSecrets: [String] = []

    private init() {}

    /// - Throws: `misconfigured`, with the setting, where it came from and what it must be.
    package init(_ source: SettingsSource) throws {
        try source.refuseUnknown()
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
        try checkPersonalTokenLifetimes()
        auth.secrets = try givenSecrets(source)
        if let secrets = auth.secrets { try auth.legacySecret?.refuse(in: secrets.known) }
        auth.issuer = routes.publicURL ?? auth.issuer
        passkeyObstacle = try makeRelyingParty(source)
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

extension Settings {
    /// The mode of ``AuthConfiguration/tokenRenewal``, which also has the default.
    var tokenRenewal: TokenRenewalMode {
        get {
            switch auth.tokenRenewal {
            case .always: .always
            case .until: .until
            case .never: .never
            }
        }
        set {
            auth.tokenRenewal =
                switch newValue {
                case .always: .always
                case .until: .until(tokenRenewalLimit)
                case .never: .never
                }
        }
    }
}

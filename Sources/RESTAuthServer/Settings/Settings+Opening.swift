import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite

/// Opening the database and the core that the settings configure, and checking that it would
/// succeed.
extension Settings {
    /// Opens the configured database and the core over it. Only this method opens or makes files;
    /// when it fails, it removes what it made.
    /// - Parameters:
    ///   - createsMissing: whether to make the database when there is none.
    ///   - isServer: whether a server uses it, with many requests at once.
    func openAuth(createsMissing: Bool = false, isServer: Bool = false) async throws -> Auth {
        var configuration = auth
        // A command makes no passkeys, and may have to delete those of another domain.
        if !isServer { configuration.relyingParty = nil }
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
            if isServer { try checkPasskeys(boundTo: await storage.boundRelyingParty()) }
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
            let (keys, bound) = try await explainingPath(path) { try SQLiteStorage.checkUsable(path: path) }
            try checkPasskeys(boundTo: bound)
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
            let (keys, bound) = try await PostgresStorage.checkUsable(postgresConfiguration(url))
            try checkPasskeys(boundTo: bound)
            if let known { try check(keys, known) }
        }
    }

    /// Checks that a server can use the passkeys of its database.
    /// - Parameter bound: the domain that they are bound to; `nil` for a database without passkeys.
    private func checkPasskeys(boundTo bound: String?) throws(AuthError) {
        if let party = auth.relyingParty { return try Passkeys.check(party, boundTo: bound) }
        guard let bound, let passkeyObstacle else { return }
        throw AuthError(
            .misconfigured,
            """
            the passkeys in this database are bound to \(bound), and here nobody could use them, because \
            \(passkeyObstacle): make public_url one of \(bound), or remove all passkeys first
            """
        )
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
}

import RESTAuth

/// Checks of settings before any is read: which others are set beside them, and where.
extension SettingsSource {
    /// - Throws: `misconfigured` for a name that is no setting.
    func refuseUnknown() throws(AuthError) {
        if let refusal = unknown.first { throw refusal }
    }

    /// - Throws: `misconfigured` for secrets that contradict each other, or that may be another
    ///   application's.
    func refuseContradictions() throws(AuthError) {
        let (key, next, previous) = (self[.secret.key], self[.secret.next], self[.secret.previous])
        if let key, let file = self[.secret.file] { throw Self.contradiction(key.place, file.place) }
        if let secret = unprefixedSecret, let variable = applicationVariable {
            throw AuthError(
                .misconfigured,
                """
                \(secret) stands beside \(variable), so it is that application's, and would become this server's own \
                secret: unset it; if it is this server's, give it as \(Setting.environmentPrefix)\(secret)
                """)
        }
        if key == nil, let other = next ?? previous {
            throw AuthError(.misconfigured, "\(other.place) goes with secret_key: a file of secrets has both in it")
        }
        if next != nil, previous != nil {
            throw AuthError(
                .misconfigured, "secret_key_next and secret_key_previous are both set: one change goes after the other")
        }
    }

    /// Name of the variable that the secret key comes from, when it has no prefix, so that other
    /// programs may use it too.
    var unprefixedSecret: String? {
        [Setting.secret.key, Setting.secret.file]
            .first { $0.platformName != nil && self[$0]?.place == $0.platformName }?.platformName
    }

    /// Messages about variables that may be wrong, but do not prevent a start.
    var warnings: [String] {
        let url = Setting.database.url
        guard let variable = applicationVariable, let name = url.platformName, self[url]?.place == name else {
            return []
        }
        return [
            """
            \(name) stands beside \(variable): if it is that application's database, unset it here, and name this \
            server's with \(url.environmentName)
            """
        ]
    }
}

import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthHummingbird
import RESTAuthPostgres

/// Reads single settings and says what is wrong with them.
struct SettingsReader {
    let source: SettingsSource

    func text(_ setting: Setting) -> String? { source[setting]?.value }

    func number(_ setting: Setting, in range: ClosedRange<Int>, or word: String? = nil) throws -> Int? {
        guard let found = source[setting] else { return nil }
        guard let number = Int(found.value), range.contains(number) else {
            let alternative = word.map { ", or \($0)" } ?? ""
            throw wrong(found, "must be a whole number from \(range.lowerBound) to \(range.upperBound)\(alternative)")
        }
        return number
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ setting: Setting) throws -> Choice?
    where Choice.RawValue == String {
        guard let found = source[setting] else { return nil }
        guard let choice = Choice.allCases.first(where: { $0.rawValue.lowercased() == found.value.lowercased() }) else {
            throw wrong(found, "must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    func flag(_ setting: Setting) throws -> Bool? {
        guard let found = source[setting] else { return nil }
        guard let isOn = Self.flag(found.value) else { throw wrong(found, "must be yes or no") }
        return isOn
    }

    private static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "yes", "true", "on", "1": true
        case "no", "false", "off", "0": false
        default: nil
        }
    }

    private func list(_ setting: Setting) -> [String] {
        (text(setting) ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter {
            !$0.isEmpty
        }
    }

    private func wrong(_ found: SettingsSource.Found, _ rule: String) -> AuthError {
        AuthError(.misconfigured, "\(found.place) is \"\(found.shown)\" and \(rule)")
    }

    // MARK: Settings with rules of their own

    func listenAddress(_ setting: Setting) throws -> ListenAddress {
        guard let found = source[setting] else { return .host("127.0.0.1") }
        do {
            return try ListenAddress(found.value)
        } catch {
            throw wrong(found, error.reason.replacing(Setting.hostname.flag, with: setting.flag))
        }
    }

    func metricsAddress() throws -> ListenAddress {
        let address = try listenAddress(.metricsHostname)
        if case .unixSocket = address, let found = source[.metricsHostname] {
            throw wrong(found, "is a unix-domain socket, which Prometheus cannot read: write an address")
        }
        return address
    }

    func socketMode() throws -> mode_t {
        guard let found = source[.socketMode] else { return 0o660 }
        // In a YAML file, 0660 and 0o660 are ways to write it, and 660 is what is meant by that.
        let digits = found.value.hasPrefix("0o") ? found.value.dropFirst(2) : found.value[...]
        guard let mode = mode_t(digits, radix: 8), mode <= 0o777, mode & 0o600 == 0o600 else {
            throw wrong(found, "must be a mode in octal digits that lets its owner read and write, such as 0660")
        }
        return mode
    }

    func socketGroup() throws -> gid_t? {
        guard let found = source[.socketGroup] else { return nil }
        if let number = gid_t(found.value) { return number }
        guard let group = getgrnam(found.value) else {
            throw wrong(found, "must be a group of this machine, by name or number")
        }
        return group.pointee.gr_gid
    }

    func database() throws -> DatabaseURL {
        guard let found = source[.databaseURL] else { return .sqlite(path: "rest-auth.sqlite") }
        return try DatabaseURL(found.value, place: found.place)
    }

    func databasePooler() throws -> PostgresConfiguration.Pooler {
        guard let found = source[.databasePooler], found.value.lowercased() != "auto" else { return .auto }
        guard let isThere = Self.flag(found.value) else { throw wrong(found, "must be auto, yes or no") }
        return isThere ? .yes : .no
    }

    /// What may be wrong in the environment and keeps nobody from starting.
    func warnings() -> [String] {
        guard let variable = source.applicationVariable, let name = Setting.databaseURL.platformName,
            source[.databaseURL]?.place == name
        else { return [] }
        return [
            "\(name) stands beside \(variable): if it is that application's database, unset it here, and name this server's with \(Setting.databaseURL.environmentName)"
        ]
    }

    func throttle() throws -> ThrottleConfiguration {
        var throttle = ThrottleConfiguration()
        throttle.isOn = try flag(.throttle) ?? throttle.isOn
        throttle.accountFailures =
            try number(.accountFailures, in: 1...ThrottleConfiguration.longestSeries) ?? throttle.accountFailures
        throttle.networkFailures = try number(.networkFailures, in: 1...1_000_000) ?? throttle.networkFailures
        throttle.hashingBudget = try number(.hashingBudget, in: 1...1_000_000) ?? throttle.hashingBudget
        throttle.registrationsPerHour = try rate(.registrationsPerHour, unlessSet: throttle.registrationsPerHour)
        throttle.sessionsPerHour = try rate(.sessionsPerHour, unlessSet: throttle.sessionsPerHour)
        throttle.userLookupsPerHour = try rate(.userLookupsPerHour, unlessSet: throttle.userLookupsPerHour)
        return throttle
    }

    /// So many an hour; `nil` for as many as come.
    private func rate(_ setting: Setting, unlessSet standard: Int?) throws -> Int? {
        text(setting)?.lowercased() == "none" ? nil : try number(setting, in: 1...1_000_000, or: "none") ?? standard
    }

    func publicURL() throws -> String? {
        guard let found = source[.publicURL] else { return nil }
        do {
            return try PublicURL.read(found.value)
        } catch {
            throw wrong(found, "must be an http or https URL such as https://auth.example.com: \(error.detail)")
        }
    }

    /// Those that are given themselves; `nil` for those of a file.
    func secrets() throws -> InstanceSecrets? {
        if let key = source[.secretKey], let file = source[.secretKeyFile] {
            throw SettingsSource.contradiction(key.place, file.place)
        }
        if let secret = unprefixedSecret, let variable = source.applicationVariable {
            throw AuthError(
                .misconfigured,
                """
                \(secret) stands beside \(variable), so it is that application's, and would become this server's own secret: \
                unset it; if it is this server's, give it as \(Setting.environmentPrefix)\(secret)
                """)
        }
        let (next, previous) = (source[.secretKeyNext], source[.secretKeyPrevious])
        guard let found = source[.secretKey] else {
            guard let other = next ?? previous else { return nil }
            throw AuthError(.misconfigured, "\(other.place) goes with secret_key: a file of secrets has both in it")
        }
        guard next == nil || previous == nil else {
            throw AuthError(
                .misconfigured, "secret_key_next and secret_key_previous are both set: one change goes after the other")
        }
        let present = try secret(found) { text throws(AuthError) in try InstanceSecret(text) }
        if let next {
            return try secret(next) { text throws(AuthError) in
                try InstanceSecrets(present, next: InstanceSecret(text))
            }
        }
        if let previous {
            return try secret(previous) { text throws(AuthError) in
                try InstanceSecrets(present, previous: InstanceSecret(retired: text))
            }
        }
        return InstanceSecrets(present)
    }

    /// The variable that the secret key comes from, where other programs have one of that name.
    var unprefixedSecret: String? {
        [Setting.secretKey, .secretKeyFile].first { $0.platformName != nil && source[$0]?.place == $0.platformName }?
            .platformName
    }

    private func secret<Secret>(
        _ found: SettingsSource.Found, _ read: (String) throws(AuthError) -> Secret
    ) throws -> Secret {
        do {
            return try read(found.value)
        } catch {
            throw AuthError(.misconfigured, "\(found.place): \(error.detail)")
        }
    }

    func tokenAudience() throws -> [String] {
        let audience = list(.tokenAudience)
        // Each is taken as it stands, and no service is called so.
        for name in audience
        where name == "*" || name.utf8.contains(UInt8(ascii: "\"")) || name.utf8.first.map("'[{".utf8.contains) == true
        {
            throw AuthError(
                .misconfigured,
                """
                \(source[.tokenAudience]?.place ?? "") has \(name.debugDescription), which no service is called: write their \
                names with commas between them and without quotes, as api,https://notes.example.com
                """)
        }
        do {
            try AuthConfiguration.checkAudience(audience)
        } catch {
            throw AuthError(.misconfigured, "\(source[.tokenAudience]?.place ?? ""): \(error.detail)")
        }
        return audience
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

    func passwordPepper() throws -> PasswordPepper? {
        guard let found = source[.passwordPepper] else { return nil }
        guard let pepper = try PasswordPepper(Array(found.value.utf8)) else {
            throw AuthError(.misconfigured, "\(found.place) is longer than \(PasswordPepper.maximumBytes) bytes")
        }
        return pepper
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
        for origin in origins where origin != "*" {
            do {
                _ = try OriginPattern(origin)
            } catch {
                throw AuthError(.misconfigured, "\(source[.corsOrigins]?.place ?? "") has \(error.detail)")
            }
        }
        return origins
    }

    func headLimits() throws -> HeadLimits {
        let range = 4096...(1 << 20)
        return HeadLimits(
            ordinary: try number(.headLimit, in: range) ?? 16 << 10,
            verify: try number(.verifyHeadLimit, in: range) ?? 32 << 10)
    }

    func trustedProxies() throws -> [Network] {
        try list(.trustedProxies).map { text in
            do throws(AuthError) {
                return try Network(written: text)
            } catch {
                throw AuthError(
                    .misconfigured, "\(source[.trustedProxies]?.place ?? "") has \"\(text)\": \(error.detail)")
            }
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

import Foundation
import RESTAuth
import RESTAuthPostgres

/// Where users are kept: what `database_url` may be.
enum DatabaseURL {
    case sqlite(path: String)
    /// A connection URI of PostgreSQL, which may hold a password.
    case postgres(String)

    /// - Parameter place: where it was given, for the message.
    /// - Throws: `misconfigured`.
    init(_ text: String, place: String) throws(AuthError) {
        if let file = try SQLiteURL(text, place: place) {
            self = .sqlite(path: file.path)
        } else if let uri = PostgresConfiguration.uri(text) {
            self = .postgres(uri)
        } else {
            // Not repeated: in what is not understood nobody knows where a password stands.
            throw AuthError(
                .misconfigured,
                """
                \(place) must look like sqlite:rest-auth.sqlite, sqlite:/var/lib/rest-auth/rest-auth.sqlite \
                or postgres://user@host/database
                """)
        }
    }

    /// As a setting has it.
    var url: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .postgres(let url): url
        }
    }

    /// Whether what travels to the database could be read or answered by somebody between: another
    /// machine, and nobody said that its certificate must be its own.
    var isOpenToOthers: Bool {
        guard case .postgres(let url) = self, !url.contains("sslmode=verify-full") else { return false }
        // Several hosts with ports are nothing that can be parsed here, and no loopback.
        guard let host = URLComponents(string: url).map({ $0.host ?? "" }) else { return true }
        return
            !(host.isEmpty || host == "localhost" || host.hasPrefix("127.") || host == "[::1]" || host.hasPrefix("%2F")
            || host.hasPrefix("/"))
    }

    /// The text for eyes other than the database's.
    ///
    /// What libpq takes for the password and what was meant to be it may differ, so that everything
    /// between the first colon after the scheme and the last at sign is hidden, and what stands in
    /// the place of a port and is none.
    static func withoutPassword(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let rest = text[scheme.upperBound...]
        let shown: String
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at]
            // A colon may be written as %3A.
            let isAlone = !user.contains { ":%".contains($0) }
            shown = user.prefix { !":%".contains($0) } + (isAlone ? "" : ":***") + rest[at...]
        } else {
            let authority = rest.prefix { !"/?#".contains($0) }
            let hosts = String(authority).replacing(/:(?<port>[^,:\]]*)(?=,|$)/) { host in
                host.output.port.allSatisfy(\.isWholeNumber) ? "\(host.output.0)" : ":***"
            }
            let isMisread = hosts.contains("***")
            shown = hosts + (isMisread ? "" : rest[authority.endIndex...])
        }
        return text[..<scheme.upperBound] + hidingParameters(of: shown)
    }

    /// Of the parameters those are shown of which it is known that they are no secret. A password
    /// with an ampersand or a hash sign in it goes on as a parameter, or behind them.
    private static func hidingParameters(of text: String) -> String {
        let parts = text.prefix { $0 != "#" }.split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let fragment = text.contains("#") ? "#***" : ""
        guard let address = parts.first, parts.count == 2 else { return parts.joined() + fragment }
        let parameters = parts[1].split(separator: "&", omittingEmptySubsequences: false).map { parameter in
            let name = parameter.prefix { $0 != "=" }
            guard publicParameters.contains(String(name)) else {
                return name.lowercased().contains("password") ? "\(name)=***" : "***"
            }
            return String(parameter)
        }
        return "\(address)?\(parameters.joined(separator: "&"))\(fragment)"
    }

    private static let publicParameters: Set<String> = [
        "host", "hostaddr", "port", "dbname", "user", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl",
        "ssl_min_protocol_version", "channel_binding", "gssencmode", "application_name", "fallback_application_name",
        "connect_timeout", "options", "target_session_attrs", "load_balance_hosts", "keepalives", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "tcp_user_timeout", "passfile", "service", "client_encoding",
    ]
}

extension DatabaseURL: CustomStringConvertible {
    /// Without the password.
    var description: String {
        switch self {
        case .sqlite(let path): URL(fileURLWithPath: path).path
        case .postgres(let url): Self.withoutPassword(url)
        }
    }
}

import Foundation
import RESTAuth
import RESTAuthHummingbird
import RESTAuthPostgres

/// The database that `database_url` names.
enum DatabaseURL {
    case sqlite(path: String)
    /// A connection URI of PostgreSQL, which may hold a password.
    case postgres(String)

    /// - Parameter place: where the URL was given, for the message.
    /// - Throws: `misconfigured`.
    init(_ text: String, place: String) throws(AuthError) {
        if let file = try SQLiteURL(text, place: place) {
            self = .sqlite(path: file.path)
        } else if let uri = PostgresConfiguration.uri(text) {
            self = .postgres(uri)
        } else {
            // The text is not repeated: where it cannot be parsed, it is unknown which part is a
            // password.
            throw AuthError(
                .misconfigured,
                """
                \(place) must look like sqlite:rest-auth.sqlite, sqlite:/var/lib/rest-auth/rest-auth.sqlite \
                or postgres://user@host/database
                """)
        }
    }

    /// The URL as it is written in a setting.
    var url: String {
        switch self {
        case .sqlite(let path): "sqlite:\(path)"
        case .postgres(let url): url
        }
    }

    /// Whether someone on the network could read or forge the traffic with the database: it is on
    /// another machine, and the URL does not require a verified certificate.
    var isOpenToOthers: Bool {
        guard case .postgres(let url) = self, PostgresConfiguration.parameter("sslmode", of: url) != "verify-full"
        else { return false }
        // A list of hosts with ports cannot be parsed here, and is not a loopback address.
        guard let host = URLComponents(string: url).map({ $0.host ?? "" }) else { return true }
        return !(host.isEmpty || HostName.isLoopback(host) || host.hasPrefix("%2F") || host.hasPrefix("/"))
    }

    /// The URL with its password hidden, for logs and messages.
    ///
    /// The password that libpq finds may differ from the one that was meant. So everything between
    /// the first colon after the scheme and the last at sign is hidden, and any text in the place
    /// of a port that is not a number.
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

    /// Shows only the parameters that are known not to be secret. A password with an ampersand or a
    /// hash sign in it continues as a parameter, or in the fragment.
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
    /// The URL or path, without the password.
    var description: String {
        switch self {
        case .sqlite(let path): URL(fileURLWithPath: path).path
        case .postgres(let url): Self.withoutPassword(url)
        }
    }
}

import CLibpq
import Foundation
import RESTAuth

/// The parameters of a connection URI: the part after the question mark.
///
/// Other clients know other parameters than libpq, and URLs are passed from one client to another.
struct URIParameters {
    private let parameters: [(name: String, value: String)]

    init(of uri: String) {
        let query = uri.utf8.split(separator: UInt8(ascii: "?"), maxSplits: 1).dropFirst().first ?? ""[...].utf8
        parameters = query.split(separator: UInt8(ascii: "&")).map { parameter in
            let parts = parameter.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let texts = parts.map { part in
                let text = String(Substring(part))
                return text.removingPercentEncoding ?? text
            }
            return (texts.first ?? "", texts.dropFirst().first ?? "")
        }
    }

    /// The value that libpq takes: that of the last parameter of this name.
    fileprivate subscript(name: String) -> String? { parameters.last { $0.name == name }?.value }

    /// Checks the parameters.
    /// - Throws: `misconfigured` for a parameter that libpq does not know, naming what to write
    ///   instead. Values are not repeated in the message, except that of `sslmode`.
    func check() throws(AuthError) {
        for (name, value) in parameters {
            guard !value.isEmpty || Self.known.contains(name) else {
                throw AuthError(
                    .misconfigured,
                    """
                    the URL of the database has a parameter without a value; where it is part of a password, write & \
                    there as %26
                    """
                )
            }
            if name == "sslmode", !Self.tlsModes.contains(value) { throw Self.wrongMode(value) }
            // JDBC's form `ssl=true`, which libpq reads too.
            guard !Self.known.contains(name), (name, value) != ("ssl", "true") else { continue }
            let advice =
                Self.foreign.first { $0.names.contains(name.lowercased()) }?.advice
                ?? "take it out, or if it is a setting of the server, write options=-cNAME%3DVALUE"
            throw AuthError(
                .misconfigured,
                """
                the URL of the database has the parameter \(name), which PostgreSQL's own client does not read: \
                \(advice)
                """
            )
        }
    }

    private static let tlsModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

    private static func wrongMode(_ mode: String) -> AuthError {
        let advice =
            mode == "no-verify"
            ? "sslmode=require is the same here: encrypted, and the server's certificate is not verified"
            : "it is one of \(tlsModes.joined(separator: ", ")); verify-full with sslrootcert=FILE verifies the server"
        return AuthError(.misconfigured, "the URL of the database has sslmode=\(mode): \(advice)")
    }

    /// Names of the parameters that the installed libpq knows.
    private static let known: Set<String> = {
        guard let options = PQconndefaults() else { return [] }
        defer { PQconninfoFree(options) }
        var (names, next): (Set<String>, _) = ([], options)
        while let keyword = next.pointee.keyword {
            names.insert(String(cString: keyword))
            next += 1
        }
        return names
    }()

    /// Parameters of other clients, in lower case, with what to write here instead.
    private static let foreign: [(names: Set<String>, advice: String)] = [
        (
            [
                "pgbouncer", "preparethreshold", "preparedstatementcachequeries", "prepared_statement_cache_size",
                "statement_cache_capacity", "statement_cache_size", "prepared_statements", "prepare",
                "default_query_exec_mode", "statement_cache_mode",
            ], "take it out: a pooler is recognised, and the setting database_pooler (auto, yes, no) says otherwise"
        ),
        (
            ["schema", "currentschema", "search_path", "searchpath"],
            "the setting database_schema names the schema, or here options=-csearch_path%3DNAME"
        ),
        (
            [
                "connection_limit", "pool", "pool_size", "pool_max_conns", "pool_min_conns", "max", "min",
                "max_connections", "maximum_pool_size", "max_pool_size", "min_pool_size", "maxpoolsize", "minpoolsize",
                "max_overflow",
            ], "the setting database_connections says how many connections there are"
        ),
        (
            [
                "pool_timeout", "socket_timeout", "sockettimeout", "statement_timeout", "query_timeout",
                "command_timeout", "commandtimeout", "checkout_timeout",
            ], "the setting database_timeout says how long a statement may take, in seconds"
        ),
        (
            ["connecttimeout", "logintimeout", "connection_timeout", "connectiontimeout", "timeout"],
            "write connect_timeout, in seconds"
        ),
        (
            ["sslaccept"],
            "strict is sslmode=verify-full with sslrootcert=FILE, accept_invalid_certs is sslmode=require"
        ),
        (
            ["ssl", "ssl_mode", "tls"],
            """
            write sslmode=disable, sslmode=require (encrypted), or sslmode=verify-full with sslrootcert=FILE (verified)
            """
        ),
        (["applicationname", "application-name"], "write application_name"),
        (["targetservertype"], "take it out, the primary is looked for; otherwise write target_session_attrs"),
    ]
}

extension PostgresConfiguration {
    /// The value of a parameter of a connection URI; `nil` if it has none of that name.
    package static func parameter(_ name: String, of uri: String) -> String? { URIParameters(of: uri)[name] }

    /// Converts a URI to the form of libpq, from one with SQLAlchemy's driver name
    /// (`postgresql+psycopg2://`) or JDBC's prefix.
    /// - Returns: the URI; `nil` for a text that is not a PostgreSQL URI.
    package static func uri(_ text: String) -> String? {
        guard let match = text.prefixMatch(of: /(?:jdbc:)?(postgres(?:ql)?)(?:\+[a-z0-9_]+)?:\/\//) else { return nil }
        return match.output.1 + "://" + text[match.range.upperBound...]
    }
}

import Foundation
import RESTAuth

/// Where the database is and how it is used.
public struct PostgresConfiguration: Sendable {
    /// A connection URI as libpq takes it:
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`. Several hosts may be
    /// named; the primary among them is used. What the URI leaves out comes from the `PG…`
    /// variables of the environment, the password also from `~/.pgpass`.
    public var url: String

    /// The schema that holds the tables. `nil` takes the first of the role's `search_path`, which
    /// is `public` where nobody changed it.
    public var schema: String?

    /// Connections that write, at most one transaction on each at a time. One more reads, for
    /// everyone at once, and one listens.
    public var writers = 4

    /// Seconds that a caller waits for the database, time in the queue included; then it is told to
    /// come back. The server cancels a statement that has run for as long.
    public var timeout = 3

    /// Statements that may wait for the database. Beyond, a caller is told to come back at once:
    /// memory stays bounded.
    public var queue = 4096

    /// What is known of a pooler, such as PgBouncer, between this process and the server.
    public enum Pooler: String, Sendable, CaseIterable {
        /// It is looked for on each connection. One that is found is taken for ``yes``, whatever
        /// its mode.
        case auto
        /// One stands between, and changes the server's connection between transactions. So nothing
        /// is set up on a connection: no prepared statements, no listening, and schema and time
        /// limits have to be those of the role.
        case yes
        /// There is none, or one that gives each client a connection of the server's to itself
        /// (session mode). One that does not is refused.
        case no
    }

    public var pooler = Pooler.auto

    public init(url: String) {
        self.url = url
    }

    /// Scheme, perhaps who, hosts with ports, and the rest, without an @ that is not where it
    /// belongs.
    private static var outline: Regex<Substring> {
        #/
        [a-z]+ :// (?: [^/?\#@]* @ )?
        (?: \[[^\]]*\] | [^/?\#@:,]* ) (?: :\d* )?
        (?: , (?: \[[^\]]*\] | [^/?\#@:,]* ) (?: :\d* )? )*
        (?: [/?] [^@]* )?
        /#
    }

    /// - Throws: `misconfigured`, naming what is wrong.
    func validate() throws(AuthError) {
        guard (1...1000).contains(writers), (1...600).contains(timeout), (1...1_000_000).contains(queue) else {
            throw AuthError(.misconfigured, "writers must be 1 to 1000, timeout 1 to 600 seconds, queue 1 to 1000000")
        }
        // Otherwise libpq takes a part of the password for the host, and its words about that would
        // repeat it.
        guard url.wholeMatch(of: Self.outline) != nil, !url.contains("%00"), url.removingPercentEncoding != nil else {
            throw AuthError(
                .misconfigured,
                """
                the URL of the database has a character in its password or elsewhere that must be written as % and two \
                digits, such as %40 for @
                """
            )
        }
        try URIParameters(of: url).check()
    }
}

/// The URI may hold a password.
extension PostgresConfiguration: Redacted {}

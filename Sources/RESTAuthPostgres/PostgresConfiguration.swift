import Foundation
import RESTAuth

/// The address of the database and how it is used.
public struct PostgresConfiguration: Sendable {
    /// A connection URI in the form of libpq:
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`. It may name several
    /// hosts, of which the primary is used. Parts that the URI leaves out are taken from the `PG…`
    /// variables of the environment, the password also from `~/.pgpass`.
    public var url: String

    /// Schema of the tables. `nil` takes the first one of the role's `search_path`, which is
    /// `public` by default.
    public var schema: String?

    /// Number of connections that write, each with one transaction at a time. One more connection
    /// reads, for all callers at the same time, and another one listens.
    public var writers = 4

    /// Seconds that a caller waits for the database, including the queue; after that it is told to
    /// try again later. The server cancels a statement after the same time.
    public var timeout = 3

    /// Number of statements that may wait for the database. Any more are told at once to try again
    /// later, so that memory stays bounded.
    public var queue = 4096

    /// Knowledge of a pooler, such as PgBouncer, between this process and the server.
    public enum Pooler: String, Sendable, CaseIterable {
        /// Look for a pooler on each connection. A pooler that is found is treated as ``yes``,
        /// whatever its mode.
        case auto
        /// A pooler changes the server's connection between transactions. Nothing is set up on a
        /// connection then: no prepared statements, no listening, and schema and time limits must
        /// be set for the role.
        case yes
        /// There is no pooler, or one in session mode, which gives each client a connection to the
        /// server of its own. Another kind of pooler is refused.
        case no
    }

    public var pooler = Pooler.auto

    public init(url: String) {
        self.url = url
    }

    /// The form of a URI: scheme, optional user, hosts with ports, and the rest, with an @ only
    /// after the user.
    private static var outline: Regex<Substring> {
        #/
        [a-z]+ :// (?: [^/?\#@]* @ )?
        (?: \[[^\]]*\] | [^/?\#@:,]* ) (?: :\d* )?
        (?: , (?: \[[^\]]*\] | [^/?\#@:,]* ) (?: :\d* )? )*
        (?: [/?] [^@]* )?
        /#
    }

    /// Checks the ranges and the URI.
    /// - Throws: `misconfigured`, naming the fault.
    func validate() throws(AuthError) {
        guard (1...1000).contains(writers), (1...600).contains(timeout), (1...1_000_000).contains(queue) else {
            throw AuthError(.misconfigured, "writers must be 1 to 1000, timeout 1 to 600 seconds, queue 1 to 1000000")
        }
        // Otherwise libpq would take a part of the password for the host, and show it in its error
        // message.
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

/// Redacted because the URI may hold a password.
extension PostgresConfiguration: Redacted {}

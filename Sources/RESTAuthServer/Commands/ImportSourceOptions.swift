import ArgumentParser
import Foundation
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite

/// The source of the users.
struct ImportSourceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            SQLite file or postgresql:// URL of a Flask server: table users, or user, with id, username and \
            password_hash.
            """,
            valueName: "file|url"))
    var fromFlask: String?

    @Option(
        help: ArgumentHelp(
            "SQLite file or postgres:// URL of a Django project with the table auth_user.", valueName: "file|url"))
    var fromDjango: String?

    @Option(
        help: ArgumentHelp(
            """
            Comma-separated values, also with semicolons or tabs; the first line names username, password_hash and if \
            wanted id, created_at, disabled, or the columns of an export of Auth0 or GoTrue. - is standard input.
            """,
            valueName: "file"))
    var csv: String?

    @Option(
        name: [.customLong("json"), .customLong("jsonl")],
        help: ArgumentHelp(
            """
            JSON: an object a line, as users export writes them, or a list of them, or an export of Auth0, Cognito, \
            Firebase, GoTrue (Supabase) or Keycloak, which is recognised. - is standard input.
            """,
            valueName: "file")
    )
    var json: String?

    @Option(
        help: ArgumentHelp(
            "With Firebase's users: the project's password hash parameters, as its console shows them.",
            valueName: "file")
    )
    var firebaseHashConfig: String?

    /// Whether the source is the database of an application, which has its own `SECRET_KEY`.
    var isApplication: Bool { fromFlask != nil || fromDjango != nil }

    /// Whether the parameters that Firebase's hashes need are missing.
    var lacksFirebaseParameters: Bool { json != nil && firebaseHashConfig == nil }

    func validate() throws {
        guard [fromFlask, fromDjango, csv, json].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("Name one source: --from-flask, --from-django, --csv or --json.")
        }
        guard firebaseHashConfig == nil || json != nil else {
            throw ValidationError("--firebase-hash-config belongs to --json.")
        }
    }

    func open() async throws -> any UserSource {
        if let csv { return try CommaSeparatedUsers(reading: csv) }
        if let json {
            return try JSONLines(reading: json, firebase: firebaseHashConfig.map(FirebaseParameters.init(reading:)))
        }
        if let fromFlask {
            return switch try ForeignDatabase(fromFlask) {
            case .postgres(let url): try await PostgresUsers(ofFlask: url)
            case .sqlite(let path): try ForeignUsers(ofFlask: path)
            }
        }
        return switch try ForeignDatabase(fromDjango ?? "") {
        case .postgres(let url): try await PostgresUsers(ofDjango: url)
        case .sqlite(let path): try ForeignUsers(ofDjango: path)
        }
    }
}

/// The database of another program, given in that program's notation: a path, or a URL as
/// SQLAlchemy and Django write it.
private enum ForeignDatabase {
    case sqlite(path: String)
    case postgres(String)

    init(_ text: String) throws(AuthError) {
        let name = WireText(text)
        let scheme = name.before(":").before("+")
        guard name.from(":").begins(with: "://") || scheme.isWord("sqlite") else {
            self = .sqlite(path: text)
            return
        }
        let rest = name.from(":").string
        if scheme.isWord("postgres") || scheme.isWord("postgresql") {
            self = .postgres("postgresql\(rest)")
        } else if scheme.isWord("sqlite") {
            // In SQLAlchemy's URLs three slashes precede a relative path, four an absolute one.
            let path = WireText(rest).after(":///") ?? WireText(WireText(rest).string.dropFirst())
            self = .sqlite(path: path.before("?").string)
        } else {
            throw AuthError(
                .misconfigured,
                """
                databases of the kind \(scheme.string) are not read: write id, username and password_hash of its users \
                to a list, and import that with --csv
                """)
        }
    }
}

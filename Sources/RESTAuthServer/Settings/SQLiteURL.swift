import Foundation
import RESTAuth

/// A `database_url` for a SQLite file: `sqlite:` and a path. Two slashes before the path are
/// ignored.
struct SQLiteURL {
    let path: String

    /// `nil` when the text does not name a SQLite file, in this or in another program's notation.
    /// - Parameter place: where the text was given, for the message.
    /// - Throws: `misconfigured` for a database in memory, and for other programs' notation of a
    ///   file, with what to write instead. The message repeats no part of the text that could hold
    ///   a password.
    init?(_ text: String, place: String) throws(AuthError) {
        guard let rest = Self.rest(of: text, after: "sqlite:") else {
            guard let foreign = Self.foreignPath(text) else { return nil }
            throw AuthError(.misconfigured, "\(place) is no URL of ours; for a file of SQLite write sqlite:\(foreign)")
        }
        let path = Self.withoutSlashes(rest)
        guard !Self.isInMemory(path) else {
            throw AuthError(
                .misconfigured,
                """
                \(place) names no file, or a database in memory, which would end with the process; write \
                sqlite:rest-auth.sqlite
                """
            )
        }
        if let parameters = path.firstIndex(of: "?") {
            throw AuthError(
                .misconfigured,
                "\(place) has parameters, which SQLite is given none of: write sqlite:\(path[..<parameters])")
        }
        if path.hasPrefix("~/") {
            throw AuthError(
                .misconfigured,
                "\(place) begins with ~, which only a shell reads: write sqlite:\(NSHomeDirectory())\(path.dropFirst())"
            )
        }
        // The path is not repeated: it may contain a password.
        guard path.firstRange(of: "://") == nil else {
            throw AuthError(
                .misconfigured, "\(place) has another URL behind sqlite:; write that alone, or sqlite: and a path")
        }
        self.path = path
    }

    /// The relative path that three slashes mean in SQLAlchemy; here they mean another file.
    static func relativeReading(of text: String) -> String? {
        rest(of: text, after: "sqlite:///").flatMap { $0.isEmpty || $0.hasPrefix("/") ? nil : $0 }
    }

    // MARK: Notations of other programs

    /// The path of a file written in another program's notation; `nil` when nothing shows that it
    /// is one.
    private static func foreignPath(_ text: String) -> String? {
        if let driver = text.prefixMatch(of: /sqlite\+[a-z0-9_]+:\/\/\/?/) {
            return own(String(text[driver.range.upperBound...]))
        }
        for scheme in ["jdbc:sqlite:", "sqlite3:", "file:"] {
            if let rest = rest(of: text, after: scheme) { return own(withoutSlashes(rest)) }
        }
        // Excludes `password=…` in libpq's other notation as well.
        return text.isEmpty || text.contains(where: { ":@=".contains($0) }) ? nil : own(text)
    }

    private static func own(_ path: String) -> String {
        let name = path.prefix { $0 != "?" }
        return name.isEmpty || isInMemory(String(name)) ? "rest-auth.sqlite" : String(name)
    }

    private static func isInMemory(_ path: String) -> Bool {
        path.isEmpty || path == "/" || path.hasPrefix("file:") || path.hasPrefix("/file:") || path.contains(":memory:")
    }

    private static func rest(of text: String, after beginning: String) -> String? {
        text.hasPrefix(beginning) ? String(text.dropFirst(beginning.count)) : nil
    }

    /// The path without the two slashes of a URL; of more slashes, one is left.
    private static func withoutSlashes(_ rest: String) -> String {
        let path = rest.hasPrefix("//") ? rest.dropFirst(2) : rest[...]
        return path.hasPrefix("//") ? "/" + path.drop { $0 == "/" } : String(path)
    }
}

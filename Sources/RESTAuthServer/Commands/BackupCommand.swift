import ArgumentParser
import Foundation
import RESTAuth
import RESTAuthSQLite

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the database into a file, also while the server runs.",
        discussion: """
              rest-auth backup /backups/rest-auth.sqlite
              rest-auth backup /backups/rest-auth.sqlite --force \\
                  --database sqlite:/var/lib/rest-auth/rest-auth.sqlite

            The file has everything that was acknowledged before the command started. It appears whole, checked and on \
            disk, or not at all, and only its owner may read it: who had the file that it replaces, or else whoever \
            runs this; what root makes is the directory's owner's. The secret is not in it: keep that apart, because \
            whoever has both has the keys that sign tokens.

            For a PostgreSQL database use pg_dump, or PostgreSQL's continuous archiving.
            """)

    @Argument(help: "The file to make.") var file: String
    @Flag(help: "Replace the file when there is one.") var force = false
    @OptionGroup var options: SettingsOptions<DatabaseSettings, SecretSettings>

    func run() async throws { try await options.withSettings(backUp) }

    private func backUp(_ settings: Settings) async throws {
        let database = try settings.sqliteFile(
            orElse: "back it up with pg_dump or with PostgreSQL's continuous archiving")
        try await settings.explainingPath(database.path) { try copy(database) }
        Output.report("Backed up \(database.path) to \(file).")
        SQLiteFile(file).sayIfForeign()
        let secret =
            settings.placeOfSecret.map { "The secret in \($0)" }
            ?? "The secret that the servers are given"
        Output.report(
            "\(secret) is not in it: keep it too, in another place. Without it no server starts on the backup.")
    }

    private func copy(_ database: SQLiteFile) throws {
        let report = ProgressReport()
        defer { report.end() }
        let event = AuthEvent.backupMade(file).by(.commandLine, at: .now)
        try database.backUp(to: file, isReplacing: force, recording: event) { reason in
            Output.note("rest-auth: this backup is not recorded in the audit trail: \(reason)\n")
        } report: { done, total in
            report.showPages(done, of: total)
        }
    }
}

extension ProgressReport {
    /// Shows how many pages are copied; nothing for a small database.
    func showPages(_ done: Int, of total: Int) {
        if total > 10_000 { show("copying", part: "\(total) pages", done: done, total: total) }
    }
}

extension SQLiteFile {
    /// Reports the owner of the file, when it is not the user that runs the command.
    func sayIfForeign() {
        guard let owner = FileOwner(of: path), owner.user != FileOwner.process.user else { return }
        Output.report("\(path) belongs to \(owner.userName).")
    }
}

extension Settings {
    /// The file of the database.
    /// - Throws: `misconfigured` with `advice` when the database is not a file of SQLite.
    func sqliteFile(orElse advice: String) throws -> SQLiteFile {
        guard case .sqlite(let path) = database else {
            throw AuthError(.misconfigured, "the database is not a file of SQLite: \(advice)")
        }
        return SQLiteFile(path)
    }
}

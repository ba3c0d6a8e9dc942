import ArgumentParser
import Foundation
import RESTAuth
import RESTAuthSQLite

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Put a backup in the place of the database.",
        discussion: """
              rest-auth restore /backups/rest-auth.sqlite
              rest-auth restore /backups/rest-auth.sqlite --force \\
                  --database sqlite:/var/lib/rest-auth/rest-auth.sqlite

            The file is checked before anything is changed, and stays where it is. With --force a database that is \
            there is replaced, and kept as NAME.before-restore; the owner and the mode stay. Stop the servers first: \
            while one has the database open, it is not replaced.

            Who was signed out, disabled or deleted since the backup is as before. Revoke again what must stay revoked.
            """)

    @Argument(help: "The file that rest-auth backup made.") var file: String
    @Flag(help: "Replace the database when there is one.") var force = false
    @OptionGroup var options: SettingsOptions<DatabaseSettings, SecretSettings>

    func run() async throws { try await options.withSettings(restore) }

    private func restore(_ settings: Settings) throws {
        let database = try settings.sqliteFile(orElse: "put it back with PostgreSQL's own tools, such as pg_restore")
        let kept = try restore(database)
        Output.report("Restored \(database.path) from \(file).")
        database.sayIfForeign()
        if let kept { Output.report("What was there before is kept as \(kept).") }
        if let secret = settings.placeOfSecret, !FileManager.default.fileExists(atPath: secret) {
            let warning =
                """
                rest-auth: there is no secret in \(secret); put the one there that belongs to the backup: no server \
                starts without it\n
                """
            Output.note(warning)
        }
    }

    private func restore(_ database: SQLiteFile) throws -> String? {
        let report = ProgressReport()
        defer { report.end() }
        let event = AuthEvent.backupRestored(file).by(.commandLine, at: .now)
        return try database.restore(from: file, isReplacing: force, recording: event) { done, total in
            report.showPages(done, of: total)
        }
    }
}

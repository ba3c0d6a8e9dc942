import ArgumentParser
import Foundation
import Logging
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite

extension UsersCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring in the users of another system, who keep their passwords.",
            discussion: """
                  rest-auth users import --from-flask data.sqlite --dry-run
                  rest-auth users import --from-flask data.sqlite
                  rest-auth users import --from-flask postgresql://flask@db.example.com/site
                  rest-auth users import --from-django postgres://django@db.example.com/site
                  rest-auth users import --csv users.csv
                  rest-auth users import --json auth0.json
                  rest-auth users import --json firebase.json --firebase-hash-config hash-config.txt
                  rest-auth users import --json keycloak-realm.json
                  rest-auth users import --json cognito.json --without-password
                  rest-auth users export --include-password-hashes | rest-auth users import --jsonl - --database sqlite:other.sqlite

                What is imported from is only read. Nobody comes in while one would be refused: mend the source and repeat the command, or say \
                with --skip-refused, --without-password or --renumber what is to become of them. A user whose name is there already is skipped, so \
                a command that was interrupted is repeated. Ids are kept. Who is refused, and why, is said on standard error, the first three \
                of each cause, and completely in the file of --report.

                Exit status 0 when nobody was refused, 1 otherwise.
                """)

        @OptionGroup var source: ImportSourceOptions
        @Flag(help: "Check everything and write nothing.") var dryRun = false
        @Flag(help: "Leave out who is refused, and bring in all others. Their ids are kept for when they come again.")
        var skipRefused = false
        @Flag(
            help: """
                Bring in without a password who has no usable hash: rest-auth users set-password gives one. Whose hash costs too much stays refused.
                """)
        var withoutPassword = false
        @Flag(help: "Give another id to whose id is not free.") var renumber = false
        @Option(
            help: ArgumentHelp(
                "Write who was refused, skipped, given another id or no password into this file, a JSON object a line.",
                valueName: "file"))
        var report: String?
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            let settings = try options.load()
            let sink = settings.startLogging(level: settings.logLevel ?? .warning)
            defer { sink.flush() }
            let source = try await source.open()
            let users = UserImport(
                into: try await settings.openStorage(forImport: !dryRun), limit: settings.passwordHashLimit)
            let report = try ImportReport(file: report)
            let counts = try await importing(users, source, report)
            report.showShort()
            if !dryRun, !counts.isWritten { report.showWhyNothingWasWritten() }
            print(
                counts.isWritten ? "Imported: \(counts.text)" : "Nothing was written. Would be imported: \(counts.text)"
            )
            if counts.refusals > 0 { throw ExitCode(1) }
        }

        private var concessions: UserImport.Concessions {
            var concessions: UserImport.Concessions = []
            if skipRefused { concessions.insert(.leavingOut) }
            if withoutPassword { concessions.insert(.withoutPassword) }
            if renumber { concessions.insert(.renumbering) }
            return concessions
        }

        private func importing(_ users: UserImport, _ source: any UserSource, _ report: ImportReport) async throws
            -> ImportCounts
        {
            let shown = ProgressReport()
            // Before an error is written, too.
            defer { shown.end() }
            return try await users.run(source, allowing: concessions, isTrial: dryRun) { notes, progress in
                try report.add(notes)
                let step = progress.step == .checking ? "checking" : "importing"
                shown.show(step, done: progress.done, total: progress.total)
            }
        }
    }
}

extension Settings {
    /// The database to import into; for a trial without one, an empty one in memory.
    fileprivate func openStorage(forImport isWritten: Bool) async throws -> any Storage {
        if !isWritten, case .sqlite(let path) = database, !FileManager.default.fileExists(atPath: path) {
            return try await SQLiteStorage()
        }
        return try await openStorage(createsMissing: isWritten, isServer: false)
    }
}

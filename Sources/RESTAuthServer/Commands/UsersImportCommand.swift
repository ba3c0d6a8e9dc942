import ArgumentParser
import Foundation
import Logging
import PasswordHashing
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
                  rest-auth users import --csv users.csv --accept-weak-hashes
                  rest-auth users import --csv users.csv \\
                      --pepper hmac-sha512 --pepper-file flask.pepper
                  rest-auth users import --json auth0.json
                  rest-auth users import --json firebase.json \\
                      --firebase-hash-config hash-config.txt
                  rest-auth users import --json keycloak-realm.json
                  rest-auth users import --json cognito.json --without-password
                  rest-auth users export --include-password-hashes |
                      rest-auth users import --json - --database sqlite:other.sqlite

                The source is only read. As long as one user would be refused, none is imported: correct the source \
                and repeat the command, or use --skip-refused, --without-password or --renumber. A user whose name \
                exists already is skipped, so you can repeat a command that was interrupted. Ids are kept. Refused \
                users and the reasons are printed to standard error, the first three of each reason, and all of them \
                to the file of --report.

                Exit status 0 when nobody was refused, 1 otherwise.
                """)

        @OptionGroup(title: "Source") var source: ImportSourceOptions
        @OptionGroup(title: "Password hashes") var hashes: ImportHashOptions
        @Flag(help: "Check everything and write nothing.") var dryRun = false
        @Flag(
            help: """
                Leave out who is refused, and bring in all others. Their ids, as far as they can be read, are kept for \
                when they come again.
                """)
        var skipRefused = false
        @Flag(
            help: """
                Bring in without a password who has no usable hash: rest-auth users set-password gives one. Whose hash \
                costs too much stays refused.
                """)
        var withoutPassword = false
        @Flag(help: "Give another id to whose id is not free, or not from 1 to 4503599627370496.") var renumber = false
        @Option(
            help: ArgumentHelp(
                "Write who was refused, skipped, given another id or no password into this file, a JSON object a line.",
                valueName: "file"))
        var report: String?
        @OptionGroup var options: ImportOptions

        func run() async throws { try await options.withSettings(importAll) }

        private func importAll(_ settings: Settings) async throws {
            if self.source.isApplication { try settings.refuseSecretOfApplication() }
            let source = try await source.open()
            let intake = try hashes.intake(settings)
            let storage = try await settings.openStorage(forImport: !dryRun)
            do {
                try await run(source, into: storage, intake, settings.auth)
            } catch {
                (storage as? any FileStorage)?.abandon(nil)
                throw error
            }
        }

        private func run(
            _ source: any UserSource, into storage: any Storage, _ intake: HashIntake,
            _ configuration: AuthConfiguration
        ) async throws {
            if let pepper = intake.pepper { try await refuseAnother(than: pepper, in: storage) }
            let users = UserImport(
                into: storage, hashes: intake, configuration: configuration, by: .commandLine)
            let report = try ImportReport(file: report, of: self.source)
            let counts = try await importing(users, source, report)
            guard counts.imported + counts.skipped + counts.refusals > 0 else {
                throw AuthError(.misconfigured, "there is nobody in what was to be imported")
            }
            report.showShort(counts)
            if !dryRun, !counts.isWritten { report.showWhyNothingWasWritten() }
            Output.report(
                counts.isWritten ? "Imported: \(counts.text)" : "Nothing was written. Would be imported: \(counts.text)"
            )
            if let pepper = intake.pepper, counts.isWritten, counts.imported > 0 { showNeed(of: pepper) }
            if counts.refusals > 0 { throw ExitCode(1) }
        }

        /// Refuses a pepper that differs from that of users imported earlier: a server has one
        /// pepper.
        private func refuseAnother(than pepper: PepperUse, in storage: any Storage) async throws {
            let sample = try await storage.passwordHashes(sampling: MissingPepper.sampleSize)
            let others = MissingPepper.all(among: sample, besidesID: pepper.id)
            guard let other = others.first else { return }
            throw AuthError(
                .misconfigured,
                """
                \(other.users) of \(other.sample) users who were looked at came with another pepper \
                (\(other.use.construction.rawValue), id \(other.use.id)) than this one (id \(pepper.id)), and a server \
                has one: import these into a database of their own, or wait until the others have signed in
                """)
        }

        private func showNeed(of pepper: PepperUse) {
            Output.note(
                """
                serve needs the pepper (id \(pepper.id)) until these users have signed in: set \
                \(Setting.importedUsers.pepper.environmentName)\n
                """
            )
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
            // Also ends the progress bar before an error is written.
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
    /// Refuses a `SECRET_KEY` from the environment of the application: the first start would make
    /// it this server's own secret.
    fileprivate func refuseSecretOfApplication() throws {
        guard let name = Setting.secret.key.platformName, unprefixedSecret == name else { return }
        throw AuthError(
            .misconfigured,
            """
            \(name) may be the one of the application whose users these are, and would become this server's own \
            secret: unset it, for this command and for serve; if it is this server's, give it as \
            \(Setting.environmentPrefix)\(name)
            """)
    }

    /// The database to import into; for a dry run without one, an empty database in memory.
    fileprivate func openStorage(forImport isWritten: Bool) async throws -> any Storage {
        if !isWritten, case .sqlite(let path) = database, !FileManager.default.fileExists(atPath: path) {
            return try await SQLiteStorage()
        }
        return try await openStorage(createsMissing: isWritten, isServer: false)
    }
}

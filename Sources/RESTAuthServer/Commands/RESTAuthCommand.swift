package import ArgumentParser
import Dispatch
import Foundation
import Logging
import RESTAuth
import RESTAuthPostgres

/// The program with all its commands.
package struct RESTAuthCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "rest-auth",
        abstract: "Users, passwords and tokens for your API.",
        discussion: """
            Start it with nothing but:

              rest-auth serve

            Every setting is a flag, an environment variable (--token-duration is REST_AUTH_TOKEN_DURATION) or a line \
            in a file (token_duration: 10m, with --config FILE). Flags win over the environment, the environment over \
            the file. A command has flags for the settings that concern it; serve has them all.

            Secrets have no flag, because other users can see a command line: \(names { $0.isSecret }). To read one of \
            these, or \(names { $0.isAlsoReadFromFile && !$0.isSecret }), from a file, add _FILE to the name of the \
            variable and give the path.
            """,
        version: "rest-auth \(version)",
        subcommands: [
            ServeCommand.self, HealthCommand.self, UsersCommand.self, InvitationsCommand.self, PasswordsCommand.self,
            SessionsCommand.self,
            KeysCommand.self, SecretCommand.self,
            ClientsCommand.self, ServicesCommand.self, TokensCommand.self, ThrottleCommand.self, AuditCommand.self,
            MigrateCommand.self,
            BackupCommand.self, RestoreCommand.self, SchemaCommand.self, ConfigCommand.self, DoctorCommand.self,
        ])

    private static func names(_ isMeant: (Setting) -> Bool) -> String {
        Setting.all.filter(isMeant).map(\.environmentName).joined(separator: ", ")
    }

    static let version = "0.2.0"

    package init() {}

    /// Runs the program and exits.
    package static func start() -> Never {
        // Files that this program makes are not readable by other users.
        umask(0o077)
        Output.prepare()
        Task {
            await runToEnd()
            Foundation.exit(EXIT_SUCCESS)
        }
        dispatchMain()
    }

    private static func runToEnd() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            try Output.end()
        } catch let error as AuthError {
            exitWithMessage(error.detail)
        } catch {
            exit(saying: error)
        }
    }

    /// The way to name what begins with a hyphen, for a command line in which such a word may have
    /// been taken for options.
    private static func hintAboutHyphens(in arguments: some Sequence<String>) -> String {
        let isTaken = arguments.prefix { $0 != "--" }.contains { word in
            let bytes = word.utf8
            return bytes.count > 2 && bytes.starts(with: "-".utf8) && !bytes.starts(with: "--".utf8)
        }
        return isTaken ? "  A name or an id that begins with a hyphen goes last, after a word of two: -- -name\n" : ""
    }

    /// Ends the program as ArgumentParser would: its message is the output that was asked for
    /// (`--help`), or says what is wrong with the command line.
    private static func exit(saying error: any Error) -> Never {
        let (text, status) = (UsageLine.broken(in: fullMessage(for: error)), exitCode(for: error))
        guard !text.isEmpty else { Foundation.exit(status.rawValue) }
        guard status == .success else {
            Output.note(text + "\n" + hintAboutHyphens(in: CommandLine.arguments.dropFirst()))
            Foundation.exit(status.rawValue)
        }
        do throws(AuthError) {
            try Output.write(text)
            Foundation.exit(status.rawValue)
        } catch {
            exitWithMessage(error.detail)
        }
    }
}

/// Writes one line to standard error and exits with status 1.
func exitWithMessage(_ message: String) -> Never {
    Output.note("rest-auth: \(message)\n")
    exit(1)
}

extension SettingsOptions {
    /// Runs a command on the core, and closes the database afterwards. When the command fails,
    /// files that were made for it are removed.
    /// - Parameter seconds: the least time limit of a statement, even if the settings say less.
    func withAuth(
        createsMissing: Bool = false, statementsTaking seconds: Int = 0, _ body: (Auth) async throws -> Void
    ) async throws {
        try await withSettings { settings in
            var settings = settings
            settings.postgres.timeout = max(seconds, settings.postgres.timeout)
            let auth = try await settings.openAuth(createsMissing: createsMissing)
            do {
                try await body(auth)
            } catch {
                auth.abandon()
                throw error
            }
            auth.close()
        }
    }

    /// Loads the settings, starts the log and runs a command.
    func withSettings(_ body: (Settings) async throws -> Void) async throws {
        let settings = try load()
        try await settings.withLog { try await body(settings) }
    }

    /// The settings of a command, from flags, environment and file.
    func load() throws -> Settings {
        try Settings(source())
    }

    func source() throws -> SettingsSource {
        try SettingsSource(flags: given, environment: ProcessInfo.processInfo.environment, file: config)
    }
}

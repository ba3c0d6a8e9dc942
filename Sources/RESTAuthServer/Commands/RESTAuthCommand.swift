package import ArgumentParser
import Dispatch
import Foundation
import Logging
import RESTAuth
import RESTAuthPostgres

/// The program: every command of it.
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

            Secrets have no flag, because other users can see a command line: \(names { $0.isSecret }). May lie in a \
            file, which the variable with _FILE behind its name names: \(names { $0.isAlsoReadFromFile }), and the \
            secret key.
            """,
        version: "rest-auth \(version)",
        subcommands: [
            ServeCommand.self, HealthCommand.self, UsersCommand.self, InvitationsCommand.self, PasswordsCommand.self,
            SessionsCommand.self,
            KeysCommand.self, SecretCommand.self,
            ClientsCommand.self, ThrottleCommand.self, AuditCommand.self,
            MigrateCommand.self,
            BackupCommand.self, RestoreCommand.self, SchemaCommand.self, ConfigCommand.self, DoctorCommand.self,
        ])

    private static func names(_ isMeant: (Setting) -> Bool) -> String {
        Setting.all.filter(isMeant).map(\.environmentName).joined(separator: ", ")
    }

    static let version = "0.2.0"

    package init() {}

    /// Runs the program to its end.
    package static func start() -> Never {
        // Nothing that this program makes is for other users' eyes.
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

    /// As the parser would end the program: its words are what was asked for (`--help`), or say
    /// what is wrong with the command line.
    private static func exit(saying error: any Error) -> Never {
        let (text, status) = (fullMessage(for: error), exitCode(for: error))
        guard !text.isEmpty else { Foundation.exit(status.rawValue) }
        guard status == .success else {
            Output.note(text + "\n")
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

/// One clear line on standard error, and exit status 1.
func exitWithMessage(_ message: String) -> Never {
    Output.note("rest-auth: \(message)\n")
    exit(1)
}

extension SettingsOptions {
    /// Runs a command over the core. What the core logs is for a server's log: here only warnings
    /// are shown, unless asked for. What was made for a command that fails is gone again.
    /// - Parameter seconds: what a statement may take at least, whatever the settings say.
    func withAuth(
        createsMissing: Bool = false, statementsTaking seconds: Int = 0, _ body: (Auth) async throws -> Void
    ) async throws {
        var settings = try load()
        settings.postgres.timeout = max(seconds, settings.postgres.timeout)
        let sink = settings.startLogging(level: settings.logLevel ?? .warning)
        defer { sink.flush() }
        let auth = try await settings.openAuth(createsMissing: createsMissing)
        do {
            try await body(auth)
        } catch {
            auth.abandon()
            throw error
        }
    }

    /// The settings in force for a command.
    func load() throws -> Settings {
        try Settings(source())
    }

    func source() throws -> SettingsSource {
        try SettingsSource(flags: given, environment: ProcessInfo.processInfo.environment, file: config)
    }
}

import ArgumentParser
import RESTAuth
import RESTAuthPostgres

struct SchemaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Look after the tables in PostgreSQL.",
        discussion: """
              rest-auth schema apply --database postgres://owner@host/auth \\
                  --runtime-role rest_auth
            """,
        subcommands: [Apply.self])

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring the schema up to date, as its owner.",
            discussion: """
                Servers do this by themselves where their role may. Where it should not, run this as the owner before \
                a new version starts, and let the servers sign in as a role that can change rows and no tables:

                  rest-auth schema apply --database postgres://owner@host/auth \\
                      --runtime-role rest_auth
                """)

        @Option(help: ArgumentHelp("Give this role the rows, and nothing that changes tables.", valueName: "name"))
        var runtimeRole: String?
        @OptionGroup var options: SettingsOptions<DatabaseSettings, PostgresSettings>

        func run() async throws { try await options.withSettings(apply) }

        private func apply(_ settings: Settings) async throws {
            guard case .postgres(let url) = settings.database else {
                throw AuthError(
                    .misconfigured,
                    """
                    a SQLite database is brought up to date by every command that opens it; this is for postgres:// \
                    only
                    """
                )
            }
            try await PostgresStorage.applySchema(
                settings.postgresConfiguration(url), grantingRowsTo: runtimeRole, by: .commandLine)
            Output.report(
                "The schema is up to date." + (runtimeRole.map { " \($0) may read and write its rows." } ?? ""))
        }
    }
}

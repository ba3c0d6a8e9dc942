import ArgumentParser
import RESTAuth

struct ServiceTokensCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens",
        abstract: "Make, list, rotate and delete the tokens of a service account.",
        discussion: """
              rest-auth services tokens add backup "first key" --scope operator:read
              rest-auth services tokens list backup
            """,
        subcommands: [Add.self, List.self, Rotate.self, Delete.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it, which is done this once.",
            discussion: """
                  rest-auth services tokens add backup nightly --scope operator:read
                  rest-auth services tokens add ci deploy --scope notes:read --expires-in 30d
                """)

        @Argument(help: "The account's id.") var id: String
        @Argument(help: "A name to know the token by.") var name: String
        @Option(help: "A scope of the token, such as notes:read; give it once for each.") var scope: [String]
        @Option(
            name: .customLong("expires-in"),
            help: ArgumentHelp(
                "The time that it lives, or never: a year unless given, at most 3650d.", valueName: "duration"))
        var lifetime: LifetimeArgument?
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let new = try await auth.serviceAccounts.createToken(
                    name, scopes: scope, lifetime: lifetime?.lifetime ?? .standard, of: id, by: .commandLine)
                try await Output.deliver(new, asJSON: json) {
                    try await auth.serviceAccounts.deleteToken(new.token.id, of: id, by: .commandLine)
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tokens of an account, with those that expired in the last 30 days.",
            discussion: """
                  rest-auth services tokens list backup
                  rest-auth services tokens list backup --json
                """)

        @Argument(help: "The account's id.") var id: String
        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                try Output.write(await auth.serviceAccounts.listTokens(of: id), asJSON: json)
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token in the place of another, which lives on for a while, and print it.",
            discussion: """
                  rest-auth services tokens rotate backup 0199d3a5-8a6e-7c1b-9f5e-2f1f6a0c7d11
                  rest-auth services tokens rotate backup --overlap 0 \\
                    0199d3a5-8a6e-7c1b-9f5e-2f1f6a0c7d11
                """)

        @Argument(help: "The account's id.") var id: String
        @OptionGroup var token: TokenArgument
        @Option(help: "How long the token before lives on: 0, or 2m to 7d.")
        var overlap = DurationArgument(seconds: ProgramToken.standardOverlap)
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            let token = try token.id
            try await options.withAuth { auth in
                let rotated = try await auth.serviceAccounts.rotateToken(
                    token, overlap: overlap.seconds, of: id, by: .commandLine)
                try await Output.deliver(rotated.new, previousExpiresAt: rotated.previousExpiresAt, asJSON: json) {
                    try await auth.serviceAccounts.deleteToken(rotated.new.token.id, of: id, by: .commandLine)
                }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a token from now on.",
            discussion: """
                  rest-auth services tokens delete backup 0199d3a5-8a6e-7c1b-9f5e-2f1f6a0c7d11
                """)

        @Argument(help: "The account's id.") var id: String
        @OptionGroup var token: TokenArgument
        @OptionGroup var options: CoreOptions

        func run() async throws {
            let token = try token.id
            try await options.withAuth { auth in
                try await auth.serviceAccounts.deleteToken(token, of: id, by: .commandLine)
                Output.report("Deleted \(token).")
            }
        }
    }
}

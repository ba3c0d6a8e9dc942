import ArgumentParser
import RESTAuth

struct TokensCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens",
        abstract: "See and delete the tokens that a user gave to programs.",
        discussion: """
              rest-auth tokens list susan
              rest-auth tokens delete susan --token 0199d3a5-8a6e-7c1b-9f5e-2f1f6a0c7d11

            Only users make them: POST /api/me/tokens. A token that is deleted here is refused by a running server \
            within a second.
            """,
        subcommands: [List.self, Delete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List a user's tokens, with those that expired in the last 30 days.",
            discussion: """
                  rest-auth tokens list susan
                  rest-auth tokens list susan --json
                """)

        @OptionGroup var reference: UserReference
        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                try Output.write(await auth.personalTokens.list(of: user.id), asJSON: json)
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a token of a user, or all of them.",
            discussion: """
                  rest-auth tokens delete susan --token 0199d3a5-8a6e-7c1b-9f5e-2f1f6a0c7d11
                  rest-auth tokens delete susan --all
                """)

        @OptionGroup var reference: UserReference
        @Option(help: "The id of the token.") var token: String?
        @Flag(help: "Delete all tokens of the user.") var all = false
        @OptionGroup var options: CoreOptions

        func validate() throws {
            guard all != (token != nil) else { throw ValidationError("Name a token by --token, or give --all.") }
        }

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                guard let token else { return try await deleteAll(of: user, auth) }
                guard let id = ProgramToken.ID(token) else {
                    throw AuthError(.tokenNotFound, "\(token) is no id of a token")
                }
                try await auth.personalTokens.delete(id, of: user.id, by: .commandLine)
                Output.report("Deleted \(id).")
            }
        }

        private func deleteAll(of user: User, _ auth: Auth) async throws {
            let count = try await auth.personalTokens.deleteAll(of: user.id, by: .commandLine)
            Output.report("Deleted \(count) token\(count == 1 ? "" : "s") of \(user.username).")
        }
    }
}

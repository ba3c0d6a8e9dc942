import ArgumentParser
import Foundation
import RESTAuth

struct ClientsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clients",
        abstract: "Look after the programs that may ask about tokens and revoke them.",
        discussion: """
              rest-auth clients add gateway
              curl -u gateway:SECRET -d token=TOKEN http://127.0.0.1:5000/oauth/introspect
              rest-auth clients delete gateway
            """,
        subcommands: [Add.self, List.self, Delete.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a client and print its secret, which is shown this once.",
            discussion: """
                  rest-auth clients add gateway
                  rest-auth clients add gateway --json
                """)

        @Argument(help: "The client's id: letters, digits and . _ -") var id: String
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth(createsMissing: true) { auth in
                let secret = try await auth.clients.add(id, by: .commandLine)
                do throws(AuthError) {
                    try Output.deliver(json ? jsonLine(secret) : text(secret))
                } catch {
                    throw await takenBack(from: auth, because: error)
                }
            }
        }

        private func text(_ secret: ClientSecret) -> String {
            """
            client_id      \(id)
            client_secret  \(secret.value)
            The secret is shown this once: only a digest of it is kept.
            """
        }

        private func jsonLine(_ secret: ClientSecret) -> String {
            let json: JSON = ["client_id": .string(id), "client_secret": .string(secret.value)]
            return json.text
        }

        /// Removes the client again: nobody has seen its secret, so no program could use the
        /// client.
        private func takenBack(from auth: Auth, because error: AuthError) async -> AuthError {
            do {
                try await auth.clients.delete(id, by: .commandLine)
                return AuthError(error.code, "\(error.detail); the client \(id) was not added")
            } catch _ {
                return AuthError(
                    .misconfigured,
                    """
                    \(error.detail); the client \(id) was added and nobody has its secret: rest-auth clients delete \
                    \(id)
                    """
                )
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the clients.",
            discussion: """
                  rest-auth clients list
                """)

        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                for client in try await auth.clients.list() {
                    try Output.write("\(client.id)\t\(client.createdAt.ISO8601Format())")
                }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a client from now on.",
            discussion: """
                  rest-auth clients delete gateway
                """)

        @Argument(help: "The client's id.") var id: String
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                try await auth.clients.delete(id, by: .commandLine)
                Output.report("Deleted \(id).")
            }
        }
    }
}

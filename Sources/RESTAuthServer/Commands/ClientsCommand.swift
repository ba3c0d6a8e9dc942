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
              rest-auth clients remove gateway
            """,
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a client and print its secret, which is shown this once.")

        @Argument(help: "The client's id: letters, digits and . _ -") var id: String
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await options.withAuth(createsMissing: true) { auth in
                let secret = try await auth.clients.add(id)
                if json {
                    let json: JSON = ["client_id": .string(id), "client_secret": .string(secret.value)]
                    print(String(decoding: json.bytes, as: UTF8.self))
                } else {
                    print(
                        "client_id      \(id)\nclient_secret  \(secret.value)\nThe secret is shown this once: only a digest of it is kept."
                    )
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the clients.")

        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await options.withAuth { auth in
                for client in try await auth.clients.list() {
                    print("\(client.id)\t\(client.createdAt.ISO8601Format())")
                }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Refuse a client from now on.")

        @Argument(help: "The client's id.") var id: String
        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await options.withAuth { auth in
                try await auth.clients.remove(id)
                print("Removed \(id).")
            }
        }
    }
}

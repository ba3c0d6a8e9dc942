import ArgumentParser
import Foundation
import RESTAuth

struct ServicesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "services",
        abstract: "Look after the accounts of programs that act for themselves, and their tokens.",
        discussion: """
              rest-auth services add backup --note "nightly backup" --owner susan
              rest-auth services tokens add backup "first key" --scope operator:read
              rest-auth services show backup
              rest-auth services delete backup
            """,
        subcommands: [Add.self, List.self, Show.self, Delete.self, ServiceTokensCommand.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a service account, which has no password and no token yet.",
            discussion: """
                  rest-auth services add backup
                  rest-auth services add backup --note "nightly backup" --owner susan
                """)

        @Argument(help: "The account's id: at most 64 letters, digits and . _ -") var id: String
        @Option(help: "Words about it.") var note: String?
        @Option(help: "The name of the user whom to ask about it.") var owner: String?
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth(createsMissing: true) { auth in
                var ownerID: User.ID?
                if let owner { ownerID = try await UserReference(username: owner).find(in: auth.users).id }
                try await auth.serviceAccounts.add(id, owner: ownerID, note: note, by: .commandLine)
                Output.report("Added \(id). Make a token for it: rest-auth services tokens add \(id) NAME --scope WORD")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the service accounts.",
            discussion: """
                  rest-auth services list
                  rest-auth services list --json
                """)

        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                var last: ServiceAccount.ID?
                while case let page = try await auth.serviceAccounts.list(after: last, limit: 1000),
                    let end = page.last
                {
                    try Output.write(lines: page.map { json ? $0.json.text : $0.textLine })
                    last = end.id
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a service account.",
            discussion: """
                  rest-auth services show backup
                """)

        @Argument(help: "The account's id.") var id: String
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let account = try await auth.serviceAccounts.find(id)
                try Output.write(json ? account.json.text : account.textLine)
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a service account with all its tokens.",
            discussion: """
                  rest-auth services delete backup
                """)

        @Argument(help: "The account's id.") var id: String
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                try await auth.serviceAccounts.delete(id, by: .commandLine)
                Output.report("Deleted \(id).")
            }
        }
    }
}

extension ServiceAccount {
    fileprivate var textLine: String {
        "\(id)\t\(createdAt.ISO8601Format())\t\(ownerID.map { "user \($0)" } ?? "-")\t\(note ?? "-")"
    }
}

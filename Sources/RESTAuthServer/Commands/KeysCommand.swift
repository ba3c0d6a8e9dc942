import ArgumentParser
import Foundation
import RESTAuth

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Look after the keys that sign tokens, also while the server runs.",
        discussion: """
              rest-auth keys list
              rest-auth keys rotate
              rest-auth keys revoke sK1YIrV8HuzXDb2CNxfiyWvL9qJa84MeRZsn5NZSfgI

            A server rotates them by itself, as often as --key-rotation says, every 30 days unless set. A new key is \
            published for an hour before it signs, and an old one is kept until none of its tokens can be live.
            """,
        subcommands: [List.self, Rotate.self, Revoke.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the keys in the order in which they sign.",
            discussion: """
                  rest-auth keys list
                  rest-auth keys list --json
                """)

        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: KeyOptions

        func run() async throws {
            try await options.withAuth { auth in
                try Output.write(lines: auth.signingKeys.list().map { json ? $0.json.text : $0.textLine })
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the next key, or bring the one that waits forward.",
            discussion: """
                  rest-auth keys rotate
                  rest-auth keys rotate --now

                It signs in an hour, when everyone who keeps the published keys has seen it. With --now it signs in 5 \
                seconds: servers on this database are ready by then, but verifiers elsewhere may refuse tokens until \
                they fetch the keys again.
                """)

        @Flag(help: "Let it sign in 5 seconds, not in an hour.") var now = false
        @OptionGroup var options: KeyOptions

        func run() async throws {
            try await options.withAuth { auth in
                let key = try await auth.signingKeys.rotate(
                    lead: now ? SigningKeys.shortestLead : SigningKeys.publicationLead, by: .commandLine)
                Output.report(
                    "The next key is \(key.id) (\(key.algorithm)); it signs from \(key.signsFrom.ISO8601Format()) on.")
            }
        }
    }
}

extension KeysCommand {
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse every token of a key, because it leaked.",
            discussion: """
                  rest-auth keys revoke sK1YIrV8HuzXDb2CNxfiyWvL9qJa84MeRZsn5NZSfgI

                Running servers refuse them within two seconds, verifiers elsewhere once they fetch the keys again, 5 \
                minutes later at most. Nobody is signed out: clients renew with their refresh tokens.
                """)

        @Argument(help: "The key's id.") var id: String
        @OptionGroup var options: KeyOptions

        func run() async throws {
            try await options.withAuth { auth in
                try await auth.signingKeys.revoke(id, by: .commandLine)
                Output.report("Revoked the key \(id).")
            }
        }
    }
}

extension SigningKeys.Description {
    fileprivate var textLine: String {
        [id, algorithm, state.rawValue, "signs from \(signsFrom.ISO8601Format())"].joined(separator: "\t")
    }
}

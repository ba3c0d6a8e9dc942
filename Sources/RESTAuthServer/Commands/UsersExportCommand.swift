import ArgumentParser
import Foundation
import Logging
import RESTAuth

extension UsersCommand {
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write all users to standard output, a JSON object a line.",
            discussion: """
                  rest-auth users export > users.jsonl
                  rest-auth users export --include-password-hashes |
                      rest-auth users import --json - --database sqlite:other.sqlite

                With the hashes the text is as secret as the database. Sessions and keys are not in it: rest-auth \
                migrate moves everything.
                """)

        @Flag(help: "Write password_hash as well, so that the users can be imported.") var includePasswordHashes = false
        @OptionGroup var options: CoreOptions

        func run() async throws { try await options.withSettings(export) }

        private func export(_ settings: Settings) async throws {
            let users = UserExport(
                from: try await settings.openStorage(createsMissing: false, isServer: false), by: .commandLine)
            try await users.run(includingPasswordHashes: includePasswordHashes) { lines in
                try Output.write(lines)
            }
        }
    }
}

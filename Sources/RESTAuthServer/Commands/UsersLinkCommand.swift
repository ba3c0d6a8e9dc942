import ArgumentParser
import Foundation
import RESTAuth

extension UsersCommand {
    struct Link: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a link by which a user sets a password, once, within a day.",
            discussion: """
                  rest-auth users link susan
                  rest-auth users link susan --json

                It prints the page of password_link_url with the token behind #, or the token alone where no page is \
                set. Whoever has it has the account, but for a second factor, so hand it to the user alone. A server \
                refuses it unless the command finds the same public_url, in --config or REST_AUTH_PUBLIC_URL.
                """)

        @OptionGroup var reference: UserReference
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: LinkOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                let link = try await auth.passwords.makeLink(for: user.id, by: .commandLine)
                try Output.deliver(json ? link.json.text : link.url ?? link.token)
            }
        }
    }
}

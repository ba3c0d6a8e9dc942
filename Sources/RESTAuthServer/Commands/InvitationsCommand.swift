import ArgumentParser
import Foundation
import RESTAuth

struct InvitationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invitations",
        abstract: "Let somebody register where that takes an invitation, also while the server runs.",
        discussion: """
              rest-auth invitations create --note "Susan of accounting"
              rest-auth invitations create --count 20 --expires-in 30d
              rest-auth invitations delete k7wq2mzx9d4f

            The code goes into the field "invitation" of a registration, and is good for one user. A server asks for \
            it with --registration invitation.
            """,
        subcommands: [Create.self, List.self, Delete.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make invitations and print their codes, one a line.",
            discussion: """
                  rest-auth invitations create --note "Susan of accounting"
                  rest-auth invitations create --count 20 --expires-in 30d > codes.txt

                A code is shown this once: only a digest of it is kept.
                """)

        @Option(help: "For whom they are, at most 200 characters.") var note = ""
        @Option(help: ArgumentHelp("How long they are good for, such as 12h or 7d.", valueName: "duration"))
        var expiresIn = DurationArgument(seconds: 7 * 86400)
        @Option(help: "How many, at most 1000.") var count = 1
        @OptionGroup var options: CoreOptions

        func validate() throws {
            guard (1...1000).contains(count) else { throw ValidationError("--count is 1 to 1000.") }
            guard expiresIn.seconds > 0, !expiresIn.isBare else {
                throw ValidationError("--expires-in is a duration with its unit, such as 12h or 7d.")
            }
        }

        func run() async throws {
            try await options.withAuth(createsMissing: true) { auth in
                for made in 0..<count {
                    let (invitation, code) = try await auth.registration.invite(
                        note: note, duration: expiresIn.seconds, by: .commandLine)
                    do throws(AuthError) {
                        try Output.deliver(code.value)
                    } catch {
                        throw await Self.takenBack(invitation, from: auth, after: made, because: error)
                    }
                }
            }
        }

        /// Deletes the invitation again: nobody has seen its code.
        private static func takenBack(
            _ invitation: Invitation, from auth: Auth, after made: Int, because error: AuthError
        ) async -> AuthError {
            let before = made == 0 ? "no invitation was made" : "\(made) that were written are good, no more were made"
            do {
                try await auth.registration.deleteInvitation(invitation.id, by: .commandLine)
                return AuthError(error.code, "\(error.detail); \(before)")
            } catch _ {
                return AuthError(
                    .misconfigured,
                    "\(error.detail); one was made whose code nobody has: rest-auth invitations delete \(invitation.id)"
                )
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the invitations that are still good, the oldest first.",
            discussion: """
                  rest-auth invitations list
                  rest-auth invitations list --json
                """)

        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                for invitation in try await auth.registration.invitations() {
                    try Output.write(json ? invitation.json.text : invitation.textLine)
                }
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take an invitation back.",
            discussion: """
                  rest-auth invitations delete k7wq2mzx9d4f
                """)

        @Argument(help: "The invitation's id, which list shows.") var id: String
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                try await auth.registration.deleteInvitation(id, by: .commandLine)
                Output.report("Deleted \(id).")
            }
        }
    }
}

extension Invitation {
    fileprivate var textLine: String {
        [id, "since \(createdAt.ISO8601Format())", "until \(expiresAt.ISO8601Format())", note].joined(separator: "\t")
    }
}

import ArgumentParser
import Foundation
import RESTAuth

struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "See and end sign-ins, also while the server runs.",
        discussion: """
              rest-auth sessions list susan
              rest-auth sessions revoke 0199d3a5-8a6e-7c1b-9f5e-2f1f6a0c7d11
              rest-auth sessions revoke --user susan

            A session that is ended here is refused by a running server within a second, with all its tokens.
            """,
        subcommands: [List.self, Revoke.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List a user's live sessions, the newest first.",
            discussion: """
                  rest-auth sessions list susan
                  rest-auth sessions list susan --json
                """)

        @OptionGroup var reference: UserReference
        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                var last: Session.ID?
                while case let page = try await auth.sessions.list(of: user.id, after: last, limit: 1000),
                    let end = page.last
                {
                    try Output.write(lines: page.map { json ? $0.jsonLine : $0.textLine })
                    last = end.id
                }
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End sessions: those with these ids, or all of a user.",
            discussion: """
                  rest-auth sessions revoke 0199d3a5-8a6e-7c1b-9f5e-2f1f6a0c7d11
                  rest-auth sessions revoke --user susan
                """)

        @Argument(help: "The ids of sessions.") var ids: [String] = []
        @Option(help: "End all sessions of the user of that name.") var user: String?
        @OptionGroup var options: CoreOptions

        func validate() throws {
            guard ids.isEmpty != (user == nil) else {
                throw ValidationError("Name sessions by id, or a user by --user.")
            }
        }

        func run() async throws {
            let sessions = try ids.map { text in
                guard let id = Session.ID(text) else {
                    throw AuthError(.sessionNotFound, "\(text) is no id of a session")
                }
                return id
            }
            try await options.withAuth { auth in
                if let user {
                    let count = try await auth.sessions.endAll(
                        of: UserReference(username: user).find(in: auth.users).id, by: .commandLine)
                    Output.report("Ended \(count) session\(count == 1 ? "" : "s") of \(user).")
                }
                var unknown: [String] = []
                for id in sessions {
                    do {
                        try await auth.sessions.end(id, by: .commandLine)
                        Output.report("Ended \(id).")
                    } catch let error as AuthError where error.code == .sessionNotFound {
                        unknown.append(id.description)
                    }
                }
                guard unknown.isEmpty else {
                    throw AuthError(.sessionNotFound, "there is no session \(unknown.joined(separator: ", "))")
                }
            }
        }
    }
}

extension Session {
    fileprivate var textLine: String {
        [
            id.description, "since \(createdAt.ISO8601Format())", "used \(lastUsedAt.ISO8601Format())",
            "until \(expiresAt.ISO8601Format())", origin.address ?? "-", origin.userAgent ?? "-",
        ].joined(separator: "\t")
    }

    fileprivate var jsonLine: String {
        let json: JSON = [
            "id": .string(id.description), "user_id": .integer(Int(userID)),
            "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": .string(lastUsedAt.ISO8601Format()), "expires_at": .string(expiresAt.ISO8601Format()),
            "address": origin.address.map(JSON.string) ?? .null,
            "user_agent": origin.userAgent.map(JSON.string) ?? .null,
            "renewable": .bool(isRenewable),
        ]
        return json.text
    }
}

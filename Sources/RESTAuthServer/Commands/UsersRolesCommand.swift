import ArgumentParser
import RESTAuth

extension UsersCommand {
    struct Grant: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a user roles.", discussion: "  rest-auth users grant susan admin auditor")

        @OptionGroup var arguments: UserAndRoles
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await arguments.user.find(in: auth.users)
                for role in arguments.roles { try await auth.users.grant(role, to: user.id, by: .commandLine) }
                Output.report(
                    "\(user.username) has \(arguments.roles.joined(separator: ", ")). New tokens carry the roles.")
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take roles from a user, and refuse live tokens that carry them.",
            discussion: "  rest-auth users revoke susan admin")

        @OptionGroup var arguments: UserAndRoles
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await arguments.user.find(in: auth.users)
                for role in arguments.roles { try await auth.users.revoke(role, from: user.id, by: .commandLine) }
                Output.report("\(user.username) no longer has \(arguments.roles.joined(separator: ", ")).")
            }
        }
    }
}

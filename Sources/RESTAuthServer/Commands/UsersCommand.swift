import ArgumentParser
import Foundation
import RESTAuth

struct UsersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "users",
        abstract: "Look after users, also while the server runs.",
        discussion: """
              rest-auth users add susan
              echo "$PASSWORD" | rest-auth users add susan --password-stdin
              rest-auth users list --json
              rest-auth users disable susan
              rest-auth users grant susan admin
              rest-auth users import --from-flask data.sqlite

            A user is named by user name, or by --id. What is refused here is refused by a running server within a \
            second.
            """,
        subcommands: [
            Add.self, List.self, Show.self, SetPassword.self, Link.self, Disable.self, Enable.self, Delete.self,
            Grant.self,
            Revoke.self, Rename.self, SetProfile.self, FactorsOfUser.self, Import.self,
            Export.self,
        ])
}

// MARK: - Commands

extension UsersCommand {
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a user.",
            discussion: """
                  rest-auth users add susan
                  echo "$PASSWORD" | rest-auth users add susan --password-stdin
                  rest-auth users add susan --operator
                """)

        @Argument(help: "The user name.") var username: String
        @Flag(help: "Give the role rest-auth:operator, for the operator's API.") var `operator` = false
        @OptionGroup var password: PasswordOptions
        @OptionGroup var options: NewUserOptions

        func run() async throws {
            // Asked before the database is opened, because the operator may cancel the prompt.
            let password = try password.read()
            try await options.withAuth(createsMissing: true) { auth in
                let user = try await auth.users.add(
                    username, password: password, roles: `operator` ? [Role.operator] : [], by: .commandLine)
                Output.report(
                    "Added \(user.username) with id \(user.id)\(`operator` ? ", an operator" : "").")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the users in the order of their ids.",
            discussion: """
                  rest-auth users list
                  rest-auth users list --json | jq -r .username
                """)

        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                var last: User.ID = 0
                while case let page = try await auth.users.list(after: last, limit: 1000), let end = page.last {
                    try Output.write(lines: page.map { json ? $0.jsonLine : $0.textLine })
                    last = end.id
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one user.",
            discussion: """
                  rest-auth users show susan
                  rest-auth users show --id 42 --json
                """)

        @OptionGroup var reference: UserReference
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                let profile = try await auth.profiles.profile(of: user.id)
                try Output.write(json ? user.json.adding(profile.members).text : user.textLine + profile.textColumns)
            }
        }
    }

    struct SetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-password", abstract: "Give a user another password.",
            discussion: """
                  rest-auth users set-password susan
                  echo "$PASSWORD" | rest-auth users set-password susan --password-stdin
                """)

        @OptionGroup var reference: UserReference
        @OptionGroup var password: PasswordOptions
        @OptionGroup var options: NewPasswordOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                try await auth.passwords.set(password.read(), for: user, by: .commandLine)
                Output.report("Set the password of \(user.username).")
            }
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a user's password and tokens from now on.",
            discussion: """
                  rest-auth users disable susan
                """)

        @OptionGroup var reference: UserReference
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                try await auth.users.disable(user.id, by: .commandLine)
                Output.report("Disabled \(user.username).")
            }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a disabled user sign in again.",
            discussion: """
                  rest-auth users enable susan
                """)

        @OptionGroup var reference: UserReference
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                try await auth.users.enable(user.id, by: .commandLine)
                Output.report("Enabled \(user.username).")
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a user for good. The id is never given again.",
            discussion: """
                  rest-auth users delete susan
                """)

        @OptionGroup var reference: UserReference
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                try await auth.users.delete(user.id, by: .commandLine)
                Output.report("Deleted \(user.username).")
            }
        }
    }
}

extension User {
    fileprivate var textLine: String {
        "\(id)\t\(username)\t\(createdAt.ISO8601Format())\(disabledAt.map { "\tdisabled \($0.ISO8601Format())" } ?? "")"
            + (roles.isEmpty ? "" : "\troles \(roles.sorted().joined(separator: ","))")
    }

    fileprivate var jsonLine: String { json.text }

    fileprivate var json: JSON {
        [
            "id": .integer(Int(id)), "username": .string(username), "created_at": .string(createdAt.ISO8601Format()),
            "disabled_at": disabledAt.map { .string($0.ISO8601Format()) } ?? .null,
            "roles": .array(roles.sorted().map(JSON.string)),
        ]
    }
}

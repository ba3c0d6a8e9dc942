import ArgumentParser
import Foundation
import Logging
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
            Add.self, List.self, Show.self, SetPassword.self, Disable.self, Enable.self, Delete.self, Grant.self,
            Revoke.self, Import.self,
            Export.self,
        ])
}

// MARK: - Commands

extension UsersCommand {
    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Register a user.")

        @Argument(help: "The user name.") var username: String
        @OptionGroup var password: PasswordOptions
        @OptionGroup var options: NewPasswordOptions

        func run() async throws {
            // Asked before the database is opened, because the operator may cancel the prompt.
            let password = try password.read()
            try await options.withAuth(createsMissing: true) { auth in
                let user = try await auth.users.register(username, password: password, by: .commandLine)
                Output.report("Added \(user.username) with id \(user.id).")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the users in the order of their ids.")

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
        static let configuration = CommandConfiguration(abstract: "Show one user.")

        @OptionGroup var reference: UserReference
        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                try Output.write(json ? user.jsonLine : user.textLine)
            }
        }
    }

    struct SetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-password", abstract: "Give a user another password.")

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
        static let configuration = CommandConfiguration(abstract: "Refuse a user's password and tokens from now on.")

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
        static let configuration = CommandConfiguration(abstract: "Let a disabled user sign in again.")

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
            abstract: "Delete a user for good. The id is never given again.")

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
                    """
                    \(user.username) has \(arguments.roles.joined(separator: ", ")); tokens say so from the next one \
                    on.
                    """
                )
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
                Output.report("\(user.username) has \(arguments.roles.joined(separator: ", ")) no more.")
            }
        }
    }
}

// MARK: - Shared arguments

/// A user and some roles: the first word is the user name, unless the user is given by id.
struct UserAndRoles: ParsableArguments {
    @Argument(help: ArgumentHelp("The user name, and the roles.", valueName: "username> <role")) var words: [String]
    @Option(help: "The user's id, in place of the name.") var id: User.ID?

    func validate() throws {
        guard !roles.isEmpty else { throw ValidationError("Name a user and at least one role.") }
    }

    var roles: ArraySlice<String> { id == nil ? words.dropFirst() : words[...] }

    var user: UserReference { UserReference(username: id == nil ? words.first : nil, id: id) }
}

/// A user given on the command line.
struct UserReference: ParsableArguments {
    @Argument(help: "The user name.") var username: String?
    @Option(help: "The user's id, in place of the name.") var id: User.ID?

    func validate() throws {
        guard (username == nil) != (id == nil) else { throw ValidationError("Name one user, by user name or by --id.") }
    }

    init() {}

    init(username: String?, id: User.ID? = nil) {
        self.username = username
        self.id = id
    }

    func find(in users: Users) async throws -> User {
        do {
            return if let id { try await users.find(id) } else { try await users.find(named: username ?? "") }
        } catch let error as AuthError where error.code == .userNotFound {
            throw AuthError(.userNotFound, "there is no user \(username ?? id.map { "with id \($0)" } ?? "")")
        }
    }
}

/// The source of a new password: never the command line, which other users can see.
struct PasswordOptions: ParsableArguments {
    @Flag(help: "Read the password from standard input: one line, in UTF-8, or in UTF-16 as PowerShell may write it.")
    var passwordStdin = false

    func read() throws -> String {
        if passwordStdin {
            guard let line = try StandardInput.line() else {
                throw AuthError(.validationFailed, "standard input has no password")
            }
            return line
        }
        guard isatty(STDIN_FILENO) == 1 else {
            throw AuthError(.validationFailed, "no terminal to ask for a password on; use --password-stdin")
        }
        let password = try Self.ask("Password: ")
        guard try password == Self.ask("Again: ") else {
            throw AuthError(.validationFailed, "the two passwords differ")
        }
        return password
    }

    /// Asks on the terminal without echo.
    /// - Throws: `validation_failed` for input that is not text.
    static func ask(_ prompt: String) throws(AuthError) -> String {
        Output.note(prompt)
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var quiet = before
        quiet.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            Output.note("\n")
        }
        return try StandardInput.line() ?? ""
    }
}

extension User {
    fileprivate var textLine: String {
        "\(id)\t\(username)\t\(createdAt.ISO8601Format())\(disabledAt.map { "\tdisabled \($0.ISO8601Format())" } ?? "")"
            + (roles.isEmpty ? "" : "\troles \(roles.sorted().joined(separator: ","))")
    }

    fileprivate var jsonLine: String {
        let json: JSON = [
            "id": .integer(Int(id)), "username": .string(username), "created_at": .string(createdAt.ISO8601Format()),
            "disabled_at": disabledAt.map { .string($0.ISO8601Format()) } ?? .null,
            "roles": .array(roles.sorted().map(JSON.string)),
        ]
        return json.text
    }
}

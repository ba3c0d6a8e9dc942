import ArgumentParser
import RESTAuth

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

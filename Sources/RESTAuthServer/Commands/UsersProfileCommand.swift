import ArgumentParser
import RESTAuth

extension UsersCommand {
    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a user another name. The earlier one is kept for that user for a while.",
            discussion: """
                  rest-auth users rename susan susan.smith
                  rest-auth users rename --id 42 susan.smith
                """)

        @Argument(help: ArgumentHelp("The user name, and the new one.", valueName: "username> <new"))
        var words: [String]
        @Option(help: "The user's id, in place of the name.") var id: User.ID?
        @OptionGroup var options: ProfileOptions

        func validate() throws {
            guard words.count == (id == nil ? 2 : 1) else {
                throw ValidationError("Give the present name, or --id, and then the new name.")
            }
        }

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await UserReference(username: id == nil ? words.first : nil, id: id).find(in: auth.users)
                let renamed = try await auth.profiles.rename(user.id, to: words.last ?? "", by: .commandLine)
                Output.report("\(user.username) is \(renamed.username) from now on.")
            }
        }
    }

    struct SetProfile: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Change the profile of a user.",
            discussion: """
                  rest-auth users set susan --email susan@example.com --email-verified
                  rest-auth users set susan --name "Susan Smith" --locale en-GB
                  rest-auth users set susan --app-metadata "$(cat plan.json)" --revoke-sessions

                An empty text removes a value. The JSON text is a merge patch, such as \
                '{"plan":"pro","trial":null}': members of that name are replaced, and null removes one.
                """)

        @OptionGroup var reference: UserReference
        @Option(help: "The full name.") var name: String?
        @Option(help: "The mail address. Another one than before is not verified.") var email: String?
        @Flag(inversion: .prefixedNo, help: "Whether the mail address is the user's.") var emailVerified: Bool?
        @Option(help: "The language, such as de-AT.") var locale: String?
        @Option(help: "The time zone, such as Europe/Vienna.") var zoneinfo: String?
        @Option(help: "The URL of a picture.") var picture: String?
        @Option(help: ArgumentHelp("A merge patch of the user's own data.", valueName: "json")) var metadata: String?
        @Option(help: ArgumentHelp("A merge patch of the operator's data.", valueName: "json"))
        var appMetadata: String?
        @Flag(help: "End all sessions of the user with the change.") var revokeSessions = false
        @OptionGroup var options: ProfileOptions

        func validate() throws {
            let texts = [name, email, locale, zoneinfo, picture, metadata, appMetadata]
            guard texts.contains(where: { $0 != nil }) || emailVerified != nil || revokeSessions else {
                throw ValidationError("Name what is to change, as --email or --name.")
            }
        }

        private func patch() throws -> [JSON.Member] {
            var members: [JSON.Member] = []
            for (name, text) in [
                ("name", name), ("email", email), ("locale", locale), ("zoneinfo", zoneinfo), ("picture", picture),
            ] {
                if let text { members.append(.init(name: name, value: text.isEmpty ? .null : .string(text))) }
            }
            for (name, flag, text) in [
                ("metadata", "--metadata", metadata), ("app_metadata", "--app-metadata", appMetadata),
            ] {
                guard let text else { continue }
                guard let value = JSON(text: text.utf8) else {
                    throw AuthError(.validationFailed, "\(flag) must be a JSON object, with each name once")
                }
                members.append(.init(name: name, value: value))
            }
            if let emailVerified { members.append(.init(name: "email_verified", value: .bool(emailVerified))) }
            if revokeSessions { members.append(.init(name: "revoke_sessions", value: true)) }
            return members
        }

        func run() async throws {
            let members = try patch()
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                if emailVerified == true {
                    var address = email
                    if address == nil { address = try await auth.profiles.profile(of: user.id).email }
                    guard address?.isEmpty == false else {
                        throw AuthError(
                            .validationFailed, "there is no address to verify: give --email with --email-verified")
                    }
                }
                _ = try await auth.profiles.patch(.object(members), of: user.id, as: .operator, by: .commandLine)
                Output.report("Changed the profile of \(user.username).")
            }
        }
    }
}

extension Profile {
    /// The texts that are known, for the end of a line with tabs. They have no control characters.
    var textColumns: String {
        let verified = email.map { "\($0)\(isEmailVerified ? " (verified)" : "")" }
        let values = [
            ("name", name), ("email", verified), ("locale", locale), ("zoneinfo", zoneinfo), ("picture", picture),
        ]
        return values.compactMap { name, value in value.map { "\t\(name) \($0)" } }.joined()
    }
}

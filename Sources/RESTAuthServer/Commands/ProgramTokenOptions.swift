import ArgumentParser
import Foundation
import RESTAuth

/// The lifetime of a token on the command line: a duration, or `never`.
struct LifetimeArgument: ExpressibleByArgument {
    let lifetime: ProgramToken.Lifetime

    init?(argument: String) {
        if argument == "never" {
            lifetime = .unlimited
        } else if let duration = DurationArgument(argument: argument) {
            lifetime = .seconds(duration.seconds)
        } else {
            return nil
        }
    }
}

/// The id of a token on the command line.
struct TokenArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The token's id.", valueName: "token-id")) var token: String

    var id: ProgramToken.ID {
        get throws {
            guard let id = ProgramToken.ID(token) else {
                throw AuthError(.tokenNotFound, "\(token) is no id of a token")
            }
            return id
        }
    }
}

extension Output {
    /// Prints tokens, those of service accounts and of users alike.
    static func write(_ tokens: [StoredProgramToken], asJSON isJSON: Bool) throws {
        let now = Date.now
        try write(lines: tokens.map { isJSON ? $0.json(at: now).text : $0.textLine(at: now) })
    }

    /// Prints a new token, and the expiry of the one in whose place it is. When that fails,
    /// `takeBack` deletes the new one again, as nobody has seen it.
    static func deliver(
        _ new: NewProgramToken, previousExpiresAt: Date? = nil, asJSON isJSON: Bool,
        elseTakingBack takeBack: () async throws -> Void
    ) async throws {
        do throws(AuthError) {
            try deliver(isJSON ? new.jsonLine(previousExpiresAt) : new.text(previousExpiresAt))
        } catch {
            do {
                try await takeBack()
            } catch _ {
                throw AuthError(
                    error.code, "\(error.detail); the token \(new.token.id) was made, and nobody has it: delete it")
            }
            throw AuthError(error.code, "\(error.detail); the token was not made")
        }
    }
}

extension NewProgramToken {
    fileprivate func text(_ previousExpiresAt: Date?) -> String {
        let text = """
            id     \(token.id)
            token  \(value)
            until  \(token.expiresAt?.ISO8601Format() ?? "it is deleted")
            The token is shown this once: only a digest of it is kept.
            """
        guard let previousExpiresAt else { return text }
        let isLive = previousExpiresAt > .now
        let end = isLive ? "lives until \(previousExpiresAt.ISO8601Format())" : "is refused from now on"
        return "\(text)\nThe token before \(end)."
    }

    fileprivate func jsonLine(_ previousExpiresAt: Date?) -> String {
        var added: [(String, JSON)] = [("token", .string(value))]
        if let previousExpiresAt {
            added.append(("previous_expires_at", .string(previousExpiresAt.ISO8601Format())))
        }
        return token.json(at: .now).adding(added).text
    }
}

extension StoredProgramToken {
    fileprivate func textLine(at now: Date) -> String {
        let expiry = expiresAt.map { (isExpired(at: now) ? "expired " : "until ") + $0.ISO8601Format() } ?? "for ever"
        return [
            id.description, name, scopeText, "…\(lastFour)", "since \(createdAt.ISO8601Format())", expiry,
            lastUsedAt.map { "used \($0.ISO8601Format())" } ?? "not used",
        ].joined(separator: "\t")
    }
}

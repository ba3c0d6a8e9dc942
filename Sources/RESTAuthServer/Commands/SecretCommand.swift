import ArgumentParser
import Foundation
import RESTAuth

struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret",
        abstract: "Change the instance's secret, as when it has leaked, also while the server runs.",
        discussion: """
              rest-auth secret status
              rest-auth secret rotate --revoke-keys
              rest-auth secret drop

            Sessions, clients, signing keys and second factors go on. Until the previous secret is dropped, what was \
            made with it is accepted; each session and each client changes over as it is used. No command prints a \
            secret: ids stand for them.
            """,
        subcommands: [Status.self, Rotate.self, Drop.self])

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show which secrets there are, and what still needs the previous one.",
            discussion: """
                  rest-auth secret status
                  rest-auth secret status --json
                """)

        @Flag(help: "Print a JSON object.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let status = try await auth.secretRotation.status()
                try Output.write(json ? status.jsonLine : status.text)
            }
        }
    }
}

extension SecretCommand {
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a new secret in the place of the present one.",
            discussion: """
                With SQLite, at once; a running server takes it up within a second:

                  rest-auth secret rotate

                With PostgreSQL, where every node has a copy of the file, in two steps, so that no node meets what it \
                does not know. The first writes the next secret into the file; copy the file to every node. The second \
                uses it; copy the file again.

                  rest-auth secret rotate --secret-key-file /etc/rest-auth.secret
                  rest-auth secret rotate --secret-key-file /etc/rest-auth.secret --nodes-ready

                Where the secret is given as SECRET_KEY, the command says what to set.

                Interrupted, it is repeated. --revoke-keys is for when a copy of the database may have leaked too: \
                whoever has both has the keys that sign tokens. Nobody is signed out by it: clients renew.
                """)

        @Flag(help: "Every node has a copy of the file with the next secret: use it.") var nodesReady = false
        @Flag(help: "Refuse every token of all signing keys, and sign with a new one.") var revokeKeys = false
        @OptionGroup var options: KeyOptions

        func run() async throws {
            let settings = try options.load()
            try await options.withAuth { auth in
                let before = try await auth.secretRotation.status()
                guard let file = settings.placeOfSecret else { return try await resealGiven(auth, before) }
                try await auth.secretRotation.recordMissed(by: .commandLine)
                let isChanged = try SecretFile(file).take(step(settings))
                let resealed = try await auth.secretRotation.reseal()
                try await auth.secretRotation.recordChange(from: before, by: .commandLine)
                let after = try await auth.secretRotation.status()
                guard let previous = after.previous else {
                    Output.report(
                        """
                        The next secret is \(after.next?.description ?? ""). Copy \(file) to every node, where it is \
                        read again within a second; then: rest-auth secret rotate --nodes-ready
                        """)
                    return
                }
                guard isChanged || resealed != (0, 0) || revokeKeys else { throw Self.pending(after.present, previous) }
                if isChanged { Output.report("The secret is now \(after.present); \(previous) is accepted beside it.") }
                if settings.isShared { Output.report("Copy \(file) to every node.") }
                try await finish(auth, resealed, previous: previous)
            }
        }

        private func step(_ settings: Settings) -> SecretFile.Step {
            guard settings.isShared else { return .begin }
            return nodesReady ? .useNext : .prepare
        }

        /// Does the one step that a command can do for secrets given in settings; the operator does
        /// all others.
        private func resealGiven(_ auth: Auth, _ status: SecretRotation.Status) async throws {
            guard let previous = status.previous else { throw Self.procedure(hasNext: status.next != nil) }
            let resealed = try await auth.secretRotation.reseal()
            guard resealed != (0, 0) || revokeKeys else { throw Self.pending(status.present, previous) }
            try await finish(auth, resealed, previous: previous)
        }

        private func finish(
            _ auth: Auth, _ resealed: (signingKeys: Int, factors: Int), previous: SecretID
        ) async throws {
            let keys = counted(resealed.signingKeys, "signing key")
            let factors = resealed.factors > 0 ? " and \(counted(resealed.factors, "factor"))" : ""
            Output.report("Encrypted anew: \(keys)\(factors).")
            if revokeKeys {
                let key = try await auth.signingKeys.replaceAll(by: .commandLine)
                Output.report("Revoked all signing keys; \(key.id) signs from now on.")
            } else {
                Output.report(
                    """
                    If a copy of the database may have leaked with \(previous), take its signing keys away: rest-auth \
                    secret rotate --revoke-keys
                    """
                )
            }
            Output.report("When nothing needs \(previous) any more: rest-auth secret drop")
        }

        private static func pending(_ present: SecretID, _ previous: SecretID) -> AuthError {
            AuthError(
                .secretPending,
                """
                no new secret was made: \(present) is the present one and \(previous) is accepted still; drop that \
                first with: rest-auth secret drop
                """
            )
        }

        private static func procedure(hasNext: Bool) -> AuthError {
            let first =
                hasNext
                ? "SECRET_KEY_NEXT is set: make sure that every node has been restarted with it."
                : "Make a secret: openssl rand -base64 32. Give it to every node as SECRET_KEY_NEXT, and restart each."
            return AuthError(
                .misconfigured,
                """
                the secret is given by a setting, which no command can change. So that no node meets what it does not \
                know:
                  1. \(first)
                  2. Give every node that secret as SECRET_KEY, and the one before as SECRET_KEY_PREVIOUS, and restart \
                each.
                  3. Repeat this command, with the same: rest-auth secret rotate
                """)
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Accept the previous secret no longer, once nothing needs it.",
            discussion: """
                  rest-auth secret drop
                  rest-auth secret drop --force

                Refused as long as a session, a client or a token for programs needs it; rest-auth secret status says \
                which. --force ends those sessions, whose users sign in again, and removes those clients and tokens, \
                in whose place others are made. Second factors go on.
                """)

        @Flag(help: "End the sessions and remove the clients and tokens that need it.") var force = false
        @OptionGroup var options: CoreOptions

        /// Seconds that running servers have to read a changed file.
        private static let patience: TimeInterval = 10

        func run() async throws {
            let settings = try options.load()
            try await options.withAuth { auth in
                let before = try await auth.secretRotation.status()
                let file = settings.placeOfSecret
                let isMissed = file == nil ? false : try await auth.secretRotation.recordMissed(by: .commandLine)
                guard let previous = before.previous else {
                    guard !isMissed else { return Output.report("The previous secret was dropped already.") }
                    throw AuthError(.misconfigured, "there is no previous secret to drop")
                }
                if force {
                    let ended = try await auth.secretRotation.endWhatNeedsPrevious(by: .commandLine)
                    Output.report("Ended \(counted(ended.sessions, "session")).")
                    for client in ended.clients { Output.report("Removed the client \(client).") }
                    if ended.tokens > 0 {
                        let tokens = counted(ended.tokens, "token for programs", "tokens for programs")
                        Output.report("Deleted \(tokens).")
                    }
                } else {
                    try await refuseWhileNeeded(auth, previous, file: file)
                }
                guard let file else {
                    Output.report(
                        "Nothing needs \(previous): take SECRET_KEY_PREVIOUS away from every node, and restart each.")
                    return
                }
                try SecretFile(file).drop(previous)
                try await auth.secretRotation.recordChange(from: before, by: .commandLine)
                Output.report("Dropped the secret \(previous).")
                if settings.isShared { Output.report("Copy \(file) to every node.") }
            }
        }

        private func refuseWhileNeeded(_ auth: Auth, _ previous: SecretID, file: String?) async throws {
            if let age = file.flatMap({ SecretFile($0).writtenAt })?.timeIntervalSinceNow, -age < Self.patience {
                throw AuthError(
                    .secretPending, "the secret was changed just now; give the servers \(Int(Self.patience)) seconds")
            }
            try await auth.secretRotation.reseal()
            let status = try await auth.secretRotation.status()
            guard !status.needsPrevious else {
                throw AuthError(
                    .secretPending,
                    "the secret \(previous) is needed: \(status.needs.joined(separator: "; ")); --force ends them")
            }
        }
    }
}

extension Settings {
    /// Whether other nodes may have copies of the file with the secrets.
    fileprivate var isShared: Bool {
        if case .postgres = database { true } else { false }
    }
}

private func counted(_ count: Int, _ noun: String) -> String { counted(count, noun, noun + "s") }

private func counted(_ count: Int, _ noun: String, _ plural: String) -> String {
    "\(count) \(count == 1 ? noun : plural)"
}

extension SecretRotation.Status {
    /// The items that need the previous secret, and until when.
    fileprivate var needs: [String] {
        var needs: [String] = []
        if signingKeysToReseal > 0 {
            needs.append("\(counted(signingKeysToReseal, "signing key")), until rest-auth secret rotate is repeated")
        }
        if factorsToReseal > 0 {
            needs.append("\(counted(factorsToReseal, "factor")), until rest-auth secret rotate is repeated")
        }
        if sessionsOfPrevious > 0 {
            let end = lastSessionOfPreviousExpiresAt.map {
                ", \($0.ISO8601Format()) at the latest if it is not renewed"
            }
            needs.append(
                "\(counted(sessionsOfPrevious, "session")), each until it has been renewed twice or ends\(end ?? "")")
        }
        if !clientsOfPrevious.isEmpty {
            needs.append(
                """
                \(counted(clientsOfPrevious.count, "client")), each until it signs in: \
                \(clientsOfPrevious.joined(separator: ", "))
                """
            )
        }
        if tokensOfPrevious > 0 {
            needs.append(
                "\(counted(tokensOfPrevious, "token for programs", "tokens for programs")), each until it is used")
        }
        return needs
    }

    fileprivate var text: String {
        var lines = ["present\t\(present)"]
        if let next { lines.append("next\t\(next)") }
        if let previous { lines.append("previous\t\(previous)") }
        lines.append(
            """
            in all\t\(counted(signingKeys, "signing key")), \(counted(factors, "factor")), \
            \(counted(clients, "client")), \(counted(sessions, "session")), \
            \(counted(tokens, "token for programs", "tokens for programs"))
            """
        )
        lines += needs.map { "needs \(previous?.description ?? "")\t\($0)" }
        lines.append(advice)
        return lines.joined(separator: "\n")
    }

    private var advice: String {
        if next != nil {
            "The next secret is not in use. When every node has it: rest-auth secret rotate --nodes-ready"
        } else if previous == nil {
            "There is one secret. If it has leaked: rest-auth secret rotate"
        } else if signingKeysToReseal + factorsToReseal > 0 {
            "The change was interrupted. Repeat it: rest-auth secret rotate"
        } else if needsPrevious {
            "The previous secret is needed still. Wait, or end what needs it: rest-auth secret drop --force"
        } else {
            "Nothing needs the previous secret. Drop it: rest-auth secret drop"
        }
    }

    fileprivate var jsonLine: String {
        func id(_ id: SecretID?) -> JSON { id.map { .string($0.description) } ?? .null }
        let json: JSON = [
            "present": id(present), "next": id(next), "previous": id(previous),
            "signing_keys": ["count": .integer(signingKeys), "of_previous": .integer(signingKeysToReseal)],
            "factors": ["count": .integer(factors), "of_previous": .integer(factorsToReseal)],
            "clients": ["count": .integer(clients), "of_previous": .array(clientsOfPrevious.map { .string($0) })],
            "tokens": ["count": .integer(tokens), "of_previous": .integer(tokensOfPrevious)],
            "sessions": [
                "count": .integer(sessions), "of_previous": .integer(sessionsOfPrevious),
                "last_of_previous_expires_at": lastSessionOfPreviousExpiresAt.map { .string($0.ISO8601Format()) }
                    ?? .null,
            ],
        ]
        return json.text
    }
}

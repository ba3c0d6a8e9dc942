import ArgumentParser
import Foundation
import RESTAuth

extension UsersCommand {
    struct FactorsOfUser: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "factors",
            abstract: "List a user's second factors, or remove them for a user who has lost them all.",
            discussion: """
                  rest-auth users factors list susan
                  rest-auth users factors remove susan
                  rest-auth users factors remove susan --sessions
                """,
            subcommands: [ListFactors.self, RemoveFactors.self])
    }

    struct ListFactors: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List a user's authenticator apps, passkeys, recovery codes and trusted devices.",
            discussion: """
                  rest-auth users factors list susan
                  rest-auth users factors list --id 42 --json
                """)

        @OptionGroup var reference: UserReference
        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                let factors = try await auth.factors.list(of: user.id)
                try Output.write(lines: factors.totp.map { json ? $0.jsonLine : $0.textLine })
                let passkeys = try await auth.passkeys.list(of: user.id)
                try Output.write(lines: passkeys.map { json ? $0.jsonLine : $0.textLine })
                if factors.recoveryCodes > 0 {
                    let json: JSON = ["type": "recovery_codes", "left": .integer(factors.recoveryCodes)]
                    try Output.write(self.json ? json.text : "recovery codes\t\(factors.recoveryCodes) left")
                }
                let devices = try await auth.trustedDevices.list(of: user.id)
                try Output.write(lines: devices.map { json ? $0.jsonLine : $0.textLine })
            }
        }
    }

    struct RemoveFactors: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove",
            abstract: "Remove all second factors and trusted devices of a user, who then needs only the password.",
            discussion: """
                  rest-auth users factors remove susan
                  rest-auth users factors remove susan --sessions

                Make sure that it is the user who asks for this: it is the way around the second factor.
                """)

        @OptionGroup var reference: UserReference
        @Flag(help: "End the user's sessions as well, as a lost device may have some.") var sessions = false
        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                let user = try await reference.find(in: auth.users)
                try await auth.factors.removeAll(of: user.id, by: .commandLine)
                let ended = sessions ? try await auth.sessions.endAll(of: user.id, by: .commandLine) : 0
                Output.report(
                    "Removed the factors of \(user.username)"
                        + (sessions ? ", and ended \(ended) session\(ended == 1 ? "" : "s")." : "."))
            }
        }
    }
}

extension StoredTOTP {
    fileprivate var textLine: String {
        let state = confirmedAt == nil ? "not confirmed" : lastUsedAt.map { "used \($0.ISO8601Format())" } ?? "not used"
        return "\(id)\ttotp\t\(name)\t\(createdAt.ISO8601Format())\t\(state)"
    }

    fileprivate var jsonLine: String {
        let json: JSON = [
            "type": "totp", "id": .string(id), "name": .string(name), "active": .bool(confirmedAt != nil),
            "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": lastUsedAt.map { .string($0.ISO8601Format()) } ?? .null,
        ]
        return json.text
    }
}

extension Passkey {
    fileprivate var textLine: String {
        let state = lastUsedAt.map { "used \($0.ISO8601Format())" } ?? "not used"
        return "\(id)\tpasskey\t\(name)\t\(createdAt.ISO8601Format())\t\(state)"
    }

    fileprivate var jsonLine: String {
        let json: JSON = [
            "type": "passkey", "id": .string(id), "name": .string(name),
            "created_at": .string(createdAt.ISO8601Format()),
            "last_used_at": lastUsedAt.map { .string($0.ISO8601Format()) } ?? .null,
        ]
        return json.text
    }
}

extension TrustedDevice {
    fileprivate var textLine: String {
        "\(id)\tdevice\t\(origin.address ?? "-")\t\(lastUsedAt.ISO8601Format())\tuntil \(expiresAt.ISO8601Format())"
    }

    fileprivate var jsonLine: String {
        let json: JSON = [
            "type": "device", "id": .string(id), "address": origin.address.map(JSON.string) ?? .null,
            "user_agent": origin.userAgent.map(JSON.string) ?? .null,
            "last_used_at": .string(lastUsedAt.ISO8601Format()), "expires_at": .string(expiresAt.ISO8601Format()),
        ]
        return json.text
    }
}

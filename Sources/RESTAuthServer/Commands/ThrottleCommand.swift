import ArgumentParser
import Foundation
import RESTAuth

struct ThrottleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "throttle",
        abstract: "See who has to wait after too many wrong passwords, and lift it.",
        discussion: """
              rest-auth throttle list
              rest-auth throttle list --blocked --json
              rest-auth throttle clear --user miguel
              rest-auth throttle clear --address 192.0.2.17
              rest-auth throttle clear --all

            What is lifted here is lifted on every server of the database at once.
            """,
        subcommands: [List.self, Clear.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what is counted, a line for each account and network.",
            discussion: """
                  rest-auth throttle list
                  rest-auth throttle list --blocked --json

                account        wrong passwords for a name, from where its user is not known
                known          wrong passwords for a name, from a network that is known
                network        wrong passwords from IPv4 /24, IPv6 /56, /48 or /32
                confirmation   wrong present passwords of a user who is signed in
                one_time_code  wrong codes of the authenticator apps of a user
                recovery_code  wrong recovery codes of a user
                device         wrong passwords on the trusted devices of a user
                registrations  registrations from a network
                hashing        milliseconds of hashing that wrong passwords cost in all
                """)

        @Flag(help: "Only those that have to wait now.") var blocked = false
        @Flag(help: "Print one JSON object a line.") var json = false
        @OptionGroup var options: GuessingOptions

        func run() async throws {
            try await options.withAuth { auth in
                try await auth.throttle.forEach { counter in
                    let until = auth.throttle.blockedUntil(counter)
                    guard until != nil || !blocked else { return }
                    try Output.write(json ? counter.json(blockedUntil: until).text : counter.textLine(until))
                }
            }
        }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget what was counted, so that the next try is let through.",
            discussion: """
                  rest-auth throttle clear --user miguel
                  rest-auth throttle clear --address 192.0.2.17
                  rest-auth throttle clear --all
                """)

        @Option(help: ArgumentHelp("Of this user name, from wherever it was tried.", valueName: "name")) var user:
            String?
        @Option(
            help: ArgumentHelp("Of the network of this address, and the larger blocks of IPv6.", valueName: "address"))
        var address: String?
        @Flag(help: "Of everybody.") var all = false
        @OptionGroup var options: CoreOptions

        func validate() throws {
            guard [user != nil, address != nil, all].count(where: { $0 }) == 1 else {
                throw ValidationError("Say what to forget: --user, --address or --all.")
            }
            if let address, ClientNetwork(address) == nil { throw ValidationError("\(address) is not an IP address.") }
        }

        func run() async throws {
            let blocks = address.flatMap(ClientNetwork.init)?.blocks
            try await options.withAuth { auth in
                let count =
                    if let user {
                        try await auth.throttle.clear(username: user, in: auth.users, by: .commandLine)
                    } else {
                        try await auth.throttle.clear(from: blocks, by: .commandLine)
                    }
                Output.report(
                    count == 0
                        ? "Nothing was counted." : count == 1 ? "Cleared 1 counter." : "Cleared \(count) counters.")
            }
        }
    }
}

extension ThrottleCounter {
    fileprivate func textLine(_ until: Date?) -> String {
        let wait = until.map {
            $0 == .distantFuture ? "blocked until it is cleared" : "blocked until \($0.ISO8601Format())"
        }
        let others = others.count < Self.otherLimit ? "\(others.count)" : "\(others.count) or more"
        return [
            subject.kind.rawValue, subject.username ?? subject.userID.map { "user \($0)" } ?? "-",
            subject.network?.description ?? "-",
            "\(failures) counted", "last \(failedAt.ISO8601Format())",
            "others \(others)", wait ?? "-",
        ].joined(separator: "\t")
    }
}

import ArgumentParser
import Foundation
import RESTAuth

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "See what happened, and whether anybody changed the record of it.",
        discussion: """
              rest-auth audit list --user susan --since 7d
              rest-auth audit head >> /mnt/elsewhere/heads.txt
              rest-auth audit verify --since-head /mnt/elsewhere/heads.txt
              rest-auth audit export --since 2026-11-01 > november.jsonl
              rest-auth audit restart --force --reason "restored from another backup"

            A running server numbers and seals each event within two seconds. A head that is kept where nobody can \
            reach it who can change the database shows later that the newest events were removed, or all of them made \
            anew.
            """,
        subcommands: [List.self, Head.self, Verify.self, Export.self, Restart.self])

    struct Head: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the end of the trail as one line, to be kept elsewhere.",
            discussion: """
                  rest-auth audit head
                  rest-auth audit head >> /mnt/elsewhere/heads.txt

                The number of the last event that is sealed, the digest of all up to it, and when it was sealed.
                """)

        @OptionGroup var options: CoreOptions

        func run() async throws {
            try await options.withAuth { auth in
                guard let head = try await auth.auditTrail.head() else {
                    throw AuthError(
                        .misconfigured, "no event is sealed yet: a running server does that, within two seconds")
                }
                try Output.deliver(head.description)
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make sure that no event was altered, removed or moved since it was sealed.",
            discussion: """
                  rest-auth audit verify
                  rest-auth audit verify --since-head /mnt/elsewhere/heads.txt
                  rest-auth audit verify --since-head "1042 6f1f... 2026-11-28T10:18:26Z"

                Ends with status 1 and names the first event that is not as it was sealed. Only with a head from \
                elsewhere does it show that the newest events were removed with what says where the trail ends, or \
                that all of it was made anew by who has the secret.
                """)

        @Option(
            help: ArgumentHelp(
                "Compare with what rest-auth audit head printed: one line, or a file of such, - for standard input.",
                valueName: "file|line"))
        var sinceHead: String?
        @OptionGroup var options: CoreOptions

        func run() async throws {
            let heads = try sinceHead.map(Self.heads) ?? []
            try await options.withAuth { auth in
                let progress = ProgressReport()
                let found = try await auth.auditTrail.verify(against: heads) { done, total in
                    progress.show("Verifying", done: Int(done), total: Int(total))
                }
                progress.end()
                try Output.write(lines: found.lines(heads: heads.count))
            }
        }

        /// Longest line of a file of heads, in bytes; a head has about a hundred.
        private static let longestLine = 1000
        /// Number of heads in a file at most: one for each minute of nearly two years.
        private static let mostHeads = 1_000_000

        private static func heads(_ text: String) throws -> [AuditHead] {
            if let head = AuditHead(text) { return [head] }
            if text != "-" {
                do {
                    _ = try RegularFile(text)
                } catch {
                    throw AuthError(
                        .misconfigured, "\(QuotedText(text)) is no head and cannot be read: \(error.reason)")
                }
            }
            let lines = try LineReader(path: text, longestLine: longestLine)
            var heads: [AuditHead] = []
            while let line = try lines.next() {
                if line.bytes.allSatisfy(isBlank), !line.isTooLong { continue }
                guard let head = AuditHead(String(decoding: line.bytes, as: UTF8.self)) else {
                    throw AuthError(.misconfigured, "line \(line.number) of \(QuotedText(text)) is no head")
                }
                guard heads.count < mostHeads else {
                    throw AuthError(.misconfigured, "\(QuotedText(text)) has more than \(mostHeads) heads")
                }
                heads.append(head)
            }
            guard !heads.isEmpty else { throw AuthError(.misconfigured, "\(QuotedText(text)) has no head") }
            return heads
        }

        private static func isBlank(_ byte: UInt8) -> Bool {
            [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")].contains(byte)
        }
    }

    struct Restart: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give up a trail that is broken, and begin another with the events as they are.",
            discussion: """
                  rest-auth audit export > as-it-was.jsonl
                  rest-auth audit restart --force --reason "the end was overwritten on 28 November"

                For a trail that can never be verified again: nothing is deleted from it any more, and where its end \
                is broken nothing is sealed. All events that are there are numbered and sealed anew, as they are: \
                whoever has altered some has altered them for good. Export them first.

                Who did so and why is an event, audit.restarted, behind all of them.
                """)

        @Option(help: "Why, for whoever reads the events later.") var reason: String
        @Flag(help: "Give up the seals that there are.") var force = false
        @OptionGroup var options: CoreOptions

        func validate() throws {
            guard force else {
                throw ValidationError("It takes every seal away, so that older heads are of no use: say --force.")
            }
        }

        func run() async throws {
            // Every row is written: a million rows take some seconds.
            try await options.withAuth(statementsTaking: 600) { auth in
                let number = try await auth.auditTrail.restart(because: reason, by: .commandLine)
                Output.report("The trail begins anew behind number \(number).")
                try await auth.sealer.seal()
                Output.report("What was found is sealed. Keep the new head: rest-auth audit head")
            }
        }
    }
}

extension AuditTrail.Verification {
    fileprivate func lines(heads: Int) -> [String] {
        guard let head else { return ["No event is sealed yet."] + waiting }
        var lines = ["\(sealed) events are as they were sealed, up to number \(head.link.number)."]
        if prunedUpTo > 0 { lines.append("Those up to number \(prunedUpTo) were pruned, or given up.") }
        if vouchedFor > 0 {
            let ids = unknownSecrets.map(\.description).joined(separator: ", ")
            let others = unknownSecrets.count == Self.namedSecrets ? " and perhaps others" : ""
            lines.append(
                """
                \(vouchedFor) of them were sealed under secrets that are not known here (\(ids)\(others)), and later \
                seals cover them.
                """)
        }
        if outdatedHeads > 0 { lines.append("\(outdatedHeads) of \(heads) heads are of events that were pruned.") }
        return lines + waiting
    }

    private var waiting: [String] {
        unsealedSince.map { ["Events since \($0.ISO8601Format()) wait for their seal."] } ?? []
    }
}

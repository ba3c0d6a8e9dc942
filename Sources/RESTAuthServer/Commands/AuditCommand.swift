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

            A running server numbers and seals each event within two seconds. Keep heads where nobody who can change \
            the database reaches them: with an old head, verify finds that the newest events were removed, or that \
            the whole trail was made anew.
            """,
        subcommands: [List.self, Head.self, Verify.self, Export.self, Restart.self])

    struct Head: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the end of the trail as one line, to keep elsewhere.",
            discussion: """
                  rest-auth audit head
                  rest-auth audit head >> /mnt/elsewhere/heads.txt

                The line has the number of the last sealed event, the digest of all events up to it, and the time of \
                its seal.
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

                If an event is not as it was sealed, the command names the first one and ends with status 1. It needs \
                a head that was kept elsewhere to find that the newest events were removed together with the end of \
                the trail, or that somebody who has the secret made the whole trail anew.
                """)

        @Option(
            help: ArgumentHelp(
                "Compare with earlier heads: one line, a file of lines, or - for standard input.",
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
                        .misconfigured,
                        "\(QuotedText(text)) is not a head, and not a file that can be read: \(error.reason)")
                }
            }
            let lines = try LineReader(path: text, longestLine: longestLine)
            var heads: [AuditHead] = []
            while let line = try lines.next() {
                if line.bytes.allSatisfy(isBlank), !line.isTooLong { continue }
                guard let head = AuditHead(String(decoding: line.bytes, as: UTF8.self)) else {
                    throw AuthError(.misconfigured, "line \(line.number) of \(QuotedText(text)) is not a head")
                }
                guard heads.count < mostHeads else {
                    throw AuthError(.misconfigured, "\(QuotedText(text)) has more than \(mostHeads) heads")
                }
                heads.append(head)
            }
            guard !heads.isEmpty else { throw AuthError(.misconfigured, "\(QuotedText(text)) has no heads in it") }
            return heads
        }

        private static func isBlank(_ byte: UInt8) -> Bool {
            [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")].contains(byte)
        }
    }

    struct Restart: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replace a broken trail by a new one with the events as they are now.",
            discussion: """
                  rest-auth audit export > as-it-was.jsonl
                  rest-auth audit restart --force --reason "the end was overwritten"

                Use this for a trail that can never be verified again. Such a trail is not pruned any more, and if its \
                end is broken, no event is sealed. This command numbers and seals all events anew, as they are now: \
                what somebody altered stays altered. So export them first.

                The last event of the new trail is audit.restarted, with your account and the reason.
                """)

        @Option(help: "The reason, stored with the event.") var reason: String
        @Flag(help: "Remove all seals.") var force = false
        @OptionGroup var options: CoreOptions

        func validate() throws {
            guard force else {
                throw ValidationError(
                    "This removes every seal, so older heads can no longer be compared. Confirm with --force.")
            }
        }

        func run() async throws {
            // Every row is written: a million rows take some seconds.
            try await options.withAuth(statementsTaking: 600) { auth in
                let number = try await auth.auditTrail.restart(because: reason, by: .commandLine)
                Output.report("The new trail begins after number \(number).")
                try await auth.sealer.seal()
                Output.report("All events are sealed. Keep the new head elsewhere: rest-auth audit head")
            }
        }
    }
}

extension AuditTrail.Verification {
    fileprivate func lines(heads: Int) -> [String] {
        guard let head else { return ["No event is sealed yet."] + waiting }
        var lines = ["\(sealed) events are as they were sealed, up to number \(head.link.number)."]
        if prunedUpTo > 0 {
            lines.append("Events up to number \(prunedUpTo) were pruned, or their numbers were given up by a restart.")
        }
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

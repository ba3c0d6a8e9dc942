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

            A running server numbers and seals each event within two seconds. A head that is kept where nobody can \
            reach it who can change the database shows later that the newest events were removed, or all of them made \
            anew.
            """,
        subcommands: [List.self, Head.self, Verify.self, Export.self])

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
                "Compare with what rest-auth audit head printed: a file of such lines, or one of them.",
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

        private static func heads(_ text: String) throws -> [AuditHead] {
            if let head = AuditHead(text) { return [head] }
            guard let contents = FileManager.default.contents(atPath: text) else {
                throw AuthError(.misconfigured, "\(QuotedText(text)) is no file that can be read, and no head")
            }
            let lines = String(decoding: contents, as: UTF8.self).split(whereSeparator: \.isNewline)
            let heads = try lines.enumerated().map { number, line in
                guard let head = AuditHead(String(line)) else {
                    throw AuthError(.misconfigured, "line \(number + 1) of \(QuotedText(text)) is no head")
                }
                return head
            }
            guard !heads.isEmpty else { throw AuthError(.misconfigured, "\(QuotedText(text)) is empty") }
            return heads
        }
    }
}

extension AuditTrail.Verification {
    fileprivate func lines(heads: Int) -> [String] {
        guard let head else { return ["No event is sealed yet."] + waiting }
        var lines = ["\(sealed) events are as they were sealed, up to number \(head.link.number)."]
        if prunedUpTo > 0 { lines.append("Those up to number \(prunedUpTo) were pruned.") }
        if vouchedFor > 0 {
            lines.append(
                "\(vouchedFor) of them were sealed under a secret that was dropped, and later seals cover them.")
        }
        if outdatedHeads > 0 { lines.append("\(outdatedHeads) of \(heads) heads are of events that were pruned.") }
        return lines + waiting
    }

    private var waiting: [String] {
        unsealedSince.map { ["Events since \($0.ISO8601Format()) wait for their seal."] } ?? []
    }
}

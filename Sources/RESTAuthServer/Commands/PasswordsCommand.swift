import ArgumentParser
import Foundation
import RESTAuth

struct PasswordsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwords",
        abstract: "Make and ask lists of passwords known from breaches.",
        discussion: """
              rest-auth passwords filter pwned-passwords-sha1.txt --output breached.filter
              rest-auth passwords check --filter breached.filter
              rest-auth serve --password-policy nist --breached-passwords breached.filter
            """,
        subcommands: [Filter.self, Check.self])

    struct Filter: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a file that says of a password whether it is in a list.",
            discussion: """
                  rest-auth passwords filter pwned-passwords-sha1.txt --output breached.filter
                  rest-auth passwords filter pwned-passwords-sha1.txt \\
                      --output breached.filter --minimum-count 100

                The list has one password a line, as UTF-8, or one SHA-1 digest a line with a count behind it, as \
                Pwned Passwords has them. The first lines decide which of the two it is. The list is read twice, so it \
                has to be a file. The output takes 1.8 bytes for each password, and as much memory while it is made. \
                The passwords cannot be read from it. The file appears complete or not at all.
                """)

        @Argument(help: "The file with the list.") var list: String
        @Option(help: ArgumentHelp("The file to make.", valueName: "file")) var output: String
        @Option(
            help: ArgumentHelp(
                "How many passwords that are not in the list may be taken for one that is.", valueName: "1/number"))
        var falsePositives = Rate(interval: 1000)
        @Option(help: ArgumentHelp("Leave out what was seen fewer times; for lists with counts.", valueName: "count"))
        var minimumCount: Int?
        @Flag(help: "The list has SHA-1 digests, whatever it looks like.") var hashes = false

        func run() throws {
            try refuseToReplace()
            let list = try PasswordList(path: list, form: hashes ? .digests : nil, minimumCount: minimumCount)
            let report = ProgressReport()
            defer { report.end() }
            var count = 0
            try list.read(progress: { report.show("counting", done: $0, total: $1) }) { _ in count += 1 }
            guard count > 0 else {
                throw AuthError(.validationFailed, "there is no password in \(list.path) to put into a filter")
            }
            var filter = PasswordFilter.Builder(capacity: count, falsePositiveInterval: falsePositives.interval)
            var added = 0
            try list.read(progress: { report.show("adding", part: "\(count) passwords", done: $0, total: $1) }) { key in
                filter.insert(key())
                added += 1
            }
            guard added == count else {
                throw AuthError(.validationFailed, "\(list.path) was changed while it was read")
            }
            let bytes = filter.finish()
            do throws(SystemError) {
                let file = try NewFile(for: output)
                try file.write(bytes)
                try file.put(isReplacing: true)
            } catch {
                throw AuthError(.misconfigured, "\(output) cannot be written: \(error.reason)")
            }
            report.end()
            Output.report(
                """
                Put \(count) passwords into \(output): \(bytes.count) bytes, one false positive in \
                \(falsePositives.interval).
                """
            )
        }

        /// Refuses to replace a file that this command did not make: the two names are easily
        /// swapped.
        private func refuseToReplace() throws {
            guard FileManager.default.fileExists(atPath: output) else { return }
            guard (try? BreachedPasswords(file: output, checksContents: false)) != nil else {
                throw AuthError(.validationFailed, "\(output) is there already and is no list that this command made")
            }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whether a password is in a list.",
            discussion: """
                  rest-auth passwords check --filter breached.filter
                  echo "$PASSWORD" | rest-auth passwords check --filter breached.filter

                Asks for the password without echo, or reads one line of standard input. Exit status 0 when it is not \
                in the list, 2 when it is.
                """
        )

        @Option(help: ArgumentHelp("A file that passwords filter made.", valueName: "file")) var filter: String

        func run() throws {
            let breached = try BreachedPasswords(file: filter)
            let password =
                try isatty(STDIN_FILENO) == 1 ? PasswordOptions.ask("Password: ") : StandardInput.line() ?? ""
            guard !password.isEmpty else { throw AuthError(.validationFailed, "standard input has no password") }
            guard breached.contains(password) else {
                Output.report("Not in the list of \(breached.count) passwords.")
                return
            }
            Output.report(
                """
                In the list of \(breached.count) passwords; one in \(breached.falsePositiveInterval) that are not in \
                it is taken for one that is.
                """
            )
            throw ExitCode(2)
        }
    }
}

/// A small probability, written as a fraction such as 1/1000.
struct Rate: ExpressibleByArgument {
    let interval: Int

    init(interval: Int) {
        self.interval = interval
    }

    init?(argument: String) {
        guard argument.hasPrefix("1/"), let interval = Int(argument.dropFirst(2)),
            PasswordFilter.Builder.falsePositiveIntervals.contains(interval)
        else { return nil }
        self.interval = interval
    }

    var defaultValueDescription: String { "1/\(interval)" }
}

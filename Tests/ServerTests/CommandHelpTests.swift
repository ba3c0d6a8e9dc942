import ArgumentParser
import RESTAuthServer
import Support
import Testing

/// The help of each command has an example of it, and every example is a command that exists.
@Suite struct CommandHelpTests {
    private static func leaves(of command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        let subcommands = command.configuration.subcommands.filter { $0.configuration.shouldDisplay }
        return subcommands.isEmpty ? [command] : subcommands.flatMap(leaves)
    }

    @Test func everyCommandHasAnExampleThatItUnderstands() throws {
        for command in Self.leaves(of: RESTAuthCommand.self) {
            let help = RESTAuthCommand.helpMessage(for: command)
            // A line of 80 characters or more is broken in two, which are two commands to a shell.
            #expect(!help.split(separator: "\n").contains("\\"), "\(help.prefix(200))")
            let examples = Self.examples(in: help)
            var understood: [any ParsableCommand.Type] = []
            for example in examples {
                do {
                    understood.append(type(of: try RESTAuthCommand.parseAsRoot(example)))
                } catch {
                    Issue.record("rest-auth \(example.joined(separator: " ")): \(RESTAuthCommand.message(for: error))")
                }
            }
            #expect(understood.contains { $0 == command }, "\(help.prefix(200))")
        }
    }

    @Test func theExamplesOfGroupsAreUnderstood() {
        func groups(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
            command.configuration.subcommands.isEmpty
                ? [] : [command] + command.configuration.subcommands.flatMap(groups)
        }
        for group in groups(RESTAuthCommand.self) {
            for example in Self.examples(in: RESTAuthCommand.helpMessage(for: group)) {
                #expect(throws: Never.self, "rest-auth \(example.joined(separator: " "))") {
                    try RESTAuthCommand.parseAsRoot(example)
                }
            }
        }
    }

    @Test func theUsageOfNoCommandIsWiderThanATerminal() throws {
        for command in Self.leaves(of: RESTAuthCommand.self) {
            let help = RESTAuthCommand.helpMessage(for: command)
            let broken = UsageLine.broken(in: help)
            let usage = try #require(broken.split(separator: "\n").firstIndex { $0.hasPrefix("USAGE: ") })
            let lines = broken.split(separator: "\n")[usage...].prefix { !$0.hasSuffix(":") }
            #expect(lines.allSatisfy { $0.count <= 80 }, "\(lines)")
            // Nothing but white space is another, and no part is torn apart.
            #expect(broken.split(whereSeparator: \.isWhitespace) == help.split(whereSeparator: \.isWhitespace))
            #expect(lines.allSatisfy { $0.count { $0 == "[" } == $0.count { $0 == "]" } }, "\(lines)")
        }
    }

    @Test func theProgramPrintsItSo() async throws {
        let outcome = try await runCommand(["users", "add", "--help"], directory: TemporaryDirectory())
        #expect(outcome.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(outcome.output)")
    }

    /// The arguments of each `rest-auth` in the indented lines before the usage.
    private static func examples(in help: String) -> [[String]] {
        let lines = help.split(separator: "\n").prefix { !$0.hasPrefix("USAGE") }.filter { $0.hasPrefix("  ") }
        let text = lines.joined(separator: "\n").replacing(#/\\\n\s*|\|\n\s*/#) {
            $0.output.hasPrefix("|") ? "| " : " "
        }
        return text.split(whereSeparator: { $0 == "\n" || $0 == "|" }).compactMap { command in
            let words = words(of: command).prefix { !$0.hasPrefix(">") && !$0.hasPrefix("<") && $0 != "#" }
            return words.first == "rest-auth" ? Array(words.dropFirst()) : nil
        }
    }

    /// The words of a shell command; those in double quotes are one.
    private static func words(of command: Substring) -> [String] {
        command.matches(of: #/"([^"]*)"|[^\s"]+/#).map { String($0.output.1 ?? $0.output.0) }
    }
}

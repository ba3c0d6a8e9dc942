import Foundation
import Support
import Testing

/// Transcripts in the documentation, run in a shell word for word, with a server that has just been
/// started.
@Suite struct TranscriptTests {
    private struct Step {
        let command: String
        var output: [String] = []
    }

    @Test func theServerAnswersAsTheREADMESays() async throws {
        try await expectAnswers(
            as: Document("README.md"), under: ["## Try it", "## Protect your API", "## Stay signed in"], atLeast: 16)
    }

    @Test func theServerAnswersAsThePageForBeginnersSays() async throws {
        let sections = ["### Register and sign in", "### Use a token", "### Stay signed in", "### Your account"]
        try await expectAnswers(as: Document(page: "Getting-started"), under: sections, atLeast: 24)
    }

    @Test func theServerAnswersAsThePageOfSecondFactorsSays() async throws {
        let sections = ["### Add an app", "### Sign in", "### Trust a device", "### Give the factor again"]
        try await expectAnswers(as: Document(page: "Factors"), under: sections, atLeast: 19)
    }

    @Test func theServerAnswersAsThePageOfPasskeysSays() async throws {
        try await expectAnswers(as: Document(page: "Passkeys"), under: ["### With curl"], atLeast: 5)
    }

    @Test func theServerAnswersAsThePageOfTokensForProgramsSays() async throws {
        let sections = ["### Make a token", "### Use a token", "### See and delete tokens", "### Rotate a token"]
        try await expectAnswers(as: Document(page: "Program-tokens"), under: sections, atLeast: 15)
    }

    @Test func theServerAnswersAsThePageOfProfilesSays() async throws {
        let sections = ["### Your profile", "### Another user name"]
        try await expectAnswers(as: Document(page: "User-profiles"), under: sections, atLeast: 7)
    }

    @Test func theServerAnswersAsThePageOfOperatorsSays() async throws {
        let sections = ["### The first operator", "### Find users", "### Add a user by a link", "### Change a user"]
        try await expectAnswers(as: Document(page: "Operator"), under: sections, atLeast: 12)
    }

    @Test func theServerAnswersAsThePageOfItsOperatorsSays() async throws {
        let sections = [
            "### Events", "### Keys, clients and invitations", "### Who has to wait", "### All users at once",
        ]
        try await expectAnswers(as: Document(page: "Operator-server"), under: sections, atLeast: 16) { server in
            try await server.register("miguel", "python")
            try await server.command("users", "grant", "miguel", "rest-auth:operator")
        }
    }

    private func expectAnswers(
        as document: Document, under sections: [String], atLeast count: Int,
        after prepare: (RunningServer) async throws -> Void = { _ in }
    ) async throws {
        let server = try await RunningServer()
        try await prepare(server)
        let url = "http://127.0.0.1:\(server.port)"
        let database = try await server.directory.database()
        let lines = sections.flatMap { document.blocks("", under: $0) }
            .flatMap { block in
                block.replacing("http://127.0.0.1:5000", with: url)
                    .replacing("| rest-auth users", with: "| \(ExternalProcess.restAuth.path) users")
                    .replacing("--password-stdin", with: "--password-stdin --database \(database.url)")
                    .components(separatedBy: "\n")
            }
        var steps: [Step] = []
        for line in lines {
            if line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2))))
            } else if !steps.isEmpty {
                steps[steps.count - 1].output.append(line)
            }
        }
        #expect(steps.count >= count)
        let separator = "-- next --"
        let script = steps.map { "\($0.command)\necho; echo '\(separator)'\n" }.joined()
        let shell = try ExternalProcess(
            URL(fileURLWithPath: "/bin/sh"), [], environment: database.environment, directory: server.directory,
            input: .text(script))
        _ = try await shell.exitStatus()
        let outputs = shell.outputText.replacing("\r\n", with: "\n").components(separatedBy: separator)
        try #require(outputs.count == steps.count + 1)
        for (step, output) in zip(steps, outputs) {
            let expected = step.output.joined(separator: "\n").trimmingCharacters(in: .newlines)
            let seen = output.trimmingCharacters(in: .newlines)
            let pattern = try Regex(pattern(of: expected)).dotMatchesNewlines()
            #expect(seen.wholeMatch(of: pattern) != nil, "\(step.command)\n\(seen)")
        }
    }

    /// A pattern for the parts that differ each time: parts left out, times, and ids of requests.
    private func pattern(of text: String) -> String {
        NSRegularExpression.escapedPattern(for: text)
            .replacing("…", with: "[A-Za-z0-9._-]+")
            .replacing(/Date: [^\n]+/, with: "Date: [^\n]+")
            .replacing(/Content-Length: [0-9]+/, with: "Content-Length: [0-9]+")
            .replacing(/"request_id":"[0-9a-f]+"/, with: "\"request_id\":\"[0-9a-f]+\"")
            .replacing(/"created_at":"[^"]+"/, with: "\"created_at\":\"[^\"]+\"")
            .replacing("AaIgu", with: "A")
            // A second may begin between the password and the token.
            .replacing("\"duration\":600", with: "\"duration\":(?:600|599)")
    }
}

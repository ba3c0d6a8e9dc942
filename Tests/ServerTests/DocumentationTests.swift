import Foundation
import RESTAuthServer
import Support
import Testing

/// The documentation agrees with the code.
@Suite struct DocumentationTests {
    /// The pages show the files that the tests run, word for word.
    @Test(arguments: [
        ("Behind-a-proxy", "Proxies/nginx.conf"), ("Behind-a-proxy", "Proxies/Caddyfile"),
        ("Behind-a-proxy", "Proxies/haproxy.cfg"), ("Behind-a-proxy", "Proxies/verify.lua"),
        ("Verifying-elsewhere", "Verifying/verify.py"), ("Verifying-elsewhere", "Verifying/verify.mjs"),
        ("Registration", "Registering/register.mjs"), ("Registration", "Registering/register.py"),
        ("Passkeys", "Passkeys/passkeys.mjs"), ("Running-it", "systemd/rest-auth.socket"),
        ("Running-it", "systemd/rest-auth.service"),
    ])
    func aPageShowsTheExampleWordForWord(page: String, example: String) throws {
        let page = try text("Sources/RESTAuth/RESTAuth.docc/\(page).md")
        let blocks = page.components(separatedBy: "\n```").enumerated().filter { $0.offset % 2 == 1 }.map { block in
            // Without the name of the language.
            block.element.components(separatedBy: "\n").dropFirst().joined(separator: "\n") + "\n"
        }
        #expect(try blocks.contains(text("Examples/\(example)")))
    }

    /// The code on these pages is compiled, and most of it run, word for word.
    @Test(arguments: [
        "RESTAuth/RESTAuth.docc/Embedding", "RESTAuth/RESTAuth.docc/RESTAuth", "RESTAuth/RESTAuth.docc/Sessions",
        "RESTAuthHummingbird/RESTAuthHummingbird.docc/RESTAuthHummingbird",
    ])
    func whatAPageShowsOfSwiftIsCompiled(page: String) throws {
        let sources = [
            "Examples/Notes/Package.swift", "Examples/Notes/Sources/Notes/Notes.swift",
            "Examples/Notes/Tests/NotesTests/ClockTests.swift", "Tests/HTTPTests/EmbeddingPageTests.swift",
        ]
        func withoutMargin(_ text: String) -> String {
            text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "\n")
        }
        let compiled = try sources.map { try withoutMargin(text($0)) }
        let blocks = try text("Sources/\(page).md").components(separatedBy: "\n```swift\n").dropFirst()
            .map { $0.components(separatedBy: "\n```")[0] }
        #expect(!blocks.isEmpty)
        for block in blocks {
            #expect(compiled.contains { $0.contains(withoutMargin(block)) }, "\(block)")
        }
    }

    /// The properties of types that handlers use have docstrings.
    @Test(arguments: [
        "RESTAuth/Auth", "RESTAuth/AuthError", "RESTAuth/Identity/UserIdentity", "RESTAuth/Sessions/Session",
        "RESTAuth/Sessions/Sessions", "RESTAuth/Users/User", "RESTAuth/AccessTokens/AccessTokens",
        "RESTAuth/SigningKeys/SigningKeys", "RESTAuthHummingbird/SignedInContext",
        "RESTAuthHummingbird/Authenticator", "RESTAuthHummingbird/AuthRoutes", "RESTAuthHummingbird/Auth+Routes",
        "RESTAuthHummingbird/Problem", "RESTAuthHummingbird/AllowedOrigins",
    ])
    func everyPublicPropertyIsDescribed(file: String) throws {
        let lines = try text("Sources/\(file).swift").components(separatedBy: "\n")
            .map { $0.trimmingCharacters(in: .whitespaces) }
        // Properties that types of the standard library have are described there.
        let common = ["description", "debugDescription", "customMirror", "mediaType"]
        for (before, line) in zip(lines, lines.dropFirst()) {
            guard let property = line.firstMatch(of: /^public (static )?(let|var) (\w+)/)?.output.3 else { continue }
            let isDescribed = before.hasPrefix("///") || common.contains(String(property))
            #expect(isDescribed, "\(line)")
        }
    }

    /// The page of settings is what the program prints; `dev/settings-page` writes it.
    @Test func thePageHasEverySettingAsTheProgramKnowsIt() async throws {
        let page = try text("Sources/RESTAuth/RESTAuth.docc/Settings.md").components(
            separatedBy: "\n## Every setting\n\n")
        let known = try await runCommand(["config", "page"], directory: TemporaryDirectory())
        #expect(known.status == 0, "\(known.error)")
        #expect(page.count == 2)
        #expect(page.last == known.output)
    }

    /// The page has all settings, in their order, with every name of each.
    @Test func thePageHasEveryNameOfEverySetting() throws {
        let page = try text("Sources/RESTAuth/RESTAuth.docc/Settings.md")
        let entries = page.components(separatedBy: "\n#### ").dropFirst()
        #expect(entries.count == Setting.all.count)
        for (entry, setting) in zip(entries, Setting.all) {
            let names = [setting.isSecret ? nil : setting.flag, setting.environmentName, setting.platformName]
            #expect(entry.hasPrefix("\(setting.name)\n"), "\(entry)")
            for name in names.compactMap(\.self) { #expect(entry.contains("`\(name)`"), "\(entry)") }
        }
    }

    /// The table of commands has every command that the program lists.
    @Test func thePageHasEveryCommand() async throws {
        struct Command: Decodable {
            let commandName: String
            let shouldDisplay: Bool
            let subcommands: [Command]?

            var leaves: [String] {
                let below = (subcommands ?? []).filter { $0.shouldDisplay && $0.commandName != "help" }
                guard !below.isEmpty else { return [commandName] }
                return below.flatMap(\.leaves).map { "\(commandName) \($0)" }
            }
        }
        struct Dump: Decodable { let command: Command }
        let help = try await runCommand(["--experimental-dump-help"], directory: TemporaryDirectory())
        let commands = try JSONDecoder().decode(Dump.self, from: Data(help.output.utf8)).command.leaves
        #expect(commands.count > 30)
        let rows = try Document(page: "Commands").text.components(separatedBy: "\n").filter { $0.hasPrefix("| `") }
        for command in commands {
            #expect(rows.contains { $0.hasPrefix("| `\(command) ") || $0.hasPrefix("| `\(command)`") }, "\(command)")
        }
    }

    /// Links to files are paths in the repository.
    @Test(arguments: ["README.md", "SECURITY.md", "CONTRIBUTING.md"]) func whatIsLinkedIsThere(page: String) throws {
        let links = try text(page).matches(of: /(?:\]\(|src="|srcset=")([^)"#]+)/).map { String($0.output.1) }
        for link in links where !link.contains("://") {
            let file = ExternalProcess.repository.appendingPathComponent(link)
            #expect(FileManager.default.fileExists(atPath: file.path), "\(link)")
        }
    }

    /// Every page of the core's documentation can be reached: it is linked from the first page, or
    /// from one that is.
    @Test func everyPageIsReachedFromTheFirst() throws {
        let folder = ExternalProcess.repository.appendingPathComponent("Sources/RESTAuth/RESTAuth.docc")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var unreached: [(link: String, text: String)] = []
        for page in files.compactMap({ $0 as? URL }) where page.pathExtension == "md" {
            let text = try String(contentsOf: page, encoding: .utf8)
            let name = page.deletingPathExtension().lastPathComponent
            // The page of a type is linked as that type.
            let type = text.firstMatch(of: /^# ``RESTAuth\/(.+)``/)?.output.1
            if name != "RESTAuth" { unreached.append((type.map { "``\($0)``" } ?? "<doc:\(name)>", text)) }
        }
        var reached = [try Document(page: "RESTAuth").text]
        while let text = reached.popLast() {
            let next = unreached.partition { text.contains($0.link) }
            reached += unreached[next...].map(\.text)
            unreached.removeSubrange(next...)
        }
        #expect(unreached.map(\.link) == [])
    }

    /// Every text for newcomers names the same version of Swift.
    @Test func oneVersionOfSwiftIsNamed() throws {
        let toolchain = try text("dev/toolchain")
        let version = try #require(toolchain.firstMatch(of: /needed=([0-9.]+)/)).output.1
        #expect(try text("README.md").contains("with Swift \(version):"))
        #expect(try text("Containerfile").contains("docker.io/library/swift:\(version)-"))
        #expect(try text(".github/workflows/test.yml").contains("image: swift:\(version)-"))
        for script in ["dev/build", "dev/test", "dev/check"] {
            #expect(try text(script).contains("dev/toolchain"), "\(script)")
        }
    }

    /// The page *Findings* names existing tests.
    @Test func theTestsThatAreNamedAreThere() throws {
        let page = try text("Sources/RESTAuth/RESTAuth.docc/Findings.md")
        let directory = ExternalProcess.repository.appendingPathComponent("Tests")
        let files = try #require(FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil))
        let tests = try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        let elsewhere: Set<Substring> = ["StorageContract", "owners", "setPasswordHash", "openapi", "yaml", "security"]
        let paragraphs = page.components(separatedBy: "\n\n").filter { $0.hasPrefix("Tests: ") }
        #expect(paragraphs.count > 20)
        for name in paragraphs.flatMap({ $0.matches(of: /`([A-Za-z.]+)`/).map(\.output.1) }) {
            for part in name.split(separator: ".") where !elsewhere.contains(part) {
                let isThere = tests.contains("func \(part)(") || tests.contains("struct \(part) ")
                #expect(isThere || tests.contains("struct \(part):"), "\(name)")
            }
        }
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: ExternalProcess.repository.appendingPathComponent(path), encoding: .utf8)
    }
}

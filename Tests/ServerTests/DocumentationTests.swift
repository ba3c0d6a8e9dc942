import Foundation
import RESTAuthServer
import Support
import Testing

/// What is written is what is there.
@Suite struct DocumentationTests {
    /// The pages show the very files that the tests run.
    @Test(arguments: [
        ("Behind-a-proxy", "Proxies/nginx.conf"), ("Behind-a-proxy", "Proxies/Caddyfile"),
        ("Behind-a-proxy", "Proxies/haproxy.cfg"), ("Behind-a-proxy", "Proxies/verify.lua"),
        ("Verifying-elsewhere", "Verifying/verify.py"), ("Verifying-elsewhere", "Verifying/verify.mjs"),
        ("Registration", "Registering/register.mjs"), ("Registration", "Registering/register.py"),
        ("Running-it", "systemd/rest-auth.socket"), ("README", "systemd/rest-auth.service"),
    ])
    func aPageShowsTheExampleWordForWord(page: String, example: String) throws {
        let page = try text(page == "README" ? "README.md" : "Sources/RESTAuth/RESTAuth.docc/\(page).md")
        let blocks = page.components(separatedBy: "\n```").enumerated().filter { $0.offset % 2 == 1 }.map { block in
            // Without the name of the language.
            block.element.components(separatedBy: "\n").dropFirst().joined(separator: "\n") + "\n"
        }
        #expect(try blocks.contains(text("Examples/\(example)")))
    }

    /// The code of these pages is compiled, and most of it run, as it stands there.
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

    /// What a handler is given has a sentence for each of its properties.
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
        // What every type of the standard library has is described there.
        let common = ["description", "debugDescription", "customMirror", "mediaType"]
        for (before, line) in zip(lines, lines.dropFirst()) {
            guard let property = line.firstMatch(of: /^public (static )?(let|var) (\w+)/)?.output.3 else { continue }
            let isDescribed = before.hasPrefix("///") || common.contains(String(property))
            #expect(isDescribed, "\(line)")
        }
    }

    /// The table of settings has them all, in their order, with every name of each.
    @Test func theTableHasEverySetting() throws {
        let rows = try text("README.md").components(separatedBy: "\n").filter { $0.contains("| `REST_AUTH_") }
        #expect(rows.count == Setting.allCases.count)
        for (row, setting) in zip(rows, Setting.allCases) {
            let names = [
                setting.isSecret ? nil : setting.flag, setting.environmentName, setting.platformName, setting.rawValue,
            ]
            for name in names.compactMap(\.self) { #expect(row.contains("`\(name)`"), "\(row)") }
        }
    }

    /// One version is enough to begin with, wherever a newcomer looks.
    @Test func oneVersionOfSwiftIsNamed() throws {
        let toolchain = try text("dev/toolchain")
        let version = try #require(toolchain.firstMatch(of: /needed=([0-9.]+)/)).output.1
        #expect(try text("README.md").contains("with Swift \(version):"))
        #expect(try text("Containerfile").contains("docker.io/library/swift:\(version)-"))
        for script in ["dev/build", "dev/test", "dev/check"] {
            #expect(try text(script).contains("dev/toolchain"), "\(script)")
        }
    }

    /// The page of what was found names the tests that hold it.
    @Test func theTestsThatAreNamedAreThere() throws {
        let page = try text("Sources/RESTAuth/RESTAuth.docc/Audit.md")
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

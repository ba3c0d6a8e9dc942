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
    ])
    func aPageShowsTheExampleWordForWord(page: String, example: String) throws {
        let page = try text("Sources/RESTAuth/RESTAuth.docc/\(page).md")
        let blocks = page.components(separatedBy: "\n```").enumerated().filter { $0.offset % 2 == 1 }.map { block in
            // Without the name of the language.
            block.element.components(separatedBy: "\n").dropFirst().joined(separator: "\n") + "\n"
        }
        #expect(try blocks.contains(text("Examples/\(example)")))
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

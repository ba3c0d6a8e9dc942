import Foundation
import Support
import Testing

/// The pages show the very files that the tests run.
@Suite struct DocumentedExamplesTests {
    @Test(arguments: [
        ("Behind-a-proxy", "Proxies/nginx.conf"), ("Behind-a-proxy", "Proxies/Caddyfile"), ("Verifying-elsewhere", "Verifying/verify.py"),
        ("Verifying-elsewhere", "Verifying/verify.mjs"),
    ])
    func aPageShowsTheExampleWordForWord(page: String, example: String) throws {
        let page = try text("Sources/RESTAuth/RESTAuth.docc/\(page).md")
        let blocks = page.components(separatedBy: "\n```").enumerated().filter { $0.offset % 2 == 1 }.map { block in
            // Without the name of the language.
            block.element.components(separatedBy: "\n").dropFirst().joined(separator: "\n") + "\n"
        }
        #expect(try blocks.contains(text("Examples/\(example)")))
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: ExternalProcess.repository.appendingPathComponent(path), encoding: .utf8)
    }
}

import ArgumentParser
import Foundation
import RESTAuth

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what is wrong, dangerous or slow about a deployment, and how to mend it.",
        discussion: """
            Reads the settings as serve would, and looks at files with their owners and modes, the database and what \
            stands before it, the clock, proxies, certificates and the machine. Goes on after what is wrong; makes and \
            changes nothing. Run it as the user that runs the server, with the same flags, environment and file.

              rest-auth doctor
              rest-auth doctor --config /etc/rest-auth.yaml
              sudo -u rest-auth rest-auth doctor --config /etc/rest-auth.yaml --json

            Exit status 0 when nothing is wrong or dangerous, 1 when something is wrong, 2 when something is dangerous.
            """)

    @Flag(help: "Print one JSON object a line.") var json = false
    @OptionGroup var options: AllOptions

    func run() async throws {
        let findings = await Self.findings(options)
        try Output.write(lines: json ? Self.objects(findings) : Self.report(findings))
        if findings.contains(where: { $0.kind == .wrong }) { throw ExitCode(1) }
        if findings.contains(where: { $0.kind == .dangerous }) { throw ExitCode(2) }
    }

    private static func findings(_ options: AllOptions) async -> [Finding] {
        do {
            let source = try options.source()
            // Wrong settings are reported as a finding; the log then follows the default settings.
            let settings = (try? Settings(source)) ?? .standard
            return try await settings.withLog { await Doctor(source: source).findings() }
        } catch {
            return [.wrong("settings", Doctor.text(of: error))]
        }
    }

    private static func objects(_ findings: [Finding]) throws -> [String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try findings.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
    }

    private static func report(_ findings: [Finding]) -> [String] {
        let counts = Finding.Kind.allCases.map { kind in
            "\(findings.count { $0.kind == kind }) \(kind.rawValue)"
        }
        return findings.flatMap { finding in
            ["\(finding.kind.rawValue): \(finding.text)"] + (finding.remedy.map { ["  \($0)"] } ?? [])
        } + [findings.isEmpty ? "Nothing is wrong." : counts.joined(separator: ", ") + "."]
    }
}

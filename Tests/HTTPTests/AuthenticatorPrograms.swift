import Foundation
import Support
import Testing

/// The programs that read our URI and our picture and compute codes from them, in a directory of
/// the test.
struct AuthenticatorPrograms {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    func run(_ program: URL, _ arguments: [String], input: String? = nil) async throws -> String {
        let outcome = try await ExternalProcess(
            program, arguments, directory: directory, input: input.map { .text($0) } ?? .nothing
        ).outcome()
        try #require(outcome.status == 0, "\(outcome.error)")
        return outcome.output
    }

    /// The text of a picture.
    func scan(_ svg: String) async throws -> String {
        try Data(svg.utf8).write(to: URL(fileURLWithPath: directory.path + "/code.svg"))
        _ = try await run(ExternalProcess.program("rsvg-convert"), ["-w", "500", "-o", "code.png", "code.svg"])
        let read = try await run(
            ExternalProcess.program("zbarimg"), ["-q", "--raw", "-Sdisable", "-Sqrcode.enable", "code.png"])
        return read.trimmingCharacters(in: .newlines)
    }

    /// The code that oathtool computes of the secret.
    func oathtool(_ secret: String, at time: Date) async throws -> String {
        try await run(
            ExternalProcess.program("oathtool"), ["--totp", "-b", secret, "-N", time.ISO8601Format()]
        ).trimmingCharacters(in: .newlines)
    }

    /// What pyotp reads in a URI, and the codes that it computes.
    func pyotp(_ uri: String, at times: [Int]) async throws -> (head: [String], codes: [String]) {
        let script = """
            import pyotp, sys
            totp = pyotp.parse_uri(sys.argv[1])
            print(totp.secret, totp.digits, totp.interval, totp.digest().name)
            print(totp.issuer)
            print(totp.name)
            for time in sys.argv[2:]: print(totp.at(int(time)))
            """
        let lines = try await run(ExternalProcess.testPython(), ["-c", script, uri] + times.map(String.init))
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        try #require(lines.count == 4 + times.count)
        return (Array(lines.prefix(3)), Array(lines.dropFirst(3).prefix(times.count)))
    }

    /// The code of this moment that KeePassXC computes: the `otp` attribute of its entries is the
    /// URI as it was scanned.
    func keePassXC(_ uri: String) async throws -> String {
        let entries = """
            <?xml version="1.0" encoding="utf-8" standalone="yes"?>
            <KeePassFile><Meta><Generator>KeePassXC</Generator></Meta><Root><Group>
            <UUID>AAAAAAAAAAAAAAAAAAAAAQ==</UUID><Name>Root</Name><Entry><UUID>AAAAAAAAAAAAAAAAAAAAAg==</UUID>
            <String><Key>Title</Key><Value>ours</Value></String>
            <String><Key>otp</Key><Value>\(uri.replacing("&", with: "&amp;"))</Value></String>
            </Entry></Group></Root></KeePassFile>
            """
        try Data(entries.utf8).write(to: URL(fileURLWithPath: directory.path + "/entries.xml"))
        let program = try ExternalProcess.program("keepassxc-cli")
        _ = try await run(program, ["import", "-q", "-p", "entries.xml", "ours.kdbx"], input: "python\npython\n")
        return try await run(program, ["show", "-q", "-t", "ours.kdbx", "ours"], input: "python\n")
            .trimmingCharacters(in: .newlines)
    }
}

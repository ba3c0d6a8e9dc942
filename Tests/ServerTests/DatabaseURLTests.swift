import Foundation
import Support
import Testing

/// Spellings of a SQLite file in `database_url` that are known from other programs.
@Suite struct DatabaseURLTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(_ command: [String], _ url: String) async throws -> CommandOutcome {
        try await runCommand(command + ["--database", url], directory: directory)
    }

    /// SQLAlchemy's three slashes precede a relative path; here they are an absolute one.
    @Test func threeSlashesThatCannotBeMadeNameBothReadings() async throws {
        let url = "sqlite:///nowhere-\(UUID().uuidString)/data.sqlite"
        let path = String(url.dropFirst("sqlite://".utf8.count))
        for command in [
            ["serve", "--port", "0"], ["config", "check"], ["users", "list"], ["backup", "copy.sqlite"],
        ] {
            let outcome = try await run(command, url)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("the database \(path)") || outcome.error.contains("no database \(path)"))
            #expect(outcome.error.contains("sqlite:\(path.dropFirst())"), "\(outcome.error)")
            #expect(outcome.error.contains(directory.path), "\(outcome.error)")
            #expect(outcome.error.split(separator: "\n").count == 1)
        }
        #expect(directory.contents.isEmpty)
        let plain = try await run(["users", "list"], "sqlite:\(path)")
        #expect(!plain.error.contains("slashes"), "\(plain.error)")
    }

    @Test(arguments: ["sqlite:%@/x.sqlite", "sqlite://%@/x.sqlite", "sqlite:///%@/x.sqlite", "sqlite:x.sqlite"])
    func theBannerNamesTheFileWholly(form: String) async throws {
        let url = form.replacing("%@", with: directory.path)
        let process = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--port", "0", "--database", url], directory: directory)
        try await wait(for: "the banner") { process.outputText.contains("listens on") || !process.isRunning }
        process.kill()
        _ = try await process.exitStatus()
        let line = process.outputText.split(separator: "\n").first { $0.hasPrefix("data ") }
        #expect(line.map(String.init) == "data      \(directory.path)/x.sqlite", "\(process.errorText)")
    }

    @Test(arguments: [
        "sqlite://", "sqlite:", "sqlite:///", "sqlite:///:memory:", "sqlite::memory:", "sqlite://:memory:",
        "sqlite:///file::memory:?cache=shared", "sqlite:file:x?mode=memory",
    ])
    func aDatabaseInMemoryIsNoneToServeFrom(url: String) async throws {
        let outcome = try await run(["serve", "--port", "0"], url)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: --database "), "\(outcome.error)")
        #expect(outcome.error.contains("memory"), "\(outcome.error)")
        #expect(outcome.error.contains("sqlite:rest-auth.sqlite"), "\(outcome.error)")
        #expect(directory.contents.isEmpty)
    }

    @Test(arguments: [
        ("sqlite3:///var/data.sqlite", "sqlite:/var/data.sqlite"), ("sqlite3:data.sqlite", "sqlite:data.sqlite"),
        ("sqlite3://data.sqlite", "sqlite:data.sqlite"), ("file:./dev.db", "sqlite:./dev.db"),
        ("file:///var/dev.db", "sqlite:/var/dev.db"), ("sqlite+aiosqlite:///data.sqlite", "sqlite:data.sqlite"),
        ("sqlite+pysqlite:////var/data.sqlite", "sqlite:/var/data.sqlite"),
        ("jdbc:sqlite:data.sqlite", "sqlite:data.sqlite"), ("data.sqlite", "sqlite:data.sqlite"),
        ("/var/data.sqlite", "sqlite:/var/data.sqlite"), ("sqlite:x.sqlite?mode=rwc", "sqlite:x.sqlite"),
        ("sqlite:///var/x.sqlite?check_same_thread=False", "sqlite:/var/x.sqlite"),
        ("sqlite:~/x.sqlite", "sqlite:\(NSHomeDirectory())/x.sqlite"),
    ])
    func whatOthersWriteIsRefusedWithWhatToWrite(url: String, ours: String) async throws {
        let outcome = try await runCommand(
            ["config", "check", "--database", url], environment: ["HOME": NSHomeDirectory()], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: --database "), "\(outcome.error)")
        #expect(
            outcome.error.contains("write \(ours)\n") || outcome.error.contains("write \(ours);")
                || outcome.error.contains("write \(ours),"), "\(outcome.error)")
    }

    @Test func aDirectoryIsNoDatabase() async throws {
        for command in [["serve", "--port", "0"], ["config", "check"], ["users", "list"]] {
            for end in ["", "/"] {
                let outcome = try await run(command, "sqlite:\(directory.path)\(end)")
                #expect(outcome.status == 1)
                #expect(outcome.error.contains("as \(directory.path)/rest-auth.sqlite"), "\(outcome.error)")
            }
        }
        #expect(directory.contents.isEmpty)
    }
}

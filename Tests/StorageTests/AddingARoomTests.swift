import Foundation
import RESTAuth
import RESTAuthSQLite
import Support
import Testing

/// The exercise on the page *Adding a room*; `dev/check-room` builds it.
@Suite struct AddingARoomTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../..").standardizedFileURL
    private static let path = "Examples/Rooms/account-notes.patch"

    let patch: String

    init() throws {
        patch = try String(contentsOf: Self.root.appendingPathComponent(Self.path), encoding: .utf8)
    }

    @Test func itAppliesToTheSourcesAsTheyAre() async throws {
        let directory = try TemporaryDirectory()
        let git = try ExternalProcess(
            ExternalProcess.program("git"), ["-C", Self.root.path, "apply", "--check", Self.path],
            directory: directory)
        #expect(try await git.exitStatus() == 0, "\(git.errorText)")
    }

    @Test func itEditsAtMostThreeFilesThatAreThere() {
        let files = patch.matches(of: /diff --git a\/(\S+) b\/\S+\n(new file)?/)
        let edited = files.filter { $0.output.2 == nil }.map { String($0.output.1) }
        #expect(edited.count <= 3, "\(edited)")
        #expect(edited.contains("Sources/RESTAuth/Rooms.swift"))
        for file in files where file.output.2 != nil {
            #expect(file.output.1.contains("AccountNote"), "\(file.output.1) does not say whose it is")
        }
    }

    @Test func itsChangeOfTheSchemaHasTheNextNumber() throws {
        let next = try SchemaChange.lastOfHistory + Migrations.changes().count + 1
        let numbers = patch.matches(of: /SchemaChange\(\s*\+?\s*([0-9]+),/).map { Int($0.output.1) }
        #expect(numbers == [next, next])
    }
}

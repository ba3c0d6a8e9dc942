import Foundation
import Support
import Testing

/// `users set` and `users rename`, and profiles in exports and imports.
@Suite struct ProfileCommandsTests {
    private let desk: ImportDesk

    init() async throws {
        desk = try await ImportDesk()
        for name in ["susan", "miguel"] {
            #expect(try await desk.users("add", name, "--password-stdin", input: "python\n").status == 0)
        }
    }

    private func shown(_ name: String) async throws -> [String: Any] {
        let output = try await desk.users("show", name, "--json").output
        return try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
    }

    @Test func aProfileIsSetAndShown() async throws {
        let outcome = try await desk.users(
            "set", "susan", "--email", "susan@Example.com", "--email-verified", "--name", "Susan Smith", "--locale",
            "en-GB", "--app-metadata", #"{"plan":"pro","trial":true}"#)
        #expect(outcome.status == 0 && outcome.output == "Changed the profile of susan.\n", "\(outcome.error)")
        #expect(try await desk.users("set", "susan", "--app-metadata", #"{"trial":null}"#).status == 0)
        let susan = try await shown("susan")
        #expect(susan["email"] as? String == "susan@Example.com" && susan["email_verified"] as? Bool == true)
        #expect(susan["name"] as? String == "Susan Smith")
        #expect(susan["app_metadata"] as? [String: String] == ["plan": "pro"])
        let line = try await desk.users("show", "susan").output
        #expect(line.contains("\tname Susan Smith\temail susan@Example.com (verified)\tlocale en-GB"))
        #expect(try await desk.users("set", "--id", "1", "--email", "", "--no-email-verified").status == 0)
        #expect(try await shown("susan")["email"] is NSNull)
    }

    @Test func whatCannotBeIsRefused() async throws {
        for arguments in [
            [], ["--email", "x"], ["--email-verified"], ["--app-metadata", "x"], ["--app-metadata", "[]"],
            ["--app-metadata", #"{"a":1,"a":2}"#], ["--name", "\u{200B}"], ["--zoneinfo", "../x"],
            ["--picture", "http://example.com/"], ["--roles", "x"],
        ] {
            let outcome = try await desk.users(["set", "susan"] + arguments)
            #expect(outcome.status != 0, "\(arguments)")
        }
        #expect(try await desk.users("set", "nobody", "--name", "x").error.contains("there is no user"))
        #expect(try await desk.users("set", "susan", "--email", "a@b", "--email-verified").status == 0)
        let taken = try await desk.users("set", "miguel", "--email", "a@B", "--email-verified")
        #expect(taken.status == 1 && taken.error.contains("another user"))
    }

    @Test func aUserIsRenamed() async throws {
        let outcome = try await desk.users("rename", "susan", "Susan.Smith")
        #expect(outcome.output == "susan is Susan.Smith from now on.\n", "\(outcome.error)")
        #expect(try await desk.names() == ["Susan.Smith", "miguel"])
        #expect(try await desk.users("rename", "miguel", "SUSAN").error.contains("kept for that user"))
        #expect(try await desk.users("add", "susan", "--password-stdin", input: "python\n").status == 1)
        #expect(try await desk.users("rename", "--id", "1", "susan").status == 0)
        for arguments in [
            ["susan"], ["a", "b", "c"], ["--id", "1"], ["susan", "a:b"], ["nobody", "x"], ["susan", "miguel"],
        ] {
            #expect(try await desk.users(["rename"] + arguments).status != 0, "\(arguments)")
        }
        #expect(try await desk.names() == ["susan", "miguel"])
    }

    @Test func nothingIsLostOnTheWayThroughAnExport() async throws {
        _ = try await desk.users(
            "set", "susan", "--email", "susan@Example.com", "--email-verified", "--name", "Süsan 😀", "--locale", "en",
            "--zoneinfo", "Europe/London", "--picture", "https://example.com/a.png", "--metadata",
            #"{"a":{"b":[1,2.5,null,"\u0000"]}}"#, "--app-metadata", #"{"plan":"pro"}"#)
        _ = try await desk.users("set", "miguel", "--email", "susan@example.com")
        let exported = try await desk.users("export", "--include-password-hashes").output
        #expect(exported.contains(#""email_verified_at":"#))
        let other = try await ImportDesk()
        let file = try other.write(Data(exported.utf8), to: "users.jsonl")
        let outcome = try await other.users("import", "--json", file)
        #expect(outcome.status == 0, "\(outcome.output)\(outcome.error)")
        #expect(try await other.users("export", "--include-password-hashes").output == exported)
    }

    @Test(arguments: [
        #""email":"x""#, #""email":7"#, #""email_verified":true"#, #""email":"a@b","email_verified":"yes""#,
        #""email":"a@b","email_verified":false,"email_verified_at":"2026-01-02T03:04:05Z""#,
        #""email_verified_at":"2026-01-02T03:04:05Z""#, #""email":"a@b","email_verified_at":"soon""#,
        #""metadata":[]"#, #""app_metadata":"x""#, #""locale":"de_AT""#, #""name":"\u200b""#, #""nmae":"x""#,
        #""picture":"http://a/""#, #""zoneinfo":"/""#,
    ])
    func aLineWithAProfileThatCannotBeIsRefused(members: String) async throws {
        let line = #"{"username":"david","password_hash":"\#(PythonHash.argon2)",\#(members)}"#
        let file = try desk.write(Data((line + "\n").utf8), to: "users.jsonl")
        let outcome = try await desk.users("import", "--json", file)
        #expect(outcome.status == 1 && outcome.output.contains("not readable 1"), "\(outcome.output)")
        #expect(try await desk.names() == ["susan", "miguel"])
    }

    @Test func anImportKeepsTheRulesOfTheSettings() async throws {
        let members = #""password_hash":"\#(PythonHash.argon2)""#
        let claim = String(repeating: "x", count: 1024)
        let lines = [
            #"{"username":"david@example.com",\#(members)}"#,
            #"{"username":"david",\#(members),"app_metadata":{"plan":"\#(claim)"}}"#,
        ]
        let file = try desk.write(Data((lines.joined(separator: "\n") + "\n").utf8), to: "users.jsonl")
        let settings = ["REST_AUTH_SIGN_IN_BY_EMAIL": "yes", "REST_AUTH_TOKEN_CLAIMS": "plan"]
        let outcome = try await runCommand(
            ["users", "import", "--json", file, "--database", desk.database.url],
            environment: desk.database.environment.merging(settings) { $1 }, directory: desk.directory)
        #expect(outcome.status == 1)
        for text in ["name not acceptable 1", "not readable 1"] { #expect(outcome.output.contains(text)) }
        #expect(outcome.error.contains("sign_in_by_email") && outcome.error.contains("1024 bytes"))
        #expect(try await desk.names() == ["susan", "miguel"])
        #expect(try await desk.users("import", "--json", file).status == 0)
        #expect(try await desk.names() == ["susan", "miguel", "david@example.com", "david"])
    }

    @Test func anAddressThatIsVerifiedTwiceLeavesOneOut() async throws {
        _ = try await desk.users("set", "susan", "--email", "a@b", "--email-verified")
        let lines = ["c@d", "C@d", "c@D", "a@B"].enumerated().map { number, email in
            let members = #""password_hash":"\#(PythonHash.argon2)","email":"\#(email)","email_verified":true"#
            return #"{"username":"user\#(number)",\#(members)}"#
        }
        let file = try desk.write(Data((lines.joined(separator: "\n") + "\n").utf8), to: "users.jsonl")
        let outcome = try await desk.users("import", "--json", file, "--skip-refused")
        #expect(outcome.output.contains("verified address twice 2"), "\(outcome.output)")
        #expect(try await desk.names() == ["susan", "miguel", "user0", "user1"])
    }
}

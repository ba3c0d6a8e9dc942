import Foundation
import Support
import Testing

/// Lists of breached passwords: making them, looking up passwords, and refusing passwords by them.
@Suite struct PasswordsCommandTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ text: String, as name: String = "list.txt") throws { try write(Data(text.utf8), as: name) }

    private func write(_ data: Data, as name: String = "list.txt") throws {
        try data.write(to: URL(fileURLWithPath: "\(directory.path)/\(name)"))
    }

    private func filter(_ arguments: String..., list: String = "list.txt") async throws -> CommandOutcome {
        try await runCommand(
            ["passwords", "filter", list, "--output", "breached.filter"] + arguments, directory: directory)
    }

    private func check(_ password: String) async throws -> CommandOutcome {
        try await runCommand(
            ["passwords", "check", "--filter", "breached.filter"], directory: directory, input: password + "\n")
    }

    /// SHA-1 digests of `letmein`, `python` and `monty`.
    private static let digests = """
        B7A875FC1EA228B9061041B7CEC4BD3C52AB3CE3:50
        4235227B51436AD86D07C7CF5D69BDA2644984DE:7
        5D66B94B41FA13F2A624706E9078B4077A64AD32:1
        """

    @Test(arguments: [
        "letmein\npython\n", "letmein\r\npython\r\n", "\u{FEFF}letmein\npython",
        "\n\nletmein\n\npython\n\n", "python\nletmein",
    ])
    func aListOfWordsBecomesAFilter(list: String) async throws {
        try write(list)
        let outcome = try await filter()
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("Put 2 passwords into breached.filter"))
        #expect(outcome.output.contains("one false positive in 1000"))
        #expect(outcome.error.contains("counting, 100 %"))
        for password in ["letmein", "python", "Python", "LETMEIN"] {
            let outcome = try await check(password)
            #expect(outcome.status == 2)
            #expect(outcome.output.hasPrefix("In the list of 2 passwords"))
        }
        for password in ["ruby", "letmein ", "letmei", "gnorf"] {
            let outcome = try await check(password)
            #expect(outcome.status == 0)
            #expect(outcome.output == "Not in the list of 2 passwords.\n")
        }
    }

    @Test func aListOfDigestsIsRecognised() async throws {
        for list in [Self.digests, Self.digests.lowercased(), Self.digests.replacing(/:\d+/, with: "")] {
            try write(list)
            #expect(try await filter().output.hasPrefix("Put 3 passwords"))
            #expect(try await check("letmein").status == 2)
            #expect(try await check("python").status == 2)
            #expect(try await check("ruby").status == 0)
            #expect(try await check("B7A875FC1EA228B9061041B7CEC4BD3C52AB3CE3:50").status == 0)
        }
    }

    @Test func whatWasSeenSeldomIsLeftOut() async throws {
        try write(Self.digests)
        #expect(try await filter("--minimum-count", "8").output.hasPrefix("Put 1 passwords"))
        #expect(try await check("letmein").status == 2)
        #expect(try await check("python").status == 0)
        #expect(try await filter("--minimum-count", "51").error.contains("there is no password"))
        // The earlier filter is still there.
        #expect(try await check("letmein").status == 2)
    }

    @Test func theRateIsKeptInTheFile() async throws {
        try write("letmein\n")
        #expect(try await filter("--false-positives", "1/1000000").output.contains("one false positive in 1000000"))
        #expect(try await check("letmein").output.contains("one in 1000000"))
        for rate in ["0.001", "1/1", "1/0", "2/1000", "1/-5", "1/", "1/10000000000"] {
            #expect(try await filter("--false-positives", rate).status != 0, "\(rate)")
        }
    }

    @Test(arguments: [
        ("", [], "there is no password"), ("\n\n", [], "there is no password"),
        ("letmein\n" + digests, [], "mixed"), ("letmein\n" + digests, ["--hashes"], "line 1 is not a SHA-1 digest"),
        (digests + "\nletmein", ["--hashes"], "line 4 is not a SHA-1 digest"),
        (digests + "\nB7A875FC1EA228B9061041B7CEC4BD3C52AB3CE3:", ["--hashes"], "line 4"),
        (digests + "\nB7A875FC1EA228B9061041B7CEC4BD3C52AB3CE:1", ["--hashes"], "line 4"),
        ("B7A875FC1EA228B9061041B7CEC4BD3C52AB3CE3\n", ["--minimum-count", "2"], "has no count"),
        ("letmein\n", ["--minimum-count", "2"], "--minimum-count has no meaning"),
        ("32ED87BDB5FDC5E9CBA88547376818D4:24230577\n", [], "NTLM"),
        ("letmein\na\u{0}b\n", [], "line 2 is not UTF-8"),
        (String(repeating: "x", count: 5000) + "\n", [], "line 1 is too long"),
        ("letmein\n" + String(repeating: "x", count: 3_000_000), [], "line 2 is too long"),
    ])
    func whatIsNoListIsRefusedAndNothingIsMade(list: String, arguments: [String], reason: String) async throws {
        try write(list)
        let outcome = try await runCommand(
            ["passwords", "filter", "list.txt", "--output", "breached.filter"] + arguments, directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains(reason), "\(outcome.error)")
        #expect(directory.contents == ["list.txt"])
    }

    /// The last digest in a long list is cut off.
    @Test func aListThatBreaksOffIsNamedByItsLine() async throws {
        try write(String(repeating: "B7A875FC1EA228B9061041B7CEC4BD3C52AB3CE3:50\n", count: 50_000) + "B7A875FC1EA2")
        #expect(try await filter().error.contains("line 50001 is not a SHA-1 digest"))
        #expect(directory.contents == ["list.txt"])
    }

    @Test(arguments: [
        (Data([0x1F, 0x8B, 8, 0, 0xFF, 0xFE]), "compressed: unpack it first"),
        (Data("p\u{e4}ss\n".unicodeScalars.map { UInt8($0.value) }), "line 1 is not UTF-8"),
    ])
    func whatIsNotTextIsRefused(list: Data, reason: String) async throws {
        try write(list)
        let outcome = try await filter()
        #expect(outcome.status == 1)
        #expect(outcome.error.contains(reason), "\(outcome.error)")
        #expect(directory.contents == ["list.txt"])
    }

    @Test func whatIsNoFileIsRefused() async throws {
        for list in ["nothing.txt", ".", "/dev/null"] {
            let outcome = try await filter(list: list)
            #expect(outcome.status == 1)
            #expect(outcome.error.hasPrefix("rest-auth: "))
        }
        #expect(directory.contents.isEmpty)
    }

    @Test func onlyAFilterIsReplaced() async throws {
        try write("letmein\n")
        try write("precious", as: "breached.filter")
        #expect(try await filter().error.contains("is there already"))
        #expect(try String(contentsOfFile: directory.path + "/breached.filter", encoding: .utf8) == "precious")
        let swapped = try await runCommand(
            ["passwords", "filter", "list.txt", "--output", "list.txt"], directory: directory)
        #expect(swapped.error.contains("is there already"))
        try FileManager.default.removeItem(atPath: directory.path + "/breached.filter")
        #expect(try await filter().status == 0)
        try write("python\n")
        #expect(try await filter().status == 0)
        #expect(try await check("python").status == 2)
        #expect(directory.contents == ["breached.filter", "list.txt"])
    }

    @Test func anEmptyPasswordAndAFileThatIsNoFilterCannotBeChecked() async throws {
        try write("letmein\n")
        _ = try await filter()
        #expect(try await check("").status == 1)
        let outcome = try await runCommand(
            ["passwords", "check", "--filter", "list.txt"], directory: directory, input: "letmein\n")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("rest-auth passwords filter"))
        #expect(!(outcome.error + outcome.output).contains("letmein"))
    }

    // MARK: The server

    @Test func theServerRefusesWhatIsInTheList() async throws {
        try write("gnorf blit quazz mump\n")
        _ = try await filter()
        let arguments = ["--password-policy", "nist", "--breached-passwords", "breached.filter"]
        let server = try await RunningServer(arguments, directory: directory)
        let refusal = try await server.register("miguel", "gnorf blit quazz mump")
        #expect(refusal.status == 400)
        #expect(refusal.code == "weak_password")
        #expect(refusal.body.contains("known from breaches"))
        #expect(try await server.register("miguel", "gnorf blit quazz mumps").status == 201)
        let outcome = try await server.run(
            ["users", "set-password", "miguel", "--password-stdin"] + arguments, input: "Gnorf blit quazz mump\n")
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("known from breaches"))
    }

    @Test func theServerDoesNotStartWithAListThatIsDamaged() async throws {
        try write("gnorf blit quazz mump\n")
        _ = try await filter()
        let file = URL(fileURLWithPath: directory.path + "/breached.filter")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: file)
        for command in [["serve", "--port", "0"], ["config", "check"]] {
            let flags = ["--password-policy", "nist", "--breached-passwords", "breached.filter"]
            let outcome = try await runCommand(command + flags, directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("breached.filter is damaged"))
        }
        #expect(!directory.contents.contains("rest-auth.sqlite"))
    }

    @Test func withTheOpenPolicyTheListIsNotAskedAndThatIsSaid() async throws {
        try write("gnorf blit quazz mump\n")
        _ = try await filter()
        let server = try await RunningServer(["--breached-passwords", "breached.filter"], directory: directory)
        #expect(try await server.register("miguel", "gnorf blit quazz mump").status == 201)
        #expect(server.log.contains("the open password policy does not ask the list of breached passwords"))
    }
}

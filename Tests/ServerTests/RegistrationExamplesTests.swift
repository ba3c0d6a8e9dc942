import Foundation
import Support
import Testing

/// The programs of `Examples/Registering`, as they are, against the real binary.
@Suite struct RegistrationExamplesTests {
    enum Example: String, CaseIterable {
        case node = "register.mjs"
        case python = "register.py"

        /// Runs it to its end on these lines.
        func run(_ lines: String..., at server: RunningServer) async throws -> (status: Int32, output: String) {
            let process = try ExternalProcess(
                self == .node ? ExternalProcess.program("node") : ExternalProcess.testPython(),
                [
                    ExternalProcess.repository.appendingPathComponent("Examples/Registering/\(rawValue)").path,
                    "http://127.0.0.1:\(server.port)",
                ],
                environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: server.directory,
                input: .text(lines.map { $0 + "\n" }.joined()))
            let status = try await process.exitStatus()
            #expect(process.errorText.isEmpty)
            return (status, process.outputText)
        }
    }

    @Test(arguments: Example.allCases) func theWorkIsDoneWhereItIsAskedFor(example: Example) async throws {
        let server = try await RunningServer(["--registration-challenge", "12"])
        #expect(try server.register("miguel", "python").code == "challenge_required")
        let url = "http://127.0.0.1:\(server.port)/api/users/"
        #expect(try await example.run("miguel", "python", at: server) == (0, url + "1\n"))
        #expect(try await example.run("jürgen", "pässwörd", at: server) == (0, url + "2\n"))
        #expect(try server.send("GET", "/api/resource", headers: [basic("jürgen", "pässwörd")]).status == 200)
        #expect(try await example.run("Miguel", "python", at: server) == (1, "user_already_exists\n"))
        #expect(try await example.run("susan", at: server) == (1, "validation_failed\n"))
    }

    @Test(arguments: Example.allCases) func anInvitationIsPassedOn(example: Example) async throws {
        let server = try await RunningServer(["--registration", "invitation"])
        let code = try await server.command("invitations", "create").output.trimmingCharacters(in: .newlines)
        #expect(try await example.run("miguel", "python", at: server) == (1, "invitation_required\n"))
        #expect(try await example.run("miguel", "python", "nonsense", at: server) == (1, "invitation_invalid\n"))
        #expect(try await example.run("miguel", "python", code, at: server).status == 0)
        #expect(try await example.run("susan", "python", code, at: server) == (1, "invitation_invalid\n"))
    }

    @Test(arguments: Example.allCases) func whereAllAreWelcomeNothingElseIsNeeded(example: Example) async throws {
        let server = try await RunningServer()
        #expect(try await example.run("miguel", "python", at: server).status == 0)
        #expect(try server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
    }
}

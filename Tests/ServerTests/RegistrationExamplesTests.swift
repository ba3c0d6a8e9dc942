import Foundation
import Support
import Testing

/// The unchanged programs of `Examples/Registering`, with the real binary.
@Suite struct RegistrationExamplesTests {
    enum Example: String, CaseIterable {
        case node = "register.mjs"
        case python = "register.py"

        /// Runs the program on these lines, until it ends.
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

    @Suite(.server("--registration-challenge", "12")) struct WithAChallenge {
        @Test(arguments: Example.allCases) func theWorkIsDoneWhereItIsAskedFor(example: Example) async throws {
            let server = try SharedServer.current()
            let names = ["miguel", "jürgen", "susan"].map { RunningServer.newName($0) }
            #expect(try await server.register(names[0], "python").code == "challenge_required")
            for (name, password) in [(names[0], "python"), (names[1], "pässwörd")] {
                let outcome = try await example.run(name, password, at: server)
                #expect(outcome.status == 0)
                let url = /http:\/\/127\.0\.0\.1:([0-9]+)(\/api\/users\/[0-9]+)\n/
                let location = try #require(outcome.output.wholeMatch(of: url))
                #expect(location.1 == "\(server.port)")
                #expect(try await server.send("GET", String(location.2)).json["username"] as? String == name)
            }
            let signedIn = try await server.send("GET", "/api/resource", headers: [basic(names[1], "pässwörd")])
            #expect(signedIn.status == 200)
            let again = try await example.run(names[0].capitalized, "python", at: server)
            #expect(again == (1, "user_already_exists\n"))
            #expect(try await example.run(names[2], at: server) == (1, "validation_failed\n"))
        }
    }

    @Suite(.server("--registration", "invitation")) struct WithInvitations {
        @Test(arguments: Example.allCases) func anInvitationIsPassedOn(example: Example) async throws {
            let server = try SharedServer.current()
            let code = try await server.command("invitations", "create").output.trimmingCharacters(in: .newlines)
            let (miguel, susan) = (RunningServer.newName(), RunningServer.newName("susan"))
            #expect(try await example.run(miguel, "python", at: server) == (1, "invitation_required\n"))
            #expect(try await example.run(miguel, "python", "nonsense", at: server) == (1, "invitation_invalid\n"))
            #expect(try await example.run(miguel, "python", code, at: server).status == 0)
            #expect(try await example.run(susan, "python", code, at: server) == (1, "invitation_invalid\n"))
        }
    }

    @Suite(.server()) struct ForEverybody {
        @Test(arguments: Example.allCases) func whereAllAreWelcomeNothingElseIsNeeded(example: Example) async throws {
            let server = try SharedServer.current()
            let miguel = RunningServer.newName()
            #expect(try await example.run(miguel, "python", at: server).status == 0)
            #expect(try await server.send("GET", "/api/resource", headers: [basic(miguel, "python")]).status == 200)
        }
    }
}

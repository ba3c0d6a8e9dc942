import Crypto
import Foundation
import Support
import Testing

/// Registration over HTTP under each setting, tested on the real binary.
///
/// Each test has a server with settings of its own.
@Suite struct RegistrationRoutesTests {
    private func register(_ server: RunningServer, _ fields: [String: Any]) async throws -> HTTPAnswer {
        try await server.send("POST", "/api/users", headers: ["Content-Type: application/json"], body: json(fields))
    }

    private func invitation(_ server: RunningServer) async throws -> String {
        try await server.command("invitations", "create").output.trimmingCharacters(in: .newlines)
    }

    /// The name and password with a solved challenge.
    private func solved(_ server: RunningServer, _ username: String) async throws -> [String: Any] {
        let work = try await server.send("GET", "/api/challenge").json
        let challenge = try #require(work["challenge"] as? String)
        let difficulty = try #require(work["difficulty"] as? Int)
        var nonce = 0
        while !isSolved("\(challenge).\(nonce)", by: difficulty) { nonce += 1 }
        return ["username": username, "password": "python", "challenge": challenge, "nonce": "\(nonce)"]
    }

    private func isSolved(_ text: String, by difficulty: Int) -> Bool {
        var zeroBits = 0
        for byte in SHA256.hash(data: Data(text.utf8)) {
            zeroBits += byte.leadingZeroBitCount
            if byte != 0 { break }
        }
        return zeroBits >= difficulty
    }

    /// The text that the server prints when it is up, which may come after its first answer.
    private func banner(_ server: RunningServer) async throws -> String {
        try await wait(for: "the banner") { server.output.contains("Try it:") }
        return server.output
    }

    private func expectRefusal(_ answer: HTTPAnswer, _ code: String, field: String?) {
        #expect(answer.status == 403)
        #expect(answer.code == code)
        #expect(answer["Content-Type"] == "application/problem+json")
        #expect(answer["Cache-Control"] == "no-store")
        #expect(answer.all("WWW-Authenticate").isEmpty)
        let pointers = (answer.json["errors"] as? [[String: Any]])?.map { $0["pointer"] as? String }
        #expect(pointers == field.map { ["/\($0)"] })
    }

    // MARK: Closed

    @Test func aClosedServerRefusesWhateverIsInTheRequest() async throws {
        let server = try await RunningServer(["--registration", "closed", "--registration-challenge", "8"])
        let code = try await invitation(server)
        for fields in [
            ["username": "miguel", "password": "python"],
            ["username": "miguel", "password": "python", "invitation": code],
            ["username": "", "password": 1], [:],
        ] as [[String: Any]] {
            expectRefusal(try await register(server, fields), "signup_disabled", field: nil)
        }
        for (headers, body) in [
            (["Content-Type: text/plain"], "x"), ([], "not JSON"), ([], ""), ([], String(repeating: "x", count: 9000)),
        ] {
            let answer = try await server.send("POST", "/api/users", headers: headers, body: body)
            expectRefusal(answer, "signup_disabled", field: nil)
        }
        #expect(try await server.send("GET", "/api/challenge").status == 404)
        #expect(try await server.send("GET", "/api/users/1").status == 400)
        // Existing users are not affected, and an operator can add others.
        #expect(try await server.run(["users", "add", "miguel", "--password-stdin"], input: "python\n").status == 0)
        #expect(try await server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
        #expect(try await banner(server).contains("register  closed"))
        try await wait(for: "the line") {
            server.log.contains("registration_refused event=registration.refused reason=signup_disabled")
        }
    }

    @Test func aConnectionGoesOnAfterARefusalThatReadNoBody() async throws {
        let server = try await RunningServer(["--registration", "closed"])
        let connection = try await server.connect()
        for _ in 0..<2 {
            let body = json(["username": "miguel", "password": "python"])
            let answer = try await connection.send(
                "POST", "/api/users", headers: ["Content-Type: application/json"], body: body)
            expectRefusal(answer, "signup_disabled", field: nil)
        }
        #expect(try await connection.send("GET", "/health/live").status == 200)
    }

    // MARK: Invitations

    @Test func anInvitationRegistersOneUserAndIsTheOnlyWay() async throws {
        let server = try await RunningServer(["--registration", "invitation"])
        let code = try await invitation(server)
        #expect(try await banner(server).contains("register  invitation"))
        expectRefusal(try await server.register("miguel", "python"), "invitation_required", field: "invitation")
        let absent = try await register(server, ["username": "miguel", "password": "python", "invitation": NSNull()])
        expectRefusal(absent, "invitation_required", field: "invitation")
        let unknown = try await register(
            server, ["username": "miguel", "password": "python", "invitation": "2222-2222-2222-2222-2222-2222-2222"])
        expectRefusal(unknown, "invitation_invalid", field: "invitation")
        // An unacceptable name is reported first, and so is a password; neither uses the invitation
        // up.
        for (username, password) in [("a:b", "python"), ("miguel", "")] {
            let answer = try await register(server, ["username": username, "password": password, "invitation": code])
            #expect(answer.code == "validation_failed")
        }
        let answer = try await register(server, ["username": "miguel", "password": "python", "invitation": code])
        #expect(answer.status == 201)
        #expect(answer.json as? [String: String] == ["username": "miguel"])
        #expect(answer["Location"]?.hasSuffix("/api/users/1") == true)
        let used = try await register(server, ["username": "susan", "password": "python", "invitation": code])
        expectRefusal(used, "invitation_invalid", field: "invitation")
        #expect(used.json["detail"] as? String == unknown.json["detail"] as? String)
        let wrongType = try await register(server, ["username": "susan", "password": "python", "invitation": [code]])
        #expect((wrongType.status, wrongType.code) == (400, "validation_failed"))
        #expect(try await server.send("GET", "/api/users/2").status == 400)
        #expect(try await server.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
    }

    @Test func aTakenNameDoesNotUseTheInvitationUp() async throws {
        let server = try await RunningServer(["--registration", "invitation"])
        #expect(try await server.run(["users", "add", "miguel", "--password-stdin"], input: "python\n").status == 0)
        let code = try await invitation(server)
        let taken = try await register(server, ["username": "Miguel", "password": "python", "invitation": code])
        #expect((taken.status, taken.code) == (400, "user_already_exists"))
        let free = try await register(server, ["username": "susan", "password": "python", "invitation": code])
        #expect(free.status == 201)
    }

    @Test func ofTwentyWhoUseOneInvitationAtOnceOneRegisters() async throws {
        let server = try await RunningServer(["--registration", "invitation", "--hashing-patience", "60"])
        let code = try await invitation(server)
        let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
            for number in 0..<20 {
                group.addTask {
                    try await register(
                        server, ["username": "user-\(number)", "password": "python", "invitation": code])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 201 }.count == 1)
        #expect(answers.filter { $0.code == "invitation_invalid" }.count == 19)
    }

    @Test func aCodeIsNeitherInTheLogNorInTheDatabase() async throws {
        let server = try await RunningServer(["--registration", "invitation", "--log-level", "trace"])
        let (used, kept) = (try await invitation(server), try await invitation(server))
        let answer = try await register(server, ["username": "miguel", "password": "python", "invitation": used])
        #expect(answer.status == 201)
        _ = try await register(server, ["username": "susan", "password": "python", "invitation": used])
        try await wait(for: "the lines") {
            server.log.contains("invitation_used") && server.log.contains("invitation_invalid")
        }
        let stored = try await server.directory.database().storedBytes()
        for code in [used, kept] {
            let plain = code.replacing("-", with: "")
            for text in [code, plain, plain.lowercased()] {
                #expect(!server.log.contains(text))
                #expect(stored.range(of: Data(text.utf8)) == nil)
            }
        }
    }

    // MARK: Challenges

    @Test func withoutTheSettingThereIsNoChallenge() async throws {
        let server = try await RunningServer()
        let answer = try await server.send("GET", "/api/challenge")
        #expect((answer.status, answer.code) == (404, "not_found"))
        #expect(
            try await register(
                server, ["username": "miguel", "password": "python", "challenge": "x", "nonce": "1", "invitation": "x"]
            ).status == 201)
        for name in ["challenge", "nonce", "invitation"] {
            let answer = try await register(server, ["username": "susan", "password": "python", name: 1])
            #expect(answer.code == "validation_failed")
        }
        #expect(try await !banner(server).contains("register  "))
    }

    @Test func aSolvedChallengeRegistersOneUser() async throws {
        let server = try await RunningServer(["--registration-challenge", "10"])
        let work = try await server.send("GET", "/api/challenge")
        #expect(work.status == 200)
        #expect(work["Cache-Control"] == "no-store")
        #expect(Set(work.json.keys) == ["challenge", "algorithm", "difficulty", "expires_in"])
        #expect(work.json["algorithm"] as? String == "SHA-256")
        #expect((work.json["difficulty"] as? Int, work.json["expires_in"] as? Int) == (10, 300))
        expectRefusal(try await server.register("miguel", "python"), "challenge_required", field: "challenge")
        var fields = try await solved(server, "miguel")
        let challenge = try #require(fields["challenge"] as? String)
        for (name, value) in [("nonce", "x"), ("nonce", ""), ("challenge", ""), ("challenge", challenge + "A")] {
            let answer = try await register(server, fields.merging([name: value]) { $1 })
            expectRefusal(answer, "challenge_invalid", field: "challenge")
        }
        #expect(try await register(server, fields.merging(["nonce": 7]) { $1 }).code == "validation_failed")
        #expect(try await register(server, fields).status == 201)
        fields["username"] = "susan"
        expectRefusal(try await register(server, fields), "challenge_invalid", field: "challenge")
        #expect(try await register(server, solved(server, "susan")).status == 201)
    }

    @Test func ofTwentyWhoSpendOneChallengeAtOnceOneRegisters() async throws {
        let server = try await RunningServer(["--registration-challenge", "8", "--hashing-patience", "60"])
        let fields = try await solved(server, "")
        let challenge = try #require(fields["challenge"] as? String)
        let nonce = try #require(fields["nonce"] as? String)
        let answers = try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
            for number in 0..<20 {
                group.addTask {
                    try await register(
                        server,
                        ["username": "user-\(number)", "password": "python", "challenge": challenge, "nonce": nonce])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 201 }.count == 1)
        #expect(answers.filter { $0.code == "challenge_invalid" }.count == 19)
    }

    @Test func bothMayBeAskedFor() async throws {
        let server = try await RunningServer(["--registration", "invitation", "--registration-challenge", "8"])
        let code = try await invitation(server)
        #expect(try await banner(server).contains("register  invitation"))
        #expect(try await banner(server).contains("8 bits"))
        let fields = try await solved(server, "miguel")
        expectRefusal(try await register(server, fields), "invitation_required", field: "invitation")
        let lazy: [String: Any] = ["username": "miguel", "password": "python", "invitation": code]
        expectRefusal(try await register(server, lazy), "challenge_required", field: "challenge")
        let unknown = try await register(server, fields.merging(["invitation": "x"]) { $1 })
        expectRefusal(unknown, "invitation_invalid", field: "invitation")
        // The refused request has used nothing up.
        #expect(try await register(server, fields.merging(["invitation": code]) { $1 }).status == 201)
    }
}

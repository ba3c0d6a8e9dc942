import Foundation
import Support
import Testing

/// Attacks that compare refusals to learn who is registered, or look for secrets in what the server
/// stores and logs.
///
/// On a server of its own: refused requests are counted, with limits higher than the defaults.
@Suite struct Enumeration {
    let server: RunningServer
    /// Users who never sign in: guesses from a network of an earlier sign-in are counted
    /// separately.
    let miguel, disabled, deleted: Account

    private static let starting = Task {
        try await RunningServer([
            "--account-failures", "100", "--network-failures", "1000000", "--hashing-budget", "1000000",
            "--hashing-patience", "600",
        ])
    }
    private static let registered = Task {
        let server = try await starting.value
        let miguel = try await server.newAccount("miguel")
        let (disabled, deleted) = (try await server.newAccount("disabled"), try await server.newAccount("deleted"))
        for (command, account) in [("disable", disabled), ("delete", deleted)] {
            try await server.command("users", command, account.name)
        }
        return (miguel, disabled, deleted)
    }
    /// An id that no user of the test server reaches.
    private static let unknownID = 999_999_999

    init() async throws {
        server = try await Self.starting.value
        (miguel, disabled, deleted) = try await Self.registered.value
    }

    @Test(arguments: ["/api/resource", "/api/token"], ["GET", "HEAD"])
    func everyFailedSignInIsAnsweredAlike(path: String, method: String) async throws {
        func spelled(_ spelling: String) -> String { miguel.name.replacing("miguel", with: spelling) }
        let (nobody, japanese) = (RunningServer.newName("nobody"), RunningServer.newName("日本語"))
        let wrong = try await trace(method, path, headers: [basic(miguel.name, "wrong")])
        #expect(wrong.contains("401"))
        for (name, password) in [
            (miguel.name, ""), (miguel.name, "Python"), (miguel.name, "python "), (spelled("MIGUEL"), "wrong"),
            (nobody, "python"), (nobody, ""), (disabled.name, "python"), (disabled.name, "wrong"),
            (deleted.name, "python"), (String(repeating: "a", count: 255), "python"),
            (String(repeating: "a", count: 5000), "python"), (spelled("mig\u{1}uel"), "python"),
            (miguel.name + "\0", "python"), (spelled("mi\u{200B}guel"), "python"), ("' OR '1'='1", "python"),
            ("", "python"), ("", ""), ("\(miguel.id)", "python"), (miguel.name, String(repeating: "x", count: 1025)),
            (nobody, String(repeating: "x", count: 1025)), (miguel.name, String(repeating: "x", count: 5000)),
            (miguel.name, "python\0"), (miguel.name, "\u{1}"), (japanese, "python"),
        ] {
            let answer = try await trace(method, path, headers: [basic(name, password)])
            #expect(answer == wrong, "\(name.prefix(80).debugDescription)")
        }
    }

    @Test func everyRefusedTokenIsAnsweredAlike() async throws {
        let leaver = try await server.newAccount("leaver")
        let token = try await server.token(leaver)
        let forged = try await trace("GET", "/api/resource", headers: [bearer(token + "A")])
        #expect(forged.contains("401"))
        #expect(try await trace("GET", "/api/resource", headers: [bearer("nonsense")]) == forged)
        try await server.command("users", "delete", leaver.name)
        try await server.waitForRefusal(of: token)
        #expect(try await trace("GET", "/api/resource", headers: [bearer(token)]) == forged)
    }

    /// A taken name is reported as taken, as by the original Flask server; every spelling of it
    /// gets the same answer, and none is stored.
    @Test func everySpellingOfATakenNameIsTaken() async throws {
        // Another user, who does sign in.
        let miguel = try await server.newAccount("miguel")
        let taken = try await trace("POST", "/api/users", body: json(["username": miguel.name, "password": "other"]))
        #expect(taken.contains("user_already_exists"))
        let spellings = ["miguel", "MIGUEL", "Miguel", "mIGUEL", "ｍｉｇｕｅｌ", "ＭＩＧＵＥＬ", "Ｍiguel"]
        for name in spellings.map({ miguel.name.replacing("miguel", with: $0) }) {
            let answer = try await trace("POST", "/api/users", body: json(["username": name, "password": "python"]))
            #expect(answer == taken, "\(name)")
            let greeting = try await server.send("GET", "/api/resource", headers: [basic(name, "python")])
            #expect(greeting.json["data"] as? String == "Hello, \(miguel.name)!", "\(name)")
        }
        let list = try await server.command("users", "list", "--json").output
        let names = try list.split(separator: "\n").compactMap { line in
            try (JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["username"] as? String
        }
        let own = names.filter { $0.precomposedStringWithCompatibilityMapping.lowercased() == miguel.name }
        #expect(own == [miguel.name])
    }

    @Test func whoIsUnknownDisabledOrGoneCannotBeToldApartByNumber() async throws {
        let unknown = try await trace("GET", "/api/users/\(Self.unknownID)")
        #expect(unknown.contains("user_not_found"))
        for path in [
            "/api/users/\(deleted.id)", "/api/users/0", "/api/user/\(Self.unknownID)", "/api/users/9223372036854775807",
            "/api/users/99999999999999999999",
        ] {
            #expect(try await trace("GET", path) == unknown, "\(path)")
        }
    }

    /// The status, header fields and body, without the parts that differ each time.
    private func trace(
        _ method: String, _ path: String, headers: [String] = [], body: String? = nil
    ) async throws -> String {
        let answer = try await server.send(method, path, headers: headers, body: body)
        let fields = answer.headers.filter { $0.name != "date" }.map { "\($0.name): \($0.value)" }
        return (["\(answer.status)"] + fields + [answer.body.replacing(/"request_id":"[^"]+"/, with: "")]).joined(
            separator: "\n")
    }
}

/// Attacks that read the log, the database or the answers of a server with the most detailed log.
///
/// The tests read the whole log and the whole database, so each has its own server.
@Suite struct Disclosure {
    @Test(arguments: ["text", "json"])
    func noSecretIsLeftAnywhere(logFormat: String) async throws {
        let server = try await RunningServer(["--log-format", logFormat], environment: ["LOG_LEVEL": "trace"])
        let (password, wrong, long) = (
            "correct horse ☂ battery", "Tr0ub4dor-was-wrong", String(repeating: "overlong-", count: 120)
        )
        var answers: [HTTPAnswer] = []
        func send(_ method: String, _ path: String, _ headers: [String] = [], _ body: String? = nil) async throws {
            answers.append(try await server.send(method, path, headers: headers, body: body))
        }

        #expect(try await server.register("miguel", password).status == 201)
        let token = try await server.token("miguel", password)
        let renewal = try await server.send("GET", "/api/token", headers: [basic(token, "")])
        let renewed = try #require(renewal.json["token"] as? String)
        let credentials = basic("miguel", password)
        for (name, secret) in [("miguel", wrong), ("nobody", wrong), ("miguel", long), ("miguel", wrong + "\0")] {
            try await send("GET", "/api/token", [basic(name, secret)])
            try await send("POST", "/api/users", [], json(["username": name, "password": secret]))
        }
        for header in [
            credentials, credentials + "=", credentials + "\0", bearer(token), bearer(renewed), bearer(renewed + "x"),
            basic(token, wrong),
        ] {
            try await send("GET", "/api/resource", [header])
            try await send("HEAD", "/api/resource", [header])
            try await send("GET", "/nothing", [header])
            try await send("DELETE", "/api/users/1", [header])
            try await send("GET", "/api/resource", [header, header])
            try await send("GET", "/api/resource?access_token=\(token)&password=\(wrong)", [header])
        }
        for body in [
            "{\"username\":\"miguel\",\"password\":\"\(wrong)\"", "username=miguel&password=\(wrong)",
            json(["password": wrong]),
            json(["username": wrong + "\0", "password": wrong]),
        ] {
            try await send("POST", "/api/users", [], body)
            try await send("POST", "/api/users", ["Content-Type: text/plain"], body)
        }
        try await send("GET", "/api/users/\(wrong)")
        try await send("GET", "/\(token)")
        let badConnection = try await server.connect()
        try await badConnection.write(
            "GET /\(token) HTTP/1.1\r\nAuthorization : Basic \(wrong)\r\nX: \(credentials)\0\r\n\r\n")
        answers.append(try await badConnection.readAnswer())

        // Read before the stop, which empties the write-ahead log.
        let database = try await server.directory.database().storedBytes()
        #expect(try await server.stop() == 0)
        let databaseAtEnd = try await server.directory.database().storedBytes()
        let places = [
            ("the log", Data(server.log.utf8)), ("the output", Data(server.output.utf8)),
            ("the database", database + databaseAtEnd),
            ("an answer", Data(answers.map { "\($0.headers) \($0.body)" }.joined(separator: "\n").utf8)),
        ]
        for (place, bytes) in places {
            for secret in [password, wrong, String(long.prefix(30)), token, renewed]
                + [token, renewed].flatMap({ $0.components(separatedBy: ".").dropFirst() })
            {
                #expect(bytes.firstRange(of: Data(secret.utf8)) == nil, "\(place) has \(secret)")
                for offset in 0..<3 {
                    #expect(
                        bytes.firstRange(of: Data(secret.base64(after: offset).utf8)) == nil,
                        "\(place) has \(secret) in base64")
                }
            }
        }
        // The places contain what is not secret, so the search looked in the right places.
        #expect(
            server.log.contains("login_failed") && server.log.contains("token_issued")
                && server.log.contains("registered"))
        #expect(
            database.firstRange(of: Data("miguel".utf8)) != nil
                && database.firstRange(of: Data("$argon2id$".utf8)) != nil)
        #expect(
            answers.contains { $0.status == 200 } && answers.contains { $0.status == 401 }
                && answers.contains { $0.status == 400 })
    }
}

extension String {
    /// The part of the base64 text that stays the same whatever follows, when `count` bytes precede
    /// this text.
    fileprivate func base64(after count: Int) -> String {
        let text = Data(Array(repeating: 0, count: count) + utf8).base64EncodedString()
        return String(text.dropFirst(count == 0 ? 0 : 4).dropLast(4))
    }
}

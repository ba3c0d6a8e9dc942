import Foundation
import Support
import Testing

/// Someone compares refusals to learn who is registered, or looks for secrets in what the server
/// leaves behind.
@Suite struct Enumeration {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer()
        try #require(server.register("miguel", "python").status == 201)
        try #require(server.register("disabled", "python").status == 201)
        try #require(server.register("deleted", "python").status == 201)
        for (command, name) in [("disable", "disabled"), ("delete", "deleted")] {
            try await server.command("users", command, name)
        }
    }

    @Test(arguments: ["/api/resource", "/api/token"], ["GET", "HEAD"])
    func everyFailedSignInIsAnsweredAlike(path: String, method: String) throws {
        let wrong = try trace(method, path, headers: [basic("miguel", "wrong")])
        #expect(wrong.contains("401"))
        for (name, password) in [
            ("miguel", ""), ("miguel", "Python"), ("miguel", "python "), ("MIGUEL", "wrong"), ("nobody", "python"),
            ("nobody", ""),
            ("disabled", "python"),
            ("disabled", "wrong"), ("deleted", "python"), (String(repeating: "a", count: 65), "python"),
            (String(repeating: "a", count: 5000), "python"),
            ("mig\u{1}uel", "python"), ("miguel\0", "python"), ("mi\u{200B}guel", "python"), ("' OR '1'='1", "python"),
            ("", "python"),
            ("", ""), ("1", "python"),
            ("miguel", String(repeating: "x", count: 1025)), ("nobody", String(repeating: "x", count: 1025)),
            ("miguel", String(repeating: "x", count: 5000)),
            ("miguel", "python\0"), ("miguel", "\u{1}"), ("日本語", "python"),
        ] {
            #expect(
                try trace(method, path, headers: [basic(name, password)]) == wrong,
                "\(name.prefix(80).debugDescription)")
        }
    }

    @Test func everyRefusedTokenIsAnsweredAlike() async throws {
        try #require(server.register("leaver", "python").status == 201)
        let token = try server.token("leaver", "python")
        let forged = try trace("GET", "/api/resource", headers: [bearer(token + "A")])
        #expect(forged.contains("401"))
        #expect(try trace("GET", "/api/resource", headers: [bearer("nonsense")]) == forged)
        try await server.command("users", "delete", "leaver")
        try await wait(seconds: 5, for: "the deletion to be known") {
            try server.send("GET", "/api/resource", headers: [bearer(token)]).status == 401
        }
        #expect(try trace("GET", "/api/resource", headers: [bearer(token)]) == forged)
    }

    /// That a name is taken is told, as the ancestor does; but each spelling of it is told the
    /// same.
    @Test(arguments: ["miguel", "MIGUEL", "Miguel", "mIGUEL", "ｍｉｇｕｅｌ", "ＭＩＧＵＥＬ", "Ｍiguel"])
    func everySpellingOfATakenNameIsTaken(name: String) throws {
        let taken = try trace("POST", "/api/users", body: json(["username": "miguel", "password": "other"]))
        #expect(taken.contains("user_already_exists"))
        #expect(try trace("POST", "/api/users", body: json(["username": name, "password": "python"])) == taken)
        #expect(
            try server.send("GET", "/api/resource", headers: [basic(name, "python")]).json["data"] as? String
                == "Hello, miguel!")
        #expect(try server.send("GET", "/api/users/4").code == "user_not_found")
    }

    @Test func whoIsUnknownDisabledOrGoneCannotBeToldApartByNumber() throws {
        let unknown = try trace("GET", "/api/users/99")
        #expect(unknown.contains("user_not_found"))
        for path in [
            "/api/users/3", "/api/users/0", "/api/user/99", "/api/users/9223372036854775807",
            "/api/users/99999999999999999999",
        ] {
            #expect(try trace("GET", path) == unknown, "\(path)")
        }
    }

    /// Status, header fields and body, without what is different every time.
    private func trace(_ method: String, _ path: String, headers: [String] = [], body: String? = nil) throws -> String {
        let answer = try server.send(method, path, headers: headers, body: body)
        let fields = answer.headers.filter { $0.name != "date" }.map { "\($0.name): \($0.value)" }
        return (["\(answer.status)"] + fields + [answer.body.replacing(/"request_id":"[^"]+"/, with: "")]).joined(
            separator: "\n")
    }
}

/// Someone reads the log, the database or the answers of a server that tells all it can.
@Suite struct Disclosure {
    @Test(arguments: ["text", "json"])
    func noSecretIsLeftAnywhere(logFormat: String) async throws {
        let server = try await RunningServer(["--log-format", logFormat], environment: ["LOG_LEVEL": "trace"])
        let (password, wrong, long) = (
            "correct horse ☂ battery", "Tr0ub4dor-was-wrong", String(repeating: "overlong-", count: 120)
        )
        var answers: [HTTPAnswer] = []
        func send(_ method: String, _ path: String, _ headers: [String] = [], _ body: String? = nil) throws {
            answers.append(try server.send(method, path, headers: headers, body: body))
        }

        #expect(try server.register("miguel", password).status == 201)
        let token = try server.token("miguel", password)
        let renewed = try #require(
            server.send("GET", "/api/token", headers: [basic(token, "")]).json["token"] as? String)
        let credentials = basic("miguel", password)
        for (name, secret) in [("miguel", wrong), ("nobody", wrong), ("miguel", long), ("miguel", wrong + "\0")] {
            try send("GET", "/api/token", [basic(name, secret)])
            try send("POST", "/api/users", [], json(["username": name, "password": secret]))
        }
        for header in [
            credentials, credentials + "=", credentials + "\0", bearer(token), bearer(renewed), bearer(renewed + "x"),
            basic(token, wrong),
        ] {
            try send("GET", "/api/resource", [header])
            try send("HEAD", "/api/resource", [header])
            try send("GET", "/nothing", [header])
            try send("DELETE", "/api/users/1", [header])
            try send("GET", "/api/resource", [header, header])
            try send("GET", "/api/resource?access_token=\(token)&password=\(wrong)", [header])
        }
        for body in [
            "{\"username\":\"miguel\",\"password\":\"\(wrong)\"", "username=miguel&password=\(wrong)",
            json(["password": wrong]),
            json(["username": wrong + "\0", "password": wrong]),
        ] {
            try send("POST", "/api/users", [], body)
            try send("POST", "/api/users", ["Content-Type: text/plain"], body)
        }
        try send("GET", "/api/users/\(wrong)")
        try send("GET", "/\(token)")
        let badConnection = try server.connect()
        try badConnection.write(
            "GET /\(token) HTTP/1.1\r\nAuthorization : Basic \(wrong)\r\nX: \(credentials)\0\r\n\r\n")
        answers.append(try badConnection.readAnswer())

        // Before the end, because the end empties the write-ahead log.
        let database = try server.directory.database().storedBytes()
        #expect(try await server.stop() == 0)
        let places = [
            ("the log", Data(server.log.utf8)), ("the output", Data(server.output.utf8)),
            ("the database", database + (try server.directory.database().storedBytes())),
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
        // The places do hold what is no secret: they were not looked for where they are not.
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
    /// The part of its base64 that stays the same whatever follows, when `count` bytes stand before
    /// it.
    fileprivate func base64(after count: Int) -> String {
        let text = Data(Array(repeating: 0, count: count) + utf8).base64EncodedString()
        return String(text.dropFirst(count == 0 ? 0 : 4).dropLast(4))
    }
}

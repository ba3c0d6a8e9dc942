import Crypto
import Foundation
import GRDB
import Support
import Testing

/// The move from a running Flask server to a running rest-auth, by the steps of the page *Moving
/// from Flask*.
@Suite struct LiveMoveTests {
    let directory: TemporaryDirectory
    let secret = "Zq7-flask-4hVxN2pL"

    init() throws { directory = try .withSQLite() }

    /// The commands of the page, word for word.
    static let trial = ["users", "import", "--from-flask", "data.sqlite", "--dry-run"]
    static let importing = ["users", "import", "--from-flask", "data.sqlite"]
    static let serving = "REST_AUTH_LEGACY_SECRET='the SECRET_KEY of the Flask server' rest-auth serve"

    static let isJSON = ["Content-Type: application/json"]

    var oldDatabase: String { directory.path + "/data.sqlite" }
    private var newDatabase: String { directory.path + "/rest-auth.sqlite" }

    // MARK: The old server

    private static func flask(
        _ arguments: [String], in directory: TemporaryDirectory, input: ExternalProcess.Input = .nothing
    ) throws -> ExternalProcess {
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/flask_server.py")
        return try ExternalProcess(
            ExternalProcess.testPython(), ["-W", "ignore", script.path] + arguments,
            environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: directory, input: input)
    }

    func fill(_ users: Int, _ options: String...) async throws {
        let process = try Self.flask(["fill", "data.sqlite", "\(users)"] + options, in: directory)
        guard try await process.exitStatus() == 0 else { throw FlaskFailed(log: process.errorText) }
    }

    final class FlaskServer: Sendable {
        let port: Int
        private let process: ExternalProcess

        init(_ process: ExternalProcess, port: Int) {
            self.process = process
            self.port = port
        }

        deinit { process.kill() }

        func send(
            _ method: String, _ path: String, headers: [String] = [], body: String? = nil
        ) async throws -> HTTPAnswer {
            try await HTTPConnection(port: port).send(method, path, headers: headers, body: body)
        }

        func stop() async throws {
            process.kill()
            _ = try await process.exitStatus()
        }
    }

    func startFlask(_ options: String...) async throws -> FlaskServer {
        let port = try FreePort.next()
        let process = try Self.flask(["serve", "data.sqlite", "\(port)", secret] + options, in: directory)
        try await process.answers(on: port)
        return FlaskServer(process, port: port)
    }

    /// Makes tokens as the old server does, with the same libraries.
    private static let tokenMaker = Task {
        let directory = try TemporaryDirectory()
        return AnsweringProcess(try flask(["tokens"], in: directory, input: .lines), in: directory)
    }

    func madeToken(_ id: Int, _ form: String, seconds: Int, secret: String? = nil) async throws -> String {
        try await Self.tokenMaker.value.answer(to: "\(form) \(id) \(seconds) \(secret ?? self.secret)")
    }

    private struct Outstanding {
        let token: String
        let username: String
    }

    private func outstanding(
        _ server: FlaskServer, _ users: [(name: String, password: String)]
    ) async throws -> [Outstanding] {
        var outstanding: [Outstanding] = []
        for user in users {
            let answer = try await server.send("GET", "/api/token", headers: [basic(user.name, user.password)])
            guard let token = answer.json["token"] as? String else { throw FlaskFailed(log: answer.body) }
            outstanding.append(Outstanding(token: token, username: user.name))
        }
        return outstanding
    }

    // MARK: The new server

    func run(_ arguments: [String]) async throws -> CommandOutcome {
        try await runCommand(arguments, directory: directory)
    }

    func startNew(secret: String? = nil) async throws -> RunningServer {
        // Many users sign in at once, with hashes that take long to check.
        try await RunningServer(
            ["--hashing-patience", "600"], environment: secret.map { ["REST_AUTH_LEGACY_SECRET": $0] } ?? [:],
            directory: directory)
    }

    func digest(_ path: String) throws -> SHA256Digest {
        SHA256.hash(data: try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    var besideTheOldDatabase: [String] { directory.contents.filter { $0.hasPrefix("data.") } }

    func storedHashes() async throws -> [String] {
        try await DatabaseQueue(path: newDatabase).read {
            try String.fetchAll($0, sql: "SELECT password_hash FROM users ORDER BY id")
        }
    }

    /// The stored rows of all users.
    func storedUsers() async throws -> [String] {
        try await DatabaseQueue(path: newDatabase).read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT json_array(
                        id, legacy_id, username, password_hash, password_version, created_at, password_changed_at,
                        disabled_at)
                    FROM users ORDER BY id
                    """)
        }
    }

    /// Signs all of them in over several connections, and returns those who were refused.
    private func signIn(_ users: [(name: String, password: String)], at port: Int) async throws -> [String] {
        try await withThrowingTaskGroup(of: [String].self) { group in
            for part in 0..<8 {
                group.addTask {
                    let connection = try await HTTPConnection(port: port)
                    var failed: [String] = []
                    for (index, user) in users.enumerated() where index % 8 == part {
                        let header = basic(user.name, user.password)
                        let answer = try await connection.send("GET", "/api/resource", headers: [header])
                        if answer.status != 200 || answer.json["data"] as? String != "Hello, \(user.name)!" {
                            failed.append(user.name)
                        }
                    }
                    return failed
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    // MARK: The move

    @Test func allMoveWithTheirPasswordsAndTokens() async throws {
        // Users with hashes of all ages, and for each age some who register with the old server, at
        // the cost of that age.
        let (filled, registered) = (Soak.count(40, soak: 990), Soak.count(1, soak: 3))
        let count = filled + 3 * registered + 1
        try await fill(filled)
        var users = (1...filled).map { (name: "user-\($0)", password: "password-\($0)") }
        var outstanding: [Outstanding] = []
        for (form, hashes) in [("pyjwt", ["sha256_crypt", "scrypt"]), ("itsdangerous", ["pbkdf2", "bcrypt"])] {
            for age in hashes {
                let old = try await startFlask("--tokens", form, "--hashes", age)
                for number in 1...(age == "bcrypt" ? 1 : registered) {
                    let (name, password) = ("\(age)-\(number)", "päss wörd \(number)")
                    let body = json(["username": name, "password": password])
                    #expect(try await old.send("POST", "/api/users", headers: Self.isJSON, body: body).status == 201)
                    users.append((name, password))
                }
                outstanding += try await self.outstanding(old, [users[4], users[9], try #require(users.last)])
                try await old.stop()
            }
        }
        #expect(users.count == count)
        let before = try digest(oldDatabase)

        // The steps of the page.
        let trial = try await run(Self.trial)
        #expect(trial.status == 0, "\(trial.error)")
        #expect(trial.output == "Nothing was written. Would be imported: \(count); there already: 0; refused: 0.\n")
        #expect(besideTheOldDatabase == ["data.sqlite"] && directory.contents == ["data.sqlite"])
        let outcome = try await run(Self.importing)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output == "Imported: \(count); there already: 0; refused: 0.\n")
        let new = try await startNew(secret: secret)
        try await wait(for: "the warning") { new.log.contains("take legacy_secret out of the settings") }
        #expect(!new.log.contains(secret))

        for held in outstanding { try await expectGood(held, at: new) }
        try await expectShortLives(at: new)
        try await expectForgeriesRefused(at: new)

        #expect(try await signIn(users, at: new.port).isEmpty)
        #expect(try await storedHashes().allSatisfy { $0.hasPrefix("$argon2id$") })
        // Once more, now with the new hashes; and the tokens are still accepted.
        #expect(try await signIn(Array(users.suffix(Soak.count(10, soak: 40))), at: new.port).isEmpty)
        for held in outstanding { try await expectGood(held, at: new) }

        let rows = try await storedUsers()
        let again = try await run(Self.importing)
        #expect(again.status == 0)
        #expect(again.output == "Imported: 0; there already: \(count); refused: 0.\n")
        #expect(try await storedUsers() == rows)

        try await expectSignOutEndsOne(of: outstanding.filter { $0.username == outstanding[1].username }, at: new)
        try await expectPasswordEndsTokens(of: outstanding[0], password: "password-5", at: new)
        #expect(try await new.register("newcomer", "python")["Location"]?.hasSuffix("/\(count + 1)") == true)
        #expect(try await new.stop() == 0)

        // Without the secret they are refused.
        let later = try await startNew()
        for held in outstanding {
            #expect(try await later.send("GET", "/api/resource", headers: [bearer(held.token)]).status == 401)
        }
        #expect(try await later.stop() == 0)

        #expect(try digest(oldDatabase) == before)
        #expect(besideTheOldDatabase == ["data.sqlite"])
        let old = try await startFlask()
        #expect(try await old.send("GET", "/api/resource", headers: [basic("user-7", "password-7")]).status == 200)
        try await old.stop()
    }

    private func expectGood(_ held: Outstanding, at new: RunningServer) async throws {
        let greeting = "Hello, \(held.username)!"
        for header in [basic(held.token, "x"), basic(held.token, ""), bearer(held.token)] {
            let answer = try await new.send("GET", "/api/resource", headers: [header])
            #expect(answer.json["data"] as? String == greeting)
        }
        let fresh = try await new.token(held.token, "unused")
        #expect(fresh != held.token)
        let answer = try await new.send("GET", "/api/resource", headers: [bearer(fresh)])
        #expect(answer.json["data"] as? String == greeting)
        #expect(try await new.send("GET", "/api/token", headers: [basic(fresh, "x")]).status == 200)
    }

    private func expectShortLives(at new: RunningServer) async throws {
        async let pyJWT: Void = expectShortLife("pyjwt", at: new)
        async let itsdangerous: Void = expectShortLife("itsdangerous", at: new)
        try await pyJWT
        try await itsdangerous
    }

    private func expectShortLife(_ form: String, at new: RunningServer) async throws {
        var token = ""
        // The token may have expired before it is used for the first time.
        try await wait(for: "a token of \(form) to be good") {
            token = try await madeToken(5, form, seconds: 2)
            return try await new.send("GET", "/api/resource", headers: [bearer(token)]).status == 200
        }
        try await wait(for: "the token to end") {
            try await new.send("GET", "/api/resource", headers: [bearer(token)]).code == "invalid_token"
        }
    }

    private func expectForgeriesRefused(at new: RunningServer) async throws {
        for form in ["pyjwt", "itsdangerous"] {
            let tokens = [
                try await madeToken(5, form, seconds: 600, secret: "another secret of 24 bytes"),
                try await madeToken(5, form, seconds: -1), try await madeToken(5000, form, seconds: 600),
                try await madeToken(0, form, seconds: 600),
            ]
            for token in tokens {
                for header in [basic(token, "x"), bearer(token)] {
                    #expect(try await new.send("GET", "/api/resource", headers: [header]).status == 401)
                    #expect(try await new.send("GET", "/api/token", headers: [header]).status == 401)
                }
            }
        }
    }

    /// Each of the tokens was traded several times.
    private func expectSignOutEndsOne(of held: [Outstanding], at new: RunningServer) async throws {
        let tokens = Set(held.map(\.token))
        let ended = try #require(tokens.first)
        #expect(try await new.sessions(bearer(ended)).count == tokens.count)
        #expect(try await new.send("DELETE", "/api/tokens", headers: [bearer(ended)]).status == 204)
        for token in tokens {
            let answer = try await new.send("GET", "/api/token", headers: [bearer(token)])
            #expect((answer.status == 401) == (token == ended), "\(answer.body)")
        }
        #expect(try await new.send("GET", "/api/resource", headers: [basic(ended, "")]).code == "invalid_token")
    }

    private func expectPasswordEndsTokens(of held: Outstanding, password: String, at new: RunningServer) async throws {
        let answer = try await new.send(
            "PUT", "/api/me/password", headers: [basic(held.username, password), "Content-Type: application/json"],
            body: json(["current_password": password, "new_password": "another one"]))
        #expect(answer.status / 100 == 2, "\(answer.body)")
        #expect(try await new.send("GET", "/api/resource", headers: [bearer(held.token)]).code == "invalid_token")
        #expect(try await new.send("GET", "/api/token", headers: [basic(held.token, "x")]).status == 401)
    }
}

private struct FlaskFailed: Error {
    let log: String
}

import Foundation
import Support
import Synchronization
import Testing

/// Someone tries passwords, thousands of them, and counts what comes back.
///
/// The attacker's addresses are those that a trusted proxy reports.
@Suite struct Guessing {
    private let server: RunningServer
    private let home = "203.0.113.7"

    init() async throws {
        server = try await RunningServer(["--trusted-proxies", "127.0.0.1", "--log-level", "warning"])
        try #require(server.register("miguel", "python").status == 201)
        try #require(signIn("miguel", "python", from: home) == 200)
    }

    private func signIn(_ username: String, _ password: String, from address: String) throws -> Int {
        try server.send("GET", "/api/token", headers: [basic(username, password), "X-Forwarded-For: \(address)"]).status
    }

    /// Makes so many guesses from eight connections and counts the answers by status.
    private func attack(_ count: Int, _ guess: @Sendable (Int) -> (username: String, address: String)) throws -> [Int:
        Int]
    {
        let (outcome, connections) = (Outcome(), 8)
        // Read before anything runs at once.
        let guesses = (0..<count).map(guess)
        let port = server.port
        DispatchQueue.concurrentPerform(iterations: connections) { worker in
            do {
                let connection = try HTTPConnection(port: port)
                for number in stride(from: worker, to: count, by: connections) {
                    let answer = try connection.send(
                        "GET", "/api/token",
                        headers: [
                            basic(guesses[number].username, "guess\(number)"),
                            "X-Forwarded-For: \(guesses[number].address)",
                        ])
                    outcome.add(answer)
                }
            } catch {
                outcome.fail(error)
            }
        }
        return try outcome.counts()
    }

    @Test func tenThousandGuessesFromOneAddressAtOneAccount() throws {
        let counts = try attack(10_000) { _ in ("miguel", "198.51.100.1") }
        // Ten, and one for each delay that went by meanwhile: 30 seconds, then 60.
        #expect((10...12).contains(counts[401] ?? 0))
        #expect(counts[429] == 10_000 - (counts[401] ?? 0))
        #expect(try signIn("miguel", "python", from: home) == 200)
        #expect(try signIn("miguel", "python", from: "198.51.100.1") == 429)
    }

    @Test func tenThousandGuessesFromFiveHundredAddressesAtOneAccount() throws {
        let counts = try attack(10_000) { number in ("miguel", "10.\(number % 500 / 256).\(number % 500 % 256).1") }
        #expect((10...12).contains(counts[401] ?? 0))
        #expect(counts[429] == 10_000 - (counts[401] ?? 0))
        #expect(try signIn("miguel", "python", from: home) == 200)
        #expect(try signIn("miguel", "python", from: "10.9.9.9") == 429)
        try expectNoticed("username=miguel")
    }

    @Test func tenThousandGuessesFromOneAddressAtFiveThousandAccounts() async throws {
        for number in 0..<20 { try #require(server.register("user\(number)", "python").status == 201) }
        // As dear as theirs, of a password that nobody knows.
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0"
        let lines = (20..<5000).map { json(["username": "user\($0)", "password_hash": hash]) }
        let imported = try await server.run(["users", "import", "--jsonl", "-"], input: lines.joined(separator: "\n"))
        try #require(imported.status == 0, "\(imported.error)")
        try #require(signIn("user7", "python", from: "198.51.100.7") == 200)
        let counts = try attack(10_000) { number in ("user\(number % 5000)", "198.51.100.\(number % 250)") }
        // Thirty, and one for each delay that went by: 1 second, 2, 4, 8, 16, 32.
        #expect((30...40).contains(counts[401] ?? 0))
        #expect(counts[429] == 10_000 - (counts[401] ?? 0))
        #expect(try signIn("miguel", "python", from: home) == 200)
        // In the attacker's own network, whoever has signed in there before.
        #expect(try signIn("user7", "python", from: "198.51.100.8") == 200)
        #expect(try signIn("user8", "python", from: "198.51.100.8") == 429)
        #expect(try signIn("user8", "python", from: "192.0.2.8") == 200)
        try expectNoticed("network=198.51.100.0/24")
    }

    /// The right one is among the last of a burst: by then no try is left, however fast they come.
    @Test func theRightPasswordAtTheEndOfABurstIsNotTried() throws {
        for round in 0..<5 {
            try #require(server.register("victim\(round)", "python").status == 201)
            let connections = try (0..<60).map { _ in try server.connect() }
            for (number, connection) in connections.enumerated() {
                let password = number == 58 ? "python" : "guess\(number)"
                try connection.write(
                    "GET /api/token HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.\(number).1\r\n\(basic("victim\(round)", password))\r\n\r\n"
                )
            }
            let statuses = try connections.map { try $0.readAnswer().status }
            #expect(statuses[58] == 429)
            #expect(statuses.count { $0 == 401 } == 10)
        }
    }

    @Test func aRestartForgetsNothing() async throws {
        _ = try attack(20) { _ in ("miguel", "198.51.100.1") }
        #expect(try await server.stop() == 0)
        let second = try await RunningServer(["--trusted-proxies", "127.0.0.1"], directory: server.directory)
        let fields = [basic("miguel", "python"), "X-Forwarded-For: 198.51.100.1"]
        #expect(try second.send("GET", "/api/token", headers: fields).status == 429)
        #expect(
            try second.send("GET", "/api/token", headers: [basic("miguel", "python"), "X-Forwarded-For: \(home)"])
                .status == 200)
    }

    @Test func aForgedAddressCountsForNothing() async throws {
        let server = try await RunningServer()
        try #require(server.register("miguel", "python").status == 201)
        var statuses: [Int] = []
        for number in 0..<12 {
            let fields = [basic("nobody\(number / 4)", "wrong"), "X-Forwarded-For: 10.0.\(number).1"]
            statuses.append(try server.send("GET", "/api/token", headers: fields).status)
        }
        #expect(statuses == Array(repeating: 401, count: 12))
        let list = try await server.run(["throttle", "list", "--json"]).output
        #expect(list.contains(#""network":"127.0.0.0/24","count":12"#))
        #expect(!list.contains("10.0."))
    }

    /// Right or wrong, known or not: byte for byte the same, but for what is different each time.
    @Test func theAnswerSaysWhenToComeBackAndNothingElse() throws {
        _ = try attack(12) { _ in ("miguel", "198.51.100.1") }
        _ = try attack(12) { _ in ("nobody", "198.51.100.1") }
        var answers: Set<String> = []
        for (username, password) in [
            ("miguel", "python"), ("miguel", "wrong"), ("nobody", "python"), ("MIGUEL", "python"),
        ] {
            let answer = try server.send(
                "GET", "/api/token", headers: [basic(username, password), "X-Forwarded-For: 198.51.100.1"])
            #expect(answer.status == 429)
            #expect(answer.code == "rate_limited")
            #expect((1...30).contains(Int(answer["Retry-After"] ?? "") ?? 0))
            #expect(answer["RateLimit-Policy"] == #""account";q=10"#)
            #expect(answer["RateLimit"] == #""account";r=0;t="# + (answer["Retry-After"] ?? ""))
            #expect(answer.all("WWW-Authenticate").isEmpty)
            let fields = answer.headers.filter { $0.name != "date" }.map { "\($0.name): \($0.value)" }
            let text = (fields + [answer.body.replacing(/"request_id":"[^"]+"/, with: "")]).joined(separator: "\n")
            answers.insert(
                text.replacing(/[0-9]+ seconds|t=[0-9]+|retry-after: [0-9]+|content-length: [0-9]+/, with: ""))
        }
        #expect(answers.count == 1)
    }

    @Test func aTokenWorksWhateverIsGuessed() throws {
        let token = try server.send(
            "GET", "/api/token", headers: [basic("miguel", "python"), "X-Forwarded-For: \(home)"]
        ).json["token"]
        let fields = [bearer(try #require(token as? String)), "X-Forwarded-For: 198.51.100.1"]
        _ = try attack(50) { _ in ("miguel", "198.51.100.1") }
        #expect(try server.send("GET", "/api/resource", headers: fields).status == 200)
        #expect(try server.send("GET", "/api/me", headers: fields).status == 200)
    }

    @Test func everyWayToGiveAPasswordIsCounted() throws {
        let address = "X-Forwarded-For: 198.51.100.1"
        let body = json(["username": "miguel", "password": "wrong"])
        for _ in 0..<2 {
            for path in ["/api/token", "/api/resource", "/api/me", "/api/verify"] {
                #expect(try server.send("GET", path, headers: [basic("miguel", "wrong"), address]).status == 401)
            }
            #expect(try server.send("POST", "/api/tokens", headers: [address], body: body).status == 401)
        }
        #expect(try server.send("POST", "/api/tokens", headers: [address], body: body).status == 429)
        #expect(try server.send("GET", "/api/verify", headers: [basic("miguel", "wrong"), address]).status == 429)
    }

    private func expectNoticed(_ what: String) throws {
        let lines = server.log.split(separator: "\n").filter { $0.contains("credential_stuffing") && $0.contains(what) }
        #expect(lines.count == 1)
    }
}

private final class Outcome: Sendable {
    private let state = Mutex<(counts: [Int: Int], error: (any Error)?)>(([:], nil))

    func add(_ answer: HTTPAnswer) { state.withLock { $0.counts[answer.status, default: 0] += 1 } }
    func fail(_ error: any Error) { state.withLock { $0.error = error } }

    func counts() throws -> [Int: Int] {
        let (counts, error) = state.withLock { $0 }
        if let error { throw error }
        return counts
    }
}

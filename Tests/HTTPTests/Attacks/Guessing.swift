import Foundation
import Support
import Synchronization
import Testing

/// Attacks that try thousands of passwords and count the answers.
///
/// The addresses of the attacker are those that a trusted proxy reports. The tests share a server
/// that counts. Each has its own accounts and networks, and hashing is not limited.
@Suite struct Guessing {
    private static let starting = Task { try await RunningServer(settings) }
    private static let settings = [
        "--trusted-proxies", "127.0.0.1", "--log-level", "warning", "--hashing-budget", "1000000",
        "--hashing-patience", "600",
    ]
    /// The delay after the allowed number of wrong passwords for one account: half a minute.
    private static let delay = Duration.seconds(30)

    private let server: RunningServer

    init() async throws { server = try await Self.starting.value }

    @Test func tenThousandGuessesFromOneAddressAtOneAccount() async throws {
        let count = Soak.count(1000, soak: 10_000)
        let (counts, statuses) = try await within(Self.delay) {
            let target = try await Target(at: server)
            let counts = try await server.attack(count) { _ in (target.name, target.attacker) }
            return (
                counts, [try await target.signIn(from: target.home), try await target.signIn(from: target.attacker)]
            )
        }
        #expect(counts == [401: 10, 429: count - 10])
        #expect(statuses == [200, 429])
    }

    @Test func tenThousandGuessesFromFiveHundredAddressesAtOneAccount() async throws {
        let count = Soak.count(1000, soak: 10_000)
        let (target, counts, statuses) = try await within(Self.delay) {
            let target = try await Target(at: server)
            let counts = try await server.attack(count) { number in
                (target.name, "10.\(number % 500 / 256).\(number % 500 % 256).1")
            }
            return (
                target, counts, [try await target.signIn(from: target.home), try await target.signIn(from: "10.9.9.9")]
            )
        }
        #expect(counts == [401: 10, 429: count - 10])
        #expect(statuses == [200, 429])
        expectNoticed("username=\(target.name)")
    }

    @Test func tenThousandGuessesFromOneAddressAtFiveThousandAccounts() async throws {
        let target = try await Target(at: server)
        let accounts = Soak.count(500, soak: 5000)
        let prefix = RunningServer.newName("user")
        let known = 10
        for number in 0..<known {
            try #require(try await server.register("\(prefix)-\(number)", "python").status == 201)
        }
        // A hash as expensive as the others, of a password that nobody knows.
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Zz2pQtBgzTLzPDNeqxZMRfHaFTxcVqbgEvQCmV3XGY0"
        let lines = (known..<accounts).map { json(["username": "\(prefix)-\($0)", "password_hash": hash]) }
        let imported = try await server.run(["users", "import", "--jsonl", "-"], input: lines.joined(separator: "\n"))
        try #require(imported.status == 0, "\(imported.error)")
        func signIn(_ number: Int, from address: String) async throws -> Int {
            try await server.guess("\(prefix)-\(number)", "python", from: address).status
        }
        let network = target.attackersNetwork
        try #require(try await signIn(7, from: "\(network).7") == 200)

        let start = ContinuousClock.now
        let counts = try await server.attack(2 * accounts) { number in
            ("\(prefix)-\(number % accounts)", "\(network).\(number % 250)")
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        // Thirty; one more for each delay that has passed, of 1 second, 2, 4, 8 and so on; and the
        // two for users known there.
        let delays = Int(log2(seconds + 1))
        #expect((30...32 + delays).contains(counts[401] ?? 0))
        #expect(counts[429] == 2 * accounts - (counts[401] ?? 0))
        #expect(try await target.signIn(from: target.home) == 200)
        // In the attacker's network, users who have signed in there before can still sign in.
        #expect(try await signIn(7, from: "\(network).8") == 200)
        try await expectDelay(from: "\(network).8") { try await signIn($0, from: "\(network).8") }
        #expect(try await signIn(8, from: "192.0.2.8") == 200)
        expectNoticed("network=\(network).0/24")
    }

    /// Expects that users who have not signed in from there have to wait.
    ///
    /// On a slow machine the delay may be over when the right password arrives. So the present
    /// delay is asked for first, with an unknown name, and the next one is longer.
    private func expectDelay(from address: String, signIn: (Int) async throws -> Int) async throws {
        let nobody = RunningServer.newName("nobody")
        for number in [8, 9, 0, 1, 2, 3, 4, 5, 6] {
            let start = ContinuousClock.now
            let answer = try await server.guess(nobody, "wrong", from: address)
            let delay = Int(answer["Retry-After"] ?? "") ?? 0
            if try await signIn(number) == 429 { return }
            #expect(ContinuousClock.now - start > .seconds(delay - 1))
        }
        Issue.record("nobody has had to wait")
    }

    /// The right password is among the last of a burst: no attempt is left by then, however fast
    /// they come.
    @Test func theRightPasswordAtTheEndOfABurstIsNotTried() async throws {
        for _ in 0..<5 {
            let statuses = try await within(Self.delay) {
                let victim = try await server.newAccount("victim")
                var connections: [HTTPConnection] = []
                for _ in 0..<60 { connections.append(try await server.connect()) }
                for (number, connection) in connections.enumerated() {
                    let password = number == 58 ? "python" : "guess\(number)"
                    try await connection.write(
                        "GET /api/token HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 11.0.\(number).1\r\n"
                            + "\(basic(victim.name, password))\r\n\r\n")
                }
                var statuses: [Int] = []
                for connection in connections { statuses.append(try await connection.readAnswer().status) }
                return statuses
            }
            #expect(statuses[58] == 429)
            #expect(statuses.count { $0 == 401 } == 10)
        }
    }

    /// Uses its own server, because it stops it.
    @Test func aRestartForgetsNothing() async throws {
        let statuses = try await within(Self.delay) {
            let first = try await RunningServer(Self.settings)
            let target = try await Target(at: first)
            _ = try await first.attack(20) { _ in (target.name, target.attacker) }
            #expect(try await first.stop() == 0)
            let second = try await RunningServer(Self.settings, directory: first.directory)
            var statuses: [Int] = []
            for address in [target.attacker, target.home] {
                statuses.append(try await second.guess(target.name, "python", from: address).status)
            }
            return statuses
        }
        #expect(statuses == [429, 200])
    }

    /// Uses its own server, which trusts no proxy and counts everything.
    @Test func aForgedAddressCountsForNothing() async throws {
        let server = try await RunningServer(["--hashing-patience", "600"])
        try #require(try await server.register("miguel", "python").status == 201)
        var statuses: [Int] = []
        for number in 0..<12 {
            statuses.append(try await server.guess("nobody\(number / 4)", "wrong", from: "10.0.\(number).1").status)
        }
        #expect(statuses == Array(repeating: 401, count: 12))
        let list = try await server.run(["throttle", "list", "--json"]).output
        #expect(list.contains(#""network":"127.0.0.0/24","count":12"#))
        #expect(!list.contains("10.0."))
    }

    /// The bytes are the same for a right or wrong password, of a known or unknown user, except for
    /// those that differ each time.
    @Test func theAnswerSaysWhenToComeBackAndNothingElse() async throws {
        let answers = try await within(Self.delay) {
            let target = try await Target(at: server)
            let nobody = RunningServer.newName("nobody")
            for name in [target.name, nobody] { _ = try await server.attack(12) { _ in (name, target.attacker) } }
            var answers: [HTTPAnswer] = []
            for (username, password) in [
                (target.name, "python"), (target.name, "wrong"), (nobody, "python"),
                (target.name.uppercased(), "python"),
            ] { answers.append(try await server.guess(username, password, from: target.attacker)) }
            return answers
        }
        var texts: Set<String> = []
        for answer in answers {
            #expect(answer.status == 429)
            #expect(answer.code == "rate_limited")
            #expect((1...30).contains(Int(answer["Retry-After"] ?? "") ?? 0))
            #expect(answer["RateLimit-Policy"] == #""account";q=10"#)
            #expect(answer["RateLimit"] == #""account";r=0;t="# + (answer["Retry-After"] ?? ""))
            #expect(answer.all("WWW-Authenticate").isEmpty)
            let fields = answer.headers.filter { $0.name != "date" }.map { "\($0.name): \($0.value)" }
            let text = (fields + [answer.body.replacing(/"request_id":"[^"]+"/, with: "")]).joined(separator: "\n")
            texts.insert(text.replacing(/[0-9]+ seconds|t=[0-9]+|retry-after: [0-9]+|content-length: [0-9]+/, with: ""))
        }
        #expect(texts.count == 1)
    }

    @Test func aTokenWorksWhateverIsGuessed() async throws {
        let target = try await Target(at: server)
        let token = try await server.guess(target.name, "python", from: target.home).json["token"]
        let fields = [bearer(try #require(token as? String)), "X-Forwarded-For: \(target.attacker)"]
        _ = try await server.attack(50) { _ in (target.name, target.attacker) }
        #expect(try await server.send("GET", "/api/resource", headers: fields).status == 200)
        #expect(try await server.send("GET", "/api/me", headers: fields).status == 200)
    }

    @Test func everyWayToGiveAPasswordIsCounted() async throws {
        let (counted, refused) = try await within(Self.delay) {
            let target = try await Target(at: server)
            let (address, wrong) = ("X-Forwarded-For: \(target.attacker)", basic(target.name, "wrong"))
            let body = json(["username": target.name, "password": "wrong"])
            var (counted, refused): ([Int], [Int]) = ([], [])
            for _ in 0..<2 {
                for path in ["/api/token", "/api/resource", "/api/me", "/api/verify"] {
                    counted.append(try await server.send("GET", path, headers: [wrong, address]).status)
                }
                counted.append(try await server.send("POST", "/api/tokens", headers: [address], body: body).status)
            }
            refused.append(try await server.send("POST", "/api/tokens", headers: [address], body: body).status)
            refused.append(try await server.send("GET", "/api/verify", headers: [wrong, address]).status)
            return (counted, refused)
        }
        #expect(counted == Array(repeating: 401, count: 10))
        #expect(refused == [429, 429])
    }

    // MARK: -

    private func expectNoticed(_ what: String) {
        let lines = server.log.split(separator: "\n").filter {
            $0.contains("credential_stuffing") && "\($0) ".contains(what + " ")
        }
        #expect(lines.count == 1)
    }
}

/// A user who has signed in at home, and a network from which no user has.
private struct Target {
    let account: Account
    let server: RunningServer
    let home: String
    let attackersNetwork: String

    private static let count = Atomic(0)

    init(at server: RunningServer) async throws {
        self.server = server
        account = try await server.newAccount()
        let number = Self.count.add(1, ordering: .relaxed).newValue
        home = "203.0.\(number).7"
        attackersNetwork = "198.51.\(number)"
        try #require(try await signIn(from: home) == 200)
    }

    var name: String { account.name }
    var attacker: String { attackersNetwork + ".1" }

    /// Signs in with the right password.
    func signIn(from address: String) async throws -> Int {
        try await server.guess(name, account.password, from: address).status
    }
}

extension RunningServer {
    fileprivate func guess(_ username: String, _ password: String, from address: String) async throws -> HTTPAnswer {
        try await send("GET", "/api/token", headers: [basic(username, password), "X-Forwarded-For: \(address)"])
    }

    /// Makes `count` guesses on eight connections and counts the answers by status.
    fileprivate func attack(
        _ count: Int, _ guess: @escaping @Sendable (Int) -> (username: String, address: String)
    ) async throws -> [Int: Int] {
        let connections = 8
        return try await withThrowingTaskGroup(of: [Int: Int].self) { group in
            for worker in 0..<connections {
                group.addTask {
                    let connection = try await self.connect()
                    var counts: [Int: Int] = [:]
                    for number in stride(from: worker, to: count, by: connections) {
                        let (username, address) = guess(number)
                        let fields = [basic(username, "guess\(number)"), "X-Forwarded-For: \(address)"]
                        counts[try await connection.send("GET", "/api/token", headers: fields).status, default: 0] += 1
                    }
                    return counts
                }
            }
            return try await group.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
        }
    }
}

import Foundation
import Support
import Testing

/// Attacks that seek additional guesses: by names that could be mistaken for others, and by
/// networks that seem to be many.
///
/// The addresses of the attacker are those that a trusted proxy reports. The tests share a server
/// that counts, where the limit of a network does not matter. Each has its own accounts and
/// networks.
@Suite struct GuessingAround {
    private static let starting = Task {
        try await RunningServer([
            "--trusted-proxies", "127.0.0.1", "--log-level", "info", "--hashing-budget", "1000000",
            "--hashing-patience", "600", "--network-failures", "1000",
        ])
    }
    /// The delay after the allowed number of wrong passwords for one account: half a minute.
    private static let delay = Duration.seconds(30)

    private let server: RunningServer

    init() async throws { server = try await Self.starting.value }

    /// Names with a blank, which begin with another user's name.
    @Test func whoChangesTheirOwnPasswordBuysNoGuessesAtWhoSharesTheNetwork() async throws {
        let statuses = try await within(Self.delay) {
            let john = RunningServer.newName("john")
            let address = "192.0.2.7"
            for name in [john, john + " smith", john + " 192.0.2.0/24"] {
                try #require(try await server.register(name, "python").status == 201)
                try #require(try await server.guess(name, "python", from: address).status == 200)
            }
            var statuses: [Int] = []
            for round in 0..<4 {
                for _ in 0..<10 {
                    statuses.append(try await server.guess(john + " smith", "wrong", from: address).status)
                }
                let body = json([
                    "current_password": round == 0 ? "python" : "python\(round)", "new_password": "python\(round + 1)",
                ])
                let change = try await server.send(
                    "PUT", "/api/me/password",
                    headers: [
                        basic(john, round == 0 ? "python" : "python\(round)"), "X-Forwarded-For: \(address)",
                        "Content-Type: application/json",
                    ], body: body)
                try #require(change.status == 204, "\(change.status) \(change.body)")
            }
            return statuses
        }
        #expect(statuses.count { $0 == 401 } == 10)
    }

    /// Names with marks that combine with the character before them, however the parts of a key are
    /// joined.
    @Test(arguments: ["a\u{302}\u{323}b c", "\u{e9}\u{323} d"])
    func aNameWithCombiningMarksIsCountedLikeAnyOther(name: String) async throws {
        let statuses = try await within(Self.delay) {
            let address = "192.0.3.7"
            try #require(try await server.register(name, "python").status == 201)
            try #require(try await server.guess(name, "python", from: address).status == 200)
            var statuses: [Int] = []
            for number in 0..<25 {
                statuses.append(try await server.guess(name, "wrong\(number)", from: address).status)
            }
            return statuses
        }
        #expect(statuses.count { $0 == 401 } == 10)
    }

    @Test func aNameWithBlanksIsListedAndClearedAsItIs() async throws {
        let john = RunningServer.newName("john") + " van smith"
        let (list, cleared, statuses) = try await within(Self.delay) {
            try #require(try await server.register(john, "python").status == 201)
            try #require(try await server.guess(john, "python", from: "192.0.4.7").status == 200)
            for number in 0..<10 {
                try #require(try await server.guess(john, "wrong\(number)", from: "192.0.4.7").status == 401)
            }
            var statuses = [try await server.guess(john, "python", from: "192.0.4.7").status]
            let list = try await server.run(["throttle", "list", "--json"]).output
            let cleared = try await server.run(["throttle", "clear", "--user", john.uppercased()]).output
            statuses.append(try await server.guess(john, "python", from: "192.0.4.7").status)
            return (list, cleared, statuses)
        }
        #expect(statuses == [429, 200])
        #expect(cleared == "Cleared 1 counter.\n")
        #expect(
            list.contains(
                #"{"kind":"known","username":"\#(john)","user_id":null,"network":"192.0.4.0/24","count":10,"#))
    }

    @Test func whatIsLoggedNamesTheWholeNameAndTheNetworkApart() async throws {
        let john = RunningServer.newName("john") + " smith"
        try #require(try await server.register(john, "python").status == 201)
        for number in 0..<11 { _ = try await server.guess(john, "wrong", from: "10.7.\(number).1") }
        func lines() -> [Substring] { server.log.split(separator: "\n").filter { $0.contains(john) } }
        try await wait(for: "the refusal to be logged") { lines().contains { $0.contains("login_throttled") } }
        let lines = lines()
        let stuffing = lines.filter { $0.contains("credential_stuffing") }
        #expect(stuffing.count == 1)
        #expect(stuffing.first?.contains(#" username="\#(john)" "#) == true)
        #expect(stuffing.first?.contains(" network=") == false)
        let throttled = lines.filter { $0.contains("login_throttled") }
        #expect(throttled.count == 1)
        #expect(throttled.first?.contains(#" username="\#(john)""#) == true)
        #expect(throttled.first?.contains(" policy=account") == true)
    }

    /// 256 networks that one customer may have, which together may guess four times as often as
    /// one. Uses its own server, with a low limit for a network.
    @Test func aBlockOfNetworksGuessesNoMoreThanFourOfThem() async throws {
        let server = try await RunningServer([
            "--trusted-proxies", "127.0.0.1", "--hashing-budget", "1000000", "--hashing-patience", "600",
            "--network-failures", "5",
        ])
        let start = ContinuousClock.now
        var counts: [Int: Int] = [:]
        for number in 0..<64 {
            let address = "2001:db8:7:\(String(number * 256, radix: 16))::1"
            counts[try await server.guess("nobody\(number)", "wrong", from: address).status, default: 0] += 1
        }
        // Twenty, and one more for each delay that has passed, of 1 second, 2, 4, 8 and so on.
        let delays = Int(log2((ContinuousClock.now - start) / .seconds(1) + 1))
        #expect((20...20 + delays).contains(counts[401] ?? 0))
        #expect(counts[429] == 64 - (counts[401] ?? 0))
        // A neighbouring network is not affected.
        #expect(try await server.guess("nobody", "wrong", from: "2001:db8:8::1").status == 401)
    }
}

extension RunningServer {
    fileprivate func guess(_ username: String, _ password: String, from address: String) async throws -> HTTPAnswer {
        try await send("GET", "/api/token", headers: [basic(username, password), "X-Forwarded-For: \(address)"])
    }
}

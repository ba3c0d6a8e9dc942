import Foundation
import Support
import Testing

@Suite struct ThrottleCommandTests {
    /// A server that throttles, for the tests that clear only their own counters.
    private static let shared = Task {
        try await RunningServer([
            "--trusted-proxies", "127.0.0.1", "--registrations-per-hour", "none", "--hashing-patience", "600",
            "--hashing-budget", "1000000",
        ])
    }

    /// The delay after ten wrong passwords for an account.
    private static let delay = Duration.seconds(30)

    /// Registers a user and makes ten wrong guesses from that address: the next has to wait for
    /// half a minute.
    private func guess(at server: RunningServer, from address: String) async throws -> Account {
        let miguel = try await server.newAccount()
        for number in 0..<10 {
            try #require(await status(at: server, miguel.name, "wrong\(number)", from: address) == 401)
        }
        return miguel
    }

    private func status(
        at server: RunningServer, _ name: String, _ password: String = "python", from address: String
    ) async throws -> Int {
        let headers = [basic(name, password), "X-Forwarded-For: \(address)"]
        return try await server.send("GET", "/api/token", headers: headers).status
    }

    private func list(at server: RunningServer) async throws -> [Substring] {
        let list = try await server.run(["throttle", "list"])
        #expect(list.status == 0)
        return list.output.split(separator: "\n")
    }

    /// Counts all counters, and clears all.
    @Test func theListSaysWhoHasToWaitAndAllOfItCanBeCleared() async throws {
        let server = try await RunningServer(["--trusted-proxies", "127.0.0.1", "--hashing-patience", "600"])
        let (miguel, lines, blocked) = try await within(Self.delay) {
            _ = try await server.run(["throttle", "clear", "--all"])
            let miguel = try await guess(at: server, from: "192.0.2.17")
            let status = try await status(at: server, miguel.name, from: "192.0.2.17")
            // The cost of hashing is written once a second.
            try await wait(for: "everything to be counted") {
                try await list(at: server).contains { $0.hasPrefix("hashing\t") }
            }
            let lines = try await list(at: server)
            let blocked = try await server.run(["throttle", "list", "--blocked", "--json"]).output
            try #require(status == 429)
            return (miguel, lines, blocked)
        }
        #expect(lines.count == 4)
        #expect(lines[0].hasPrefix("account\t\(miguel.name)\t-\t10 counted\tlast 2"))
        #expect(lines[0].contains("blocked until 2"))
        #expect(lines[1].hasPrefix("hashing\t-\t-\t"))
        #expect(lines[2].hasPrefix("network\t-\t192.0.2.0/24\t10 counted\t"))
        for line in lines[1...] { #expect(!line.contains("blocked")) }
        #expect(lines[3].hasPrefix("registrations\t-\t127.0.0.0/24\t1 counted\t"))
        let object = try JSONSerialization.jsonObject(with: Data(blocked.utf8)) as? [String: Any]
        #expect(object?["kind"] as? String == "account")
        #expect(object?["username"] as? String == miguel.name)
        #expect(object?["count"] as? Int == 10)
        #expect(object?["is_blocked"] as? Bool == true)

        #expect(try await server.run(["throttle", "clear", "--all"]).output == "Cleared 4 counters.\n")
        #expect(try await status(at: server, miguel.name, from: "192.0.2.17") == 200)
        let again = try await server.run(["throttle", "clear", "--user", miguel.name])
        #expect(again.output == "Nothing was counted.\n")
    }

    @Test func whoIsClearedIsLetThroughAtOnce() async throws {
        let server = try await Self.shared.value
        let miguel = try await within(Self.delay) {
            let miguel = try await guess(at: server, from: "198.51.100.1")
            try #require(await status(at: server, miguel.name, from: "198.51.100.1") == 429)
            return miguel
        }
        let cleared = try await server.run(["throttle", "clear", "--user", miguel.name.uppercased()])
        #expect(cleared.output == "Cleared 1 counter.\n")
        #expect(try await status(at: server, miguel.name, from: "198.51.100.1") == 200)
        let again = try await server.run(["throttle", "clear", "--user", miguel.name])
        #expect(again.output == "Nothing was counted.\n")
    }

    @Test func aNetworkIsClearedByAnyAddressOfIt() async throws {
        let server = try await Self.shared.value
        let miguel = try await within(Self.delay) {
            let miguel = try await guess(at: server, from: "192.0.2.17")
            let cleared = try await server.run(["throttle", "clear", "--address", "192.0.2.200"])
            #expect(cleared.output == "Cleared 1 counter.\n")
            try #require(await status(at: server, miguel.name, from: "192.0.2.17") == 429)
            return miguel
        }
        let lines = try await list(at: server)
        #expect(!lines.contains { $0.contains("\t192.0.2.0/24\t") })
        #expect(lines.contains { $0.hasPrefix("account\t\(miguel.name)\t-\t10 counted\t") })
    }

    @Test func theBlocksOfANetworkAreClearedWithIt() async throws {
        let server = try await Self.shared.value
        _ = try await guess(at: server, from: "2001:db8:5:4321::17")
        let blocks = ["2001:db8:5:4300::/56", "2001:db8:5::/48", "2001:db8::/32"]
        let counted = try await list(at: server)
        for block in blocks { #expect(counted.contains { $0.hasPrefix("network\t-\t\(block)\t10 counted\t") }) }
        let cleared = try await server.run(["throttle", "clear", "--address", "2001:db8:5:43ff::1"])
        #expect(cleared.output == "Cleared 3 counters.\n")
        let left = try await list(at: server)
        for block in blocks { #expect(!left.contains { $0.contains("\t\(block)\t") }) }
    }

    @Test func whatIsNotClearIsRefused() async throws {
        let server = try await Self.shared.value
        let miguel = try await within(Self.delay) {
            _ = try await server.run(["throttle", "clear", "--address", "203.0.113.1"])
            let miguel = try await guess(at: server, from: "203.0.113.1")
            try await expectRefusalOfUnclearCommands(miguel, at: server)
            try #require(await status(at: server, miguel.name, from: "203.0.113.1") == 429)
            return miguel
        }
        let lines = try await list(at: server)
        for line in ["account\t\(miguel.name)\t-\t10 counted\t", "network\t-\t203.0.113.0/24\t10 counted\t"] {
            #expect(lines.contains { $0.hasPrefix(line) })
        }
    }

    private func expectRefusalOfUnclearCommands(_ miguel: Account, at server: RunningServer) async throws {
        let commands = [
            [], ["--user", miguel.name, "--all"], ["--address", "203.0.113"], ["--address", "203.0.113.0/24"],
            ["--user"], [miguel.name],
        ]
        try await withThrowingTaskGroup { group in
            for command in commands {
                group.addTask {
                    let refused = try await server.run(["throttle", "clear"] + command)
                    #expect(refused.status != 0, "\(command)")
                    #expect(refused.error.contains("Error: ") || refused.error.contains("rest-auth: "), "\(command)")
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func aNameThatCannotBeOneIsSaidToBe() async throws {
        let refused = try await Self.shared.value.run(["throttle", "clear", "--user", "a b:c"])
        #expect(refused.status == 1)
        #expect(refused.error.hasPrefix("rest-auth: "))
    }
}

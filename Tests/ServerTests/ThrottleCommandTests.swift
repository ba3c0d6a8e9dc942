import Foundation
import Support
import Testing

@Suite struct ThrottleCommandTests {
    private let server: RunningServer

    init() async throws {
        server = try await RunningServer(["--trusted-proxies", "127.0.0.1"])
        try #require(server.register("miguel", "python").status == 201)
        for number in 0..<10 { try #require(guess("wrong\(number)") == 401) }
        // What the hashing cost is written once a second.
        try await wait(seconds: 20, for: "everything to be counted") {
            try await server.run(["throttle", "list"]).output.contains("hashing\t")
        }
    }

    private func guess(_ password: String, from address: String = "192.0.2.17") throws -> Int {
        try server.send("GET", "/api/token", headers: [basic("miguel", password), "X-Forwarded-For: \(address)"]).status
    }

    @Test func theListSaysWhoHasToWait() async throws {
        let list = try await server.run(["throttle", "list"])
        #expect(list.status == 0)
        let lines = list.output.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[0].hasPrefix("account\tmiguel\t-\t10 counted\tlast 2"))
        #expect(lines[0].contains("blocked until 2"))
        #expect(lines[1].hasPrefix("hashing\t-\t-\t"))
        #expect(lines[2].hasPrefix("network\t-\t192.0.2.0/24\t10 counted\t"))
        for line in lines[1...] { #expect(!line.contains("blocked")) }
        #expect(lines[3].hasPrefix("registrations\t-\t127.0.0.0/24\t1 counted\t"))
        let blocked = try await server.run(["throttle", "list", "--blocked", "--json"]).output
        let object = try JSONSerialization.jsonObject(with: Data(blocked.utf8)) as? [String: Any]
        #expect(object?["kind"] as? String == "account")
        #expect(object?["username"] as? String == "miguel")
        #expect(object?["count"] as? Int == 10)
        #expect(object?["is_blocked"] as? Bool == true)
    }

    @Test(arguments: [["--user", "MIGUEL"], ["--all"]])
    func whatIsClearedIsLetThroughAtOnce(arguments: [String]) async throws {
        #expect(try guess("python") == 429)
        let cleared = try await server.run(["throttle", "clear"] + arguments)
        #expect(cleared.output == (arguments == ["--all"] ? "Cleared 4.\n" : "Cleared 1.\n"))
        #expect(try guess("python") == 200)
        #expect(try await server.run(["throttle", "clear", "--user", "miguel"]).output == "Nothing was counted.\n")
    }

    @Test func aNetworkIsClearedByAnyAddressOfIt() async throws {
        #expect(try await server.run(["throttle", "clear", "--address", "192.0.2.200"]).output == "Cleared 1.\n")
        #expect(try await server.run(["throttle", "list"]).output.split(separator: "\n").count == 3)
        #expect(try guess("python") == 429)
    }

    @Test(arguments: [
        [], ["--user", "miguel", "--all"], ["--address", "192.0.2"], ["--address", "192.0.2.0/24"], ["--user"],
        ["miguel"],
    ])
    func whatIsNotClearIsRefused(arguments: [String]) async throws {
        let refused = try await server.run(["throttle", "clear"] + arguments)
        #expect(refused.status != 0)
        #expect(refused.error.contains("Error: ") || refused.error.contains("rest-auth: "))
        #expect(try guess("python") == 429)
    }

    @Test func aNameThatCannotBeOneIsSaidToBe() async throws {
        let refused = try await server.run(["throttle", "clear", "--user", "a b:c"])
        #expect(refused.status == 1)
        #expect(refused.error.hasPrefix("rest-auth: "))
    }
}

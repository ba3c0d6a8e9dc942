import Foundation
import Support
import Testing

/// A refresh token that is presented again, after a lost answer or by a thief. The time between
/// matters, so each server is started on the same data with another clock.
@Suite struct RefreshRepeatsTests {
    let directory: TemporaryDirectory
    private let library: String

    init() async throws {
        directory = try TemporaryDirectory()
        library = try await directory.shiftedClock()
    }

    /// Runs `ask` with a server whose clock is `seconds` ahead.
    private func after<Value>(_ seconds: Int, ask: (RunningServer) async throws -> Value) async throws -> Value {
        let server = try await RunningServer(
            ["--throttle", "no"], environment: ["LD_PRELOAD": library, "CLOCK_SHIFT": "\(seconds)"],
            directory: directory)
        let value = try await ask(server)
        #expect(try await server.stop() == 0)
        return value
    }

    private func trade(_ token: String, at server: RunningServer) async throws -> String {
        let answer = try await server.refresh(token)
        return try #require(answer.json["refresh_token"] as? String, "\(answer.body)")
    }

    @Test func whoAsksAgainLaterGetsAnotherSuccessorAndBothTogetherEndTheSession() async throws {
        let (first, client) = try await after(0) { server in
            try await server.register("miguel", "python")
            let first = try await server.signIn()
            return (first, try await trade(first.refresh, at: server))
        }
        let thief = try await after(3600) { try await trade(first.refresh, at: $0) }
        #expect(thief != client)
        // Neither token is treated as a thief's until the other one has been used.
        try await after(7200) { server in
            let next = try await trade(client, at: server)
            let answer = try await server.refresh(thief)
            #expect(answer.code == "refresh_token_reused")
            try await wait(for: "the event") { server.log.contains("warning refresh_token_reused") }
            for token in [next, client, thief, first.refresh] {
                #expect(try await server.refresh(token).code == "invalid_grant")
            }
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(first.access)]).status == 401)
            #expect(try await server.sessions(basic("miguel", "python")).isEmpty)
        }
    }

    @Test func aLostAnswerIsAskedForAgainDayAfterDayAndNobodyIsSignedOut() async throws {
        var token = try await after(0) { server in
            try await server.register("miguel", "python")
            return try await server.signIn().refresh
        }
        for day in 0..<6 {
            // Tabs renew at once, and none of them reads the answer until the last day.
            let successors = try await after(day * 86400) { server in
                try await withThrowingTaskGroup(of: String.self) { [token] group in
                    for _ in 0..<10 { group.addTask { try await trade(token, at: server) } }
                    return try await group.reduce(into: Set<String>()) { $0.insert($1) }
                }
            }
            #expect(successors.count == 1)
            if day == 2 || day == 5 { token = try #require(successors.first) }
        }
        _ = try await after(6 * 86400) { try await trade(token, at: $0) }
    }

    /// Uses PostgreSQL, with several nodes.
    @Test func nodesWhoseClocksDifferGiveAllTabsTheSameSuccessor() async throws {
        let directory = try await TemporaryDirectory(database: PostgresServer.shared().makeDatabase())
        let right = try await RunningServer(["--throttle", "no"], directory: directory)
        let ahead = try await RunningServer(
            ["--throttle", "no"], environment: ["LD_PRELOAD": library, "CLOCK_SHIFT": "2"], directory: directory)
        try await right.register("miguel", "python")
        var token = try await right.signIn().refresh
        for _ in 0..<5 {
            let successors = try await withThrowingTaskGroup(of: String.self) { [token] group in
                for number in 0..<20 {
                    group.addTask { try await trade(token, at: number.isMultiple(of: 2) ? right : ahead) }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(successors.count == 1)
            token = try #require(successors.first)
        }
    }

    /// The clock of the second server is wrong by an hour, or right again.
    @Test(arguments: [3600, -3600])
    func aClockThatIsSetSignsNobodyOutAndLendsNoOneALongMinute(by shift: Int) async throws {
        let (first, second) = try await after(0) { server in
            try await server.register("miguel", "python")
            let first = try await server.signIn().refresh
            return (first, try await trade(first, at: server))
        }
        try await after(shift) { server in
            let third = try await trade(first, at: server)
            #expect(third != second)
            #expect(try await trade(first, at: server) == third)
            _ = try await trade(third, at: server)
        }
    }

    /// The thief presents a token that the client has traded already, for as long as the session
    /// lasts, and uses no successor.
    @Test func nobodyKeepsASessionAliveByRepeating() async throws {
        let first = try await after(0) { server in
            try await server.register("miguel", "python")
            let first = try await server.signIn().refresh
            _ = try await trade(first, at: server)
            return first
        }
        for day in 1...6 { _ = try await after(day * 86400) { try await trade(first, at: $0) } }
        try await after(7 * 86400 + 60) { server in
            let code = try await server.refresh(first).code
            #expect(code == "session_expired" || code == "invalid_grant")
        }
    }
}

import Foundation
import Synchronization
import Testing

/// One server for all tests that do not change it as a whole: started when the first suite asks for
/// it, with these arguments, and ended with the tests. Each test has accounts of its own there.
///
/// When a suite is over, the process that was started must still be the one that answers.
public struct SharedServer: SuiteTrait, TestScoping {
    let arguments: [String]

    /// How often something is refused, and who waits too long because others wait too, is for other
    /// tests.
    private static let calm = ["--throttle", "no", "--hashing-patience", "600", "--hashing-queue", "10000"]

    private static let started = Mutex<[[String]: Task<RunningServer, any Error>]>([:])
    @TaskLocal private static var server: RunningServer?

    /// The one of the suite that asks.
    public static func current() throws -> RunningServer {
        try #require(server, "the suite has no trait .server()")
    }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let starting = Self.started.withLock { started in
            let starting = started[arguments] ?? Task { try await RunningServer(Self.calm + arguments) }
            started[arguments] = starting
            return starting
        }
        let server = try await starting.value
        try await Self.$server.withValue(server) { try await function() }
        #expect(server.isRunning, "\(server.log)")
        try await wait(for: "the server to be ready") { try await server.send("GET", "/health/ready").status == 200 }
    }
}

extension SuiteTrait where Self == SharedServer {
    /// Gives the suite the server that runs with these arguments, and lets everybody try as often
    /// as they like.
    public static func server(_ arguments: String...) -> Self { SharedServer(arguments: arguments) }
}

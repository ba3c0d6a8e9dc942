import Foundation
import Synchronization
import Testing

/// A suite trait: one server for all tests that do not change it as a whole. It is started when the
/// first suite with these arguments needs it, and ended with the tests. Each test has its own
/// accounts there.
///
/// At the end of a suite, the process that was started must still be the one that answers.
public struct SharedServer: SuiteTrait, TestScoping {
    let arguments: [String]

    /// Settings that disable limits: rate limits, and timeouts because of load, have tests of their
    /// own.
    private static let calm = ["--throttle", "no", "--hashing-patience", "600", "--hashing-queue", "10000"]

    private static let started = Mutex<[[String]: Task<RunningServer, any Error>]>([:])
    @TaskLocal private static var server: RunningServer?

    /// The server of the suite that runs.
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
    /// Gives the suite the server that runs with these arguments, without rate limits.
    public static func server(_ arguments: String...) -> Self { SharedServer(arguments: arguments) }
}

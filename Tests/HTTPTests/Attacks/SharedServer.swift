import Foundation
import Support
import Testing

/// One server for all tests of a suite: attacks that are all refused leave nothing behind that
/// could disturb another.
///
/// When the last of them is over, the process that was started must still be the one that answers.
struct SharedServer: SuiteTrait, TestScoping {
    let arguments: [String]
    /// Who is registered before the first test, with which password.
    let users: KeyValuePairs<String, String>

    @TaskLocal private static var server: RunningServer?

    static func current() throws -> RunningServer {
        try #require(server)
    }

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void)
        async throws
    {
        // How often something is refused is for other tests.
        let server = try await RunningServer(["--throttle", "no"] + arguments)
        for (name, password) in users {
            try #require(server.register(name, password).status == 201)
        }
        try await Self.$server.withValue(server) { try await function() }
        #expect(server.isRunning)
        #expect(try server.send("GET", "/health/ready").status == 200)
    }
}

extension SuiteTrait where Self == SharedServer {
    static func server(_ arguments: String..., users: KeyValuePairs<String, String> = [:]) -> Self {
        SharedServer(arguments: arguments, users: users)
    }
}

import Foundation
import RESTAuthServer
import Support
import Testing

extension MetricsTests {
    @Test func withoutThePortNothingIsServed() async throws {
        let server = try await RunningServer()
        #expect(try await server.send("GET", "/metrics").status == 404)
        try await wait(for: "the banner") { server.output.contains("Try it:\n") }
        #expect(!server.output.contains("metrics"))
    }

    @Test func theBannerSaysWhere() async throws {
        let (server, port) = try await started()
        try await wait(for: "the banner") { server.output.contains("Try it:\n") }
        #expect(server.output.contains("metrics   http://127.0.0.1:\(port)/metrics\n"))
        #expect(try await server.send("GET", "/metrics").status == 404)
    }

    @Test(arguments: [
        ["--metrics-port", "0"], ["--metrics-port", "65536"], ["--metrics-port", "no"],
        ["--metrics-port", "5000"], ["--metrics-port", "8080", "--port", "8080"],
        ["--metrics-port", "9464", "--metrics-hostname", "unix:/run/metrics.sock"],
        ["--metrics-port", "9464", "--metrics-hostname", "203.0.113.7"],
        ["--metrics-port", "9464", "--metrics-hostname", "127.0.0.1:9464"],
    ])
    func aWrongPlaceIsRefused(arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(["config", "check"] + arguments, directory: directory)
        #expect(outcome.status != 0)
        #expect(outcome.error.contains("metrics") || outcome.error.contains("203.0.113.7"), "\(outcome.error)")
        #expect(!outcome.error.contains("--hostname"), "\(outcome.error)")
    }

    @Test func aPortThatIsTakenIsSaidBeforeAnythingIsMade() async throws {
        let (server, port) = try await started()
        // The server runs as long as it is referenced.
        defer { withExtendedLifetime(server) {} }
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(
            ["serve", "--port", "\(try FreePort.next())", "--metrics-port", "\(port)"], directory: directory)
        #expect(outcome.status != 0)
        #expect(outcome.error.contains("choose another with --metrics-port"), "\(outcome.error)")
        #expect(!FileManager.default.fileExists(atPath: "\(directory.path)/rest-auth.sqlite"))
    }

    @Test func thePortMayBeThatOfAServerOnASocket() async throws {
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(
            [
                "config", "check", "--metrics-port", "5000", "--hostname", "unix:\(directory.path)/rest-auth.sock",
            ], directory: directory)
        #expect(!outcome.error.contains("which is the port of the server"), "\(outcome.error)")
    }

    @Test func theDoctorSaysWhoMayReadThem() async throws {
        let directory = try TemporaryDirectory()
        let arguments = ["--metrics-port", "\(try FreePort.next())"]
        let closed = try await runCommand(["doctor"] + arguments, directory: directory)
        #expect(!closed.output.contains("Prometheus"), "\(closed.output)")
        let open = try await runCommand(["doctor", "--metrics-hostname", "*"] + arguments, directory: directory)
        #expect(open.output.contains("let a firewall or a network of its own admit Prometheus alone"), "\(open.output)")
    }

    @Test func itEndsWithTheServerAndNotBefore() async throws {
        let (server, port) = try await started()
        server.send(signal: SIGHUP)
        try await wait(for: "the reload") { server.log.contains("read again on SIGHUP") }
        let connection = try await HTTPConnection(port: port)
        #expect(try await connection.send("GET", "/metrics").status == 200)
        #expect(try await server.stop() == 0)
        #expect(await connection.isEnded())
        await #expect(throws: (any Error).self) { try await HTTPConnection(port: port) }
        #expect(!server.log.contains("cut off"), "\(server.log)")
    }
}

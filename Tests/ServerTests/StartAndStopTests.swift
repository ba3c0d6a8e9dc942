import Foundation
import Support
import Testing

/// The real binary, from its first start to its end. So most tests have their own process.
@Suite(.server()) struct StartAndStopTests {
    @Test func itStartsWithNothingAndSaysWhatToDo() async throws {
        let server = try await RunningServer()
        #expect(
            server.directory.contents
                == ["rest-auth.secret", "rest-auth.sqlite", "rest-auth.sqlite-shm", "rest-auth.sqlite-wal"])
        #expect(server.output.contains("listens on http://127.0.0.1:\(server.port)"))
        #expect(server.output.contains(server.databasePath))
        #expect(server.output.components(separatedBy: "curl ").count == 4)
        #expect(server.output.contains("passwords open"))
        try await wait(for: "the log") { server.log.contains("password policy open") }
        for name in server.directory.contents {
            let file = server.directory.path + "/" + name
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(name)")
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalEndsItWithStatus0(signal: Int32) async throws {
        let server = try await RunningServer()
        let idle = try await server.connect()
        _ = try await idle.send("GET", "/health/live")
        #expect(try await server.stop(signal) == 0)
        #expect(await idle.isEnded())
    }

    @Test func aRequestInFlightIsAnsweredBeforeItStops() async throws {
        // Long timeouts, because a slow machine may take long to send the rest.
        let server = try await RunningServer(["--shutdown-timeout", "120", "--request-timeout", "120"])
        let connection = try await server.connect()
        let body = #"{"username":"miguel","password":"python"}"#
        try await connection.write(
            "POST /api/users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n")
        // The server has read the head.
        #expect(try await connection.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
        try await connection.write("{")
        async let status = server.stop()
        try await wait(for: "the port to close") { (try? await server.connect()) == nil }
        try await connection.write(String(body.dropFirst()))
        #expect(try await connection.readAnswer().status == 201)
        #expect(try await status == 0)
    }

    @Test func usersAndTokensOutliveARestart() async throws {
        let server = try await RunningServer()
        try await server.register("miguel", "python")
        let token = try await server.token("miguel", "python")
        #expect(try await server.stop() == 0)
        let again = try await RunningServer(directory: server.directory)
        #expect(try await again.send("GET", "/api/resource", headers: [basic(token, "x")]).status == 200)
        #expect(try await again.send("GET", "/api/resource", headers: [basic("miguel", "python")]).status == 200)
    }

    @Test func aPortInUseIsOneClearLineAndNothingIsMade() async throws {
        let port = try SharedServer.current().port
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(["serve", "--port", "\(port)"], directory: directory)
        #expect(outcome.status == 1)
        let inUse = "port \(port) on 127.0.0.1 is in use; stop what listens there or choose another with --port"
        #expect(outcome.error == "rest-auth: \(inUse)\n")
        #expect(directory.contents.isEmpty)
    }

    @Test(arguments: [
        (["--database", "sqlite:/nowhere/users.sqlite"], "/nowhere/users.sqlite"),
        (["--database", "mysql://x"], "--database"), (["--database", "sqlite:"], "--database"),
        (["--port", "http"], "--port"), (["--port", "70000"], "--port"),
        (["--token-duration", "0"], "--token-duration"), (["--token-duration", "86401"], "--token-duration"),
        (["--token-renewal", "sometimes"], "always, until, never"), (["--password-policy", "strong"], "open, nist"),
        (["--password-memory", "8"], "--password-memory"), (["--password-passes", "1"], "--password-passes"),
        (["--hashing-queue", "0"], "--hashing-queue"), (["--log-level", "loud"], "--log-level"),
        (["--log-format", "xml"], "text, json"), (["--public-url", "example.com"], "--public-url"),
        (["--trusted-proxies", "10.0.0.0/33"], "--trusted-proxies"),
        (["--forwarded-fields", "both"], "--forwarded-fields"), (["--head-limit", "100"], "--head-limit"),
        (["--verify-head-limit", "2000000"], "--verify-head-limit"),
        (["--cors-origins", "example.com"], "--cors-origins"), (["--tls-certificate", "cert.pem"], "tls_key"),
        (["--tls-certificate", "no.pem", "--tls-key", "no.pem"], "no.pem"),
        (["--hostname", "192.0.2.1"], "192.0.2.1"), (["--hostname", "no such host"], "no such host"),
        (["--config", "no.yaml"], "no.yaml"), (["--secret-key-file", "/nowhere/secret"], "/nowhere/secret"),
    ])
    func aBadSettingIsOneClearLineAndNothingIsMade(arguments: [String], names: String) async throws {
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(["serve", "--port", "0"] + arguments, directory: directory)
        #expect(outcome.status != 0)
        #expect(outcome.error.hasPrefix("rest-auth: "))
        #expect(outcome.error.split(separator: "\n").count == 1)
        #expect(outcome.error.contains(names))
        #expect(outcome.output.isEmpty)
        #expect(directory.contents.isEmpty)
    }

    @Test(arguments: ["short", "the quick brown fox jumps over the lazy dog", String(repeating: "x", count: 64)])
    func aWeakSecretKeyIsRefusedAndNotRepeated(key: String) async throws {
        let directory = try TemporaryDirectory()
        for name in ["SECRET_KEY", "REST_AUTH_SECRET_KEY"] {
            let outcome = try await runCommand(
                ["serve", "--port", "0"], environment: [name: key], directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains(name))
            #expect(!outcome.error.contains(key))
            #expect(directory.contents.isEmpty)
        }
    }

    @Test func anotherSecretThanBeforeIsRefused() async throws {
        let server = try await RunningServer()
        #expect(try await server.stop() == 0)
        let outcome = try await runCommand(
            ["serve", "--port", "0", "--database", "sqlite:\(server.databasePath)"],
            environment: ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"], directory: server.directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("secret"))
    }

    @Test func aSecretKeyFromTheEnvironmentLeavesNoFile() async throws {
        let server = try await RunningServer(environment: ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"])
        #expect(!server.directory.contents.contains("rest-auth.secret"))
        try await server.register("miguel", "python")
        let token = try await server.token("miguel", "python")
        #expect(try await server.send("GET", "/api/resource", headers: [basic(token, "")]).status == 200)
    }

    @Test func twoServersOverOneNewDatabaseTakeEachOthersTokens() async throws {
        let directory = try TemporaryDirectory()
        async let first = RunningServer(directory: directory)
        async let second = RunningServer(directory: directory)
        let (one, other) = try await (first, second)
        try await one.register("miguel", "python")
        let token = try await other.token("miguel", "python")
        #expect(try await one.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
    }

    @Test func anOpenPolicyOnAnAddressOfTheNetworkIsWarnedOf() async throws {
        let open = try await RunningServer(["--hostname", "0.0.0.0"])
        try await wait(for: "the log") { open.log.contains("warning the open password policy") }
        let strict = try await RunningServer(["--hostname", "0.0.0.0", "--password-policy", "nist"])
        try await wait(for: "the log") { strict.log.contains("password policy nist") }
        #expect(!strict.log.contains("warning the open password policy"))
        #expect(strict.output.contains("passwords nist"))
    }

    @Test func theHealthRoutesAnswer() async throws {
        let server = try SharedServer.current()
        #expect(try await server.send("GET", "/health/live").json as? [String: String] == ["status": "ok"])
        // A node that is late in reading the revocation log is not ready for a moment.
        for method in ["GET", "HEAD"] {
            try await wait(for: "200 to \(method)") { try await server.send(method, "/health/ready").status == 200 }
        }
    }
}

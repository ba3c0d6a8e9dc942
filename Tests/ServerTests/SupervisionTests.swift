import Foundation
import Support
import Synchronization
import Testing

/// The messages to a service manager, and the changes that a running server takes up.
@Suite struct SupervisionTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    // MARK: The service manager

    /// The socket of a service manager, as systemd has one.
    private final class Manager {
        private let descriptor: Int32
        private(set) var messages: [String] = []

        /// - Parameter name: a path, or an abstract name after an at sign.
        init(_ name: String) throws {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            var bytes = Array(name.utf8)
            if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(2 + bytes.count))
                }
            }
            guard status == 0 else { throw POSIXError(.EADDRINUSE) }
        }

        deinit { close(descriptor) }

        /// Fills its queue, which it does not read, until no more fits.
        func fill(_ path: String) throws {
            let sender = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            defer { close(sender) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(sender, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            guard status == 0 else { throw POSIXError(.ECONNREFUSED) }
            while send(sender, "x", 1, 0) == 1 {}
            guard errno == EAGAIN else { throw POSIXError(.EIO) }
        }

        func hears(_ line: String) -> Bool {
            var buffer = [UInt8](repeating: 0, count: 4096)
            while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
                messages.append(String(decoding: buffer.prefix(count), as: UTF8.self))
            }
            return messages.contains { $0.components(separatedBy: "\n").contains { $0.hasPrefix(line) } }
        }

        func forget() { messages = [] }
    }

    @Test(arguments: [false, true]) func theServiceManagerIsTold(isAbstract: Bool) async throws {
        let name = isAbstract ? "@rest-auth-\(UUID())" : "\(directory.path)/process-notify"
        let manager = try Manager(name)
        let server = try await RunningServer(
            environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"], directory: directory)
        try await Support.wait(for: "READY") { manager.hears("READY=1") }
        #expect(manager.hears("STATUS="))
        try await Support.wait(for: "WATCHDOG") { manager.hears("WATCHDOG=1") }
        // A server that stood still goes on with it.
        server.pause()
        try await Support.wait(for: "the server to stand still") { try Self.isStopped(server.processID) }
        _ = manager.hears("")
        manager.forget()
        server.resume()
        try await Support.wait(for: "WATCHDOG") { manager.hears("WATCHDOG=1") }
        manager.forget()
        server.send(signal: SIGHUP)
        try await Support.wait(for: "READY") { manager.hears("READY=1") }
        #expect(manager.hears("RELOADING=1"))
        #expect(manager.hears("MONOTONIC_USEC="))
        #expect(try await server.stop() == 0)
        #expect(manager.hears("STOPPING=1"))
    }

    /// Whether the process is suspended, by the third field of its `stat` (proc(5)).
    private static func isStopped(_ process: Int32) throws -> Bool {
        let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return text.split(separator: ")").last?.hasPrefix(" T ") == true
    }

    @Test func aWatchdogOfAnotherProcessIsNone() async throws {
        let name = "\(directory.path)/process-notify"
        let manager = try Manager(name)
        let server = try await RunningServer(
            environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"], directory: directory)
        try await Support.wait(for: "READY") { manager.hears("READY=1") }
        #expect(try await server.stop() == 0)
        #expect(!manager.hears("WATCHDOG=1"))
    }

    @Test(arguments: ["/nowhere/notify", "vsock:2:1234", "", "@", String(repeating: "/x", count: 100)])
    func aServiceManagerThatIsNotThereIsNoReasonNotToServe(name: String) async throws {
        let server = try await RunningServer(environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "x"])
        #expect(try await server.stop() == 0)
    }

    @Test func aServiceManagerThatDoesNotReadIsNotWaitedFor() async throws {
        let name = "\(directory.path)/process-notify"
        let manager = try Manager(name)
        try manager.fill(name)
        let server = try await RunningServer(
            environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000"], directory: directory)
        #expect(try await server.send("GET", "/health/live").status == 200)
        #expect(try await server.stop() == 0)
    }

    // MARK: SIGHUP

    @Test func aHangUpIsHeardFromTheMomentThatTheServerIsReady() async throws {
        let name = "\(directory.path)/process-notify"
        let manager = try Manager(name)
        let server = try await RunningServer(environment: ["NOTIFY_SOCKET": name], directory: directory)
        try await Support.wait(for: "READY") { manager.hears("READY=1") }
        server.send(signal: SIGHUP)
        try await Support.wait(for: "RELOADING") { manager.hears("RELOADING=1") }
    }

    @Test func aHangUpEndsNothingAndSaysWhatChanged() async throws {
        let file = directory.path + "/process-settings.yaml"
        func settings(_ text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: file)) }
        try settings("log_level: info\n")
        let name = directory.path + "/process-notify"
        let manager = try Manager(name)
        let server = try await RunningServer(
            ["--config", file], environment: ["NOTIFY_SOCKET": name], directory: directory)
        try await Support.wait(for: "READY") { manager.hears("READY=1") }
        func hangUp() async throws {
            manager.forget()
            server.send(signal: SIGHUP)
            // Sent when everything has been taken up.
            try await Support.wait(for: "READY") { manager.hears("READY=1") }
        }
        let connection = try await server.connect()
        #expect(try await connection.send("GET", "/health/live").status == 200)
        try await hangUp()
        try await Support.wait(for: "the line") { server.log.contains("read again on SIGHUP changed=nothing") }
        try settings("log_level: warning\ntoken_duration: 60\nidle_timeout: 7\n")
        try await hangUp()
        // Requests are not logged from here on.
        #expect(try await connection.send("GET", "/nothing").status == 404)
        try settings("log_level: debug\ntoken_duration: 60\nidle_timeout: 7\n")
        try await hangUp()
        let line =
            #"read again on SIGHUP changed="log level warning to debug" needs_restart="token_duration, idle_timeout""#
        try await Support.wait(for: "the line") { server.log.contains(line) }
        // They are logged again; lines are written in order.
        #expect(try await connection.send("GET", "/nothing").status == 404)
        try await Support.wait(for: "the request") { server.log.contains("status=404") }
        #expect(server.log.components(separatedBy: "status=404").count == 2)
        try settings("log_level: loud\n")
        server.send(signal: SIGHUP)
        try await Support.wait(for: "the line") { server.log.contains("those from before stay in force") }
        #expect(server.log.contains("process-settings.yaml is \\\"loud\\\""))
        #expect(try await connection.send("GET", "/health/live").status == 200)
        #expect(try await server.stop() == 0)
    }

    /// The settings that are compared and those in force contain secrets.
    @Test func theLogOfAReloadHasNoSecretAtAnyLevel() async throws {
        let secrets = [
            "REST_AUTH_SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo",
            "REST_AUTH_LEGACY_SECRET": "q8Zt3vKpX1mWcR7yHs5uLd9Bf2Ng6JaE",
        ]
        let server = try await RunningServer(["--log-level", "trace"], environment: secrets, directory: directory)
        server.send(signal: SIGHUP)
        try await Support.wait(for: "the line") { server.log.contains("read again on SIGHUP changed=nothing") }
        for secret in secrets.values { #expect(!server.log.contains(secret)) }
    }

    @Test func aHangUpBeforeTheServerIsUpEndsNothing() async throws {
        let process = try ExternalProcess(
            ExternalProcess.restAuth,
            ["serve", "--port", "0", "--database", "sqlite:missing/x.sqlite", "--wait-for-database", "600"],
            directory: directory)
        defer { process.kill() }
        try await Support.wait(for: "the line") { process.errorText.contains("waiting for the database") }
        process.send(SIGHUP)
        try FileManager.default.createDirectory(atPath: directory.path + "/missing", withIntermediateDirectories: false)
        try await process.writes("listens on")
    }

    @Test func anotherListOfBreachedPasswordsIsTakenUp() async throws {
        func make(_ password: String) async throws {
            try Data((password + "\n").utf8).write(to: URL(fileURLWithPath: directory.path + "/process-list"))
            let outcome = try await runCommand(
                ["passwords", "filter", "process-list", "--output", "process-filter"], directory: directory)
            #expect(outcome.status == 0)
        }
        try await make("first correct horse battery")
        let server = try await RunningServer(
            ["--password-policy", "nist", "--breached-passwords", "process-filter"], directory: directory)
        let (first, second) = ("first correct horse battery", "second correct horse battery")
        #expect(try await server.register("miguel", first).status == 400)
        #expect(try await server.register("susan", second).status == 201)
        try await make(second)
        server.send(signal: SIGHUP)
        try await Support.wait(for: "the line") { server.log.contains("breached passwords process-filter (1)") }
        #expect(try await server.register("emma", first).status == 201)
        #expect(try await server.register("wanda", second).status == 400)
        // A damaged list leaves the previous one in use.
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: directory.path + "/process-other"))
        rename(directory.path + "/process-other", directory.path + "/process-filter")
        server.send(signal: SIGHUP)
        try await Support.wait(for: "the line") { server.log.contains("list of breached passwords was not taken up") }
        #expect(try await server.register("wanda", second).status == 400)
    }

    // MARK: TLS

    private func renew(_ server: SecureServer, by signal: Bool) async throws {
        let paths = ["key", "certificate"].map { "\(server.directory.path)/process-\($0).pem" }
        let new = paths.map { $0 + ".new" }
        let before = try SecureClient(to: server)
        before.send("GET /health/live HTTP/1.1\r\nHost: a\r\n\r")
        try await before.read(until: "200 OK")
        try await SecureServer.makePair(new, in: server.directory)
        // The certificate first: for a moment it does not match the key.
        rename(new[1], paths[1])
        if signal { server.send(signal: SIGHUP) }
        try await Support.wait(for: "the refusal") { server.log.contains("do not belong together") }
        #expect(server.log.contains("the certificate from before stays in use"))
        rename(new[0], paths[0])
        if signal { server.send(signal: SIGHUP) }
        try await Support.wait(for: "the change") { server.log.contains("changed=\"TLS certificate \(paths[1])\"") }
        // curl trusts the certificate that is in the file by now.
        #expect(try await server.curl("/health/live").hasPrefix("HTTP/2 200"))
        // An existing connection still works.
        before.send("GET /openapi.yaml HTTP/1.1\r\nHost: a\r\nRange: x\r\n\r")
        try await before.read(until: "openapi: ")
    }

    @Test(arguments: [true, false]) func aRenewedCertificateIsShownToNewConnections(signal: Bool) async throws {
        let server = try await SecureServer([])
        try await renew(server, by: signal)
        // The message is logged once, however often the files are checked.
        #expect(server.log.components(separatedBy: "do not belong together").count == 2)
    }

    @Test func whatIsWrongWithTLSFilesIsSaid() async throws {
        let path = directory.path
        let (key, certificate) = ("\(path)/process-key.pem", "\(path)/process-certificate.pem")
        try await SecureServer.makePair([key, certificate], in: directory)
        try await SecureServer.makePair(
            ["\(path)/process-key2.pem", "\(path)/process-certificate2.pem"], in: directory)
        try await SecureServer.run(
            "openssl", ["pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", "\(path)/process-locked.pem"],
            in: directory)
        try Data().write(to: URL(fileURLWithPath: "\(path)/process-empty.pem"))
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: "\(path)/process-text.pem"))
        let damaged = try String(contentsOfFile: certificate, encoding: .utf8).replacingOccurrences(
            of: "MII", with: "XXX")
        try Data(damaged.utf8).write(to: URL(fileURLWithPath: "\(path)/process-damaged.pem"))
        for (files, words) in [
            (["certificate", "key2"], "do not belong together"),
            (["certificate", "nothing"], "process-nothing.pem could not be read: No such"),
            (["nothing", "key"], "process-nothing.pem could not be read: No such"),
            (["certificate", "locked"], "it is encrypted"),
            (["certificate", "empty"], "process-empty.pem could not be read: it is empty"),
            (["empty", "key"], "process-empty.pem could not be read: it is empty"),
            (["key", "certificate"], "changed places"),
            (["certificate", "certificate"], "changed places"), (["text", "key"], "it is not PEM"),
            (["certificate", "text"], "it is not PEM"),
            (["damaged", "key"], "a certificate in it is damaged"),
        ] {
            let outcome = try await runCommand(
                [
                    "serve", "--port", "0", "--tls-certificate", "\(path)/process-\(files[0]).pem", "--tls-key",
                    "\(path)/process-\(files[1]).pem",
                ],
                directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.contains(words), "\(files): \(outcome.error)")
            #expect(outcome.error.split(separator: "\n").count == 1)
            #expect(directory.contents.isEmpty)
        }
    }

    // MARK: A missing database

    private func wait(_ seconds: Int, _ database: String, environment: [String: String] = [:]) throws -> ExternalProcess
    {
        try ExternalProcess(
            ExternalProcess.restAuth,
            ["serve", "--port", "0", "--database", database, "--wait-for-database", "\(seconds)"],
            environment: ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"].merging(environment) { $1 },
            directory: directory)
    }

    @Test func aDatabaseThatIsNotThereIsWaitedForAndThenItsLastErrorIsSaid() async throws {
        let port = try FreePort.next()
        for database in [
            "postgres://x@127.0.0.1:\(port)/x", "postgres://x@no.such.host.invalid/x", "sqlite:nowhere/x.sqlite",
        ] {
            let process = try wait(2, database)
            #expect(try await process.exitStatus() == 1)
            #expect(process.errorText.contains("waiting for the database"))
            #expect(process.errorText.contains("seconds_left="))
            let last = try #require(process.errorText.split(separator: "\n").last)
            #expect(last.hasPrefix("rest-auth: the "))
            #expect(process.outputText.isEmpty)
        }
        #expect(directory.contents.isEmpty)
    }

    @Test func whatWaitingDoesNotMendIsSaidAtOnce() async throws {
        let url = try await directory.makePostgresDatabase()
        let wrong = url.replacing(/\/\/[^@\/]*@/, with: "//nobody:wrong@")
        for database in [
            wrong.contains("nobody") ? wrong : url.replacing("://", with: "://nobody:wrong@"), "sqlite:process-text",
            "postgres://x@127.0.0.1/x?sslmode=nonsense",
        ] {
            try Data("no database, and long enough to be told from an empty one by anybody".utf8).write(
                to: URL(fileURLWithPath: directory.path + "/process-text"))
            let process = try wait(600, database)
            #expect(try await process.exitStatus() == 1)
            #expect(!process.errorText.contains("waiting for the database"), "\(database)")
        }
    }

    @Test func aDatabaseThatComesIsTaken() async throws {
        let process = try wait(600, "sqlite:mounted/rest-auth.sqlite")
        defer { process.kill() }
        try await Support.wait(for: "the line") { process.errorText.contains("waiting for the database") }
        try FileManager.default.createDirectory(atPath: directory.path + "/mounted", withIntermediateDirectories: false)
        try await process.writes("listens on")
    }

    /// Matters for the first process of a container, which is only ended by signals that it
    /// handles.
    @Test(arguments: [SIGTERM, SIGINT]) func whoWaitsIsStoppedBySignals(signal: Int32) async throws {
        let process = try wait(600, "sqlite:nowhere/x.sqlite")
        try await Support.wait(for: "the line") { process.errorText.contains("waiting for the database") }
        process.send(signal)
        #expect(try await process.exitStatus() == 0)
    }
}

import Foundation
import Support
import Testing

/// The addresses that a server listens on: addresses in every form that people write, unix-domain
/// sockets, and sockets that a service manager made.
@Suite struct ListeningTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    func answers(_ url: String, _ options: String...) async throws -> Bool {
        try await SecureServer.run("curl", ["-s", "-m", "30", url + "/health/live"] + options, in: directory)
            == #"{"status":"ok"}"#
    }

    // MARK: Addresses

    @Test(arguments: [
        ("[::]", [true, true]), ("::", [true, true]), ("*", [true, true]), ("localhost", [true, true]),
        ("LOCALHOST", [true, true]), ("0.0.0.0", [true, false]), ("[::1]", [false, true]), ("::1", [false, true]),
        ("127.0.0.1", [true, false]),
    ])
    func anAddressMeansWhatPeopleExpect(hostname: String, families: [Bool]) async throws {
        let port = try FreePort.next()
        let server = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--hostname", hostname, "--port", "\(port)"], directory: directory)
        defer { server.kill() }
        try await server.writes("listens on")
        #expect(try await answers("http://127.0.0.1:\(port)") == families[0])
        #expect(try await answers("http://[::1]:\(port)") == families[1])
        // The examples can be copied.
        let example = try #require(server.outputText.firstMatch(of: /curl -u miguel:python -i (http.*)\/api\/token/))
        #expect(try await answers(String(example.output.1), "-g"))
        let isOpen = !["localhost", "LOCALHOST", "[::1]", "::1", "127.0.0.1"].contains(hostname)
        try await wait(for: "the log") { server.errorText.contains("password policy open") }
        #expect(server.errorText.contains("can be reached from other machines") == isOpen)
    }

    @Test func anyPortIsTheSameOneOnAllAddresses() async throws {
        let server = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--hostname", "localhost", "--port", "0"], directory: directory)
        defer { server.kill() }
        try await server.writes("listens on")
        let ports = server.outputText.matches(of: /http:\/\/(?:127\.0\.0\.1|\[::1\]):([0-9]+)(?: |\n)/).map(\.output.1)
        #expect(ports.count == 2)
        #expect(Set(ports).count == 1)
    }

    @Test(arguments: [
        ("http://0.0.0.0", "--hostname 0.0.0.0"), ("https://[::]:443/", "--hostname [::] --port 443"),
        ("0.0.0.0:8080", "--hostname 0.0.0.0 --port 8080"), ("[::1]:8080", "--hostname [::1] --port 8080"),
        (":8080", "--hostname '*' --port 8080"), ("*:8080", "--hostname '*' --port 8080"),
        ("localhost:5000", "--hostname localhost --port 5000"),
        ("tcp://0.0.0.0:5000", "--hostname 0.0.0.0 --port 5000"),
        ("lo", "127.0.0.1, ::1"), ("/run/rest-auth.sock", "unix:/run/rest-auth.sock"), ("unix:", "unix:/"),
        ("unix:@rest-auth", "abstract"), ("unix:/nowhere/rest-auth.sock", "/nowhere"), ("", "127.0.0.1"),
        (" ", "127.0.0.1"), ("127.0.0.1 ", "without blanks"), ("[127.0.0.1]", "127.0.0.1"), ("::x", "colon"),
        ("no.such.host.invalid", "no.such.host.invalid"), ("unix:/tmp/" + String(repeating: "x", count: 120), "107"),
        ("unix:/tmp/", "names no socket"), ("unix://host/path", "host"), ("127.0.0.1,::1", "'*'"),
        ("[::1", "write --hostname ::1"), ("::1]", "write --hostname ::1"), ("fd://3", "LISTEN_FDS"),
        ("[10.0.0.1]", "write --hostname 10.0.0.1"), ("http://[::1", "write an address"),
        ("255.255.255.255", "nobody can connect"), ("224.0.0.1", "nobody can connect"),
        ("ff02::1", "nobody can connect"),
    ])
    func whatIsNoAddressSaysWhatToWrite(hostname: String, advice: String) async throws {
        for arguments in [["serve", "--port", "0"], ["config", "check"]] {
            let outcome = try await runCommand(arguments + ["--hostname", hostname], directory: directory)
            #expect(outcome.status == 1)
            #expect(outcome.error.hasPrefix("rest-auth: "))
            #expect(outcome.error.contains(advice), "\(outcome.error)")
            #expect(outcome.error.split(separator: "\n").count == 1)
            #expect(directory.contents.isEmpty)
        }
    }

    /// IPv4 clients on a socket of both families have IPv6 addresses; they are written as IPv4.
    @Test func aClientOfIPv4HasThatAddressOnEverySocket() async throws {
        let port = try FreePort.next()
        let server = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--hostname", "*", "--port", "\(port)"], directory: directory)
        defer { server.kill() }
        try await server.writes("listens on")
        #expect(try await answers("http://127.0.0.1:\(port)"))
        try await wait(for: "the log") { server.errorText.contains("route=/health/live") }
        #expect(server.errorText.contains(" address=127.0.0.1 "), "\(server.errorText)")
    }

    // MARK: Unix-domain sockets

    @Test func aPathMayHaveAllTheBytesThatThereIsRoomFor() async throws {
        let room = 107 - directory.path.utf8.count - 1
        let path = directory.path + "/" + String(repeating: "x", count: room)
        let server = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--hostname", "unix:\(path)"], directory: directory)
        defer { server.kill() }
        try await server.writes("listens on unix:\(path)")
        #expect(try await answers("http://localhost", "--unix-socket", path))
        let health = try await runCommand(["health", "--live", "--hostname", "unix:\(path)"], directory: directory)
        #expect(health.status == 0, "\(health.error)")
        let longer = try await runCommand(["config", "check", "--hostname", "unix:\(path)x"], directory: directory)
        #expect(longer.error.contains("longer than the 107 bytes"), "\(longer.error)")
    }

    var socket: String { directory.path + "/process-auth.sock" }

    func serve(_ arguments: String..., waits: Bool = true) async throws -> ExternalProcess {
        let process = try ExternalProcess(
            ExternalProcess.restAuth, ["serve", "--hostname", "unix:\(socket)"] + arguments, directory: directory)
        if waits { try await process.writes("listens on unix:\(socket)") }
        return process
    }

    private var mode: Int? {
        (try? FileManager.default.attributesOfItem(atPath: socket))?[.posixPermissions] as? Int
    }

    @Test func aUnixSocketAnswersAndIsTakenAwayAtTheEnd() async throws {
        let server = try await serve()
        defer { server.kill() }
        #expect(mode == 0o660)
        #expect(try await answers("http://localhost", "--unix-socket", socket))
        // A refused server removes nothing.
        let second = try await runCommand(
            ["serve", "--hostname", "unix:\(socket)", "--database", "sqlite:other.sqlite"], directory: directory)
        #expect(second.status == 1)
        #expect(second.error.contains("\(socket) is in use"))
        #expect(
            try await runCommand(["config", "check", "--hostname", "unix:\(socket)"], directory: directory).status == 0)
        #expect(try await answers("http://localhost", "--unix-socket", socket))
        try await server.end()
        #expect(server.errorText.contains("stopped"))
        #expect(mode == nil)
        #expect(directory.contents == ["rest-auth.secret", "rest-auth.sqlite"])
    }

    @Test func aSocketThatAKilledServerLeftIsReplacedAndAFileIsNot() async throws {
        let first = try await serve("--socket-mode", "0666")
        #expect(mode == 0o666)
        first.kill()
        _ = try await first.exitStatus()
        #expect(mode == 0o666)
        let second = try await serve("--socket-mode", "600")
        defer { second.kill() }
        #expect(mode == 0o600)
        #expect(try await answers("http://localhost", "--unix-socket", socket))
        try await second.end()
        try Data("mine".utf8).write(to: URL(fileURLWithPath: socket))
        let third = try await serve(waits: false)
        #expect(try await third.exitStatus() == 1)
        #expect(third.errorText.contains("is no socket"))
        #expect(try String(contentsOfFile: socket, encoding: .utf8) == "mine")
    }

    @Test func ofTwoThatStartAtOnceOneIsRefused() async throws {
        let two = [try await serve(waits: false), try await serve("--database", "sqlite:other.sqlite", waits: false)]
        defer { for server in two { server.kill() } }
        try await wait(for: "one to serve and one to end") {
            two.contains { $0.outputText.contains("listens on") } && two.contains { !$0.isRunning }
        }
        #expect(two.first { !$0.isRunning }?.errorText.contains("is in use") == true)
        #expect(try await answers("http://localhost", "--unix-socket", socket))
    }

    @Test(arguments: [
        ("--socket-mode", "0060"), ("--socket-mode", "0999"), ("--socket-mode", "rw"), ("--socket-mode", "01777"),
        ("--socket-group", "no-such-group"),
    ])
    func modeAndGroupAreChecked(flag: String, value: String) async throws {
        let outcome = try await runCommand(["config", "check", flag, value], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("\(flag) is \"\(value)\""))
    }

    @Test func aGroupIsGiven() async throws {
        let server = try await serve("--socket-group", "\(getegid())")
        defer { server.kill() }
        let group = try FileManager.default.attributesOfItem(atPath: socket)[.groupOwnerAccountID] as? Int
        #expect(group == Int(getegid()))
    }

    /// The proxy at the other end is trusted when it is named; otherwise all clients count as one.
    @Test(arguments: [
        (["--trusted-proxies", "unix:"], "203.0.113.7"), (["--trusted-proxies", "127.0.0.1"], "127.0.0.1"),
        ([], "127.0.0.1"),
    ])
    func theClientsAddressIsThatOfANamedProxy(arguments: [String], address: String) async throws {
        let server = try await serve(arguments.first ?? "--log-format", arguments.last ?? "text")
        defer { server.kill() }
        let fields = ["-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Forwarded-Host: auth.example.com"]
        for forged in [[], ["-H", "X-Forwarded-For: unix:"]] {
            _ = try await SecureServer.run(
                "curl", ["-s", "--unix-socket", socket, "http://localhost/health/live"] + forged + fields, in: directory
            )
        }
        try await wait(for: "the log") { server.errorText.components(separatedBy: "route=/health/live").count == 3 }
        let lines = server.errorText.components(separatedBy: "\n").filter { $0.contains("route=/health/live") }
        #expect(lines.allSatisfy { $0.contains(" address=\(address) ") }, "\(lines)")
        // Guesses are counted by network as well.
        for _ in 0..<12 {
            _ = try await SecureServer.run(
                "curl", ["-s", "--unix-socket", socket, "-u", "nobody:x", "http://localhost/api/token"] + fields,
                in: directory)
        }
        let counted = try await runCommand(["throttle", "list"], directory: directory).output
        #expect(counted.contains(address.hasPrefix("203") ? "203.0.113.0/24" : "127.0.0.0/24"))
    }

    /// An address from the wire is never that of a socket.
    @Test func overTheNetworkNobodyIsAUnixSocket() async throws {
        let server = try await RunningServer(["--trusted-proxies", "unix:"])
        for value in ["unix:", "203.0.113.7"] {
            _ = try await server.send("GET", "/health/live", headers: ["X-Forwarded-For: \(value)"])
        }
        try await wait(for: "the log") { server.log.components(separatedBy: "route=/health/live").count >= 4 }
        for line in server.log.components(separatedBy: "\n") where line.contains("route=/health/live") {
            #expect(line.contains(" address=127.0.0.1 "))
        }
    }

    // MARK: Sockets of a service manager

    /// Opens sockets as systemd does and becomes the server. The arguments are the kinds of
    /// sockets, with commas between, and then those of the server.
    private static let activation = """
        import os, socket, sys
        held = []
        for kind in sys.argv[1].split(","):
            if kind == "abstract":
                one = socket.socket(socket.AF_UNIX); one.bind("\\0rest-auth-%d" % os.getpid())
            elif kind.startswith("/"):
                one = socket.socket(socket.AF_UNIX); one.bind(kind)
            elif kind == "udp":
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); one.bind(("127.0.0.1", 0))
            else:
                one = socket.socket(); one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(("127.0.0.1", int(kind)))
            if kind != "udp": one.listen(5)
            held.append(one)
        # Out of the way of the numbers that they are given.
        high = [os.dup2(one.fileno(), 40 + index) for index, one in enumerate(held)]
        for index, descriptor in enumerate(high): os.dup2(descriptor, 3 + index, inheritable=True)
        os.environ["LISTEN_FDS"] = str(len(held))
        os.environ["LISTEN_FDNAMES"] = ":".join("x" for _ in held)
        os.environ["LISTEN_PID"] = str(os.getpid() if sys.argv[2] == "own" else 1)
        os.execv(sys.argv[3], sys.argv[3:])
        """

    func activate(_ kinds: String, for process: String = "own", _ arguments: String...) async throws
        -> ExternalProcess
    {
        try ExternalProcess(
            ExternalProcess.program("python3"),
            ["-c", Self.activation, kinds, process, ExternalProcess.restAuth.path, "serve"] + arguments,
            directory: directory)
    }

    @Test func socketsOfTheServiceManagerAreServedInPlaceOfTheConfigured() async throws {
        let (port, other) = (try FreePort.next(), try FreePort.next())
        let server = try await activate("\(port),\(socket)", for: "own", "--port", "\(other)")
        defer { server.kill() }
        try await server.writes("listens on")
        #expect(server.outputText.contains("listens on http://127.0.0.1:\(port) and unix:\(socket)"))
        #expect(try await answers("http://127.0.0.1:\(port)"))
        #expect(try await answers("http://localhost", "--unix-socket", socket))
        #expect(try await !answers("http://127.0.0.1:\(other)"))
        try await server.end()
        // The socket is not this process's to remove.
        #expect(mode != nil)
    }

    /// With an inherited socket the port of the settings is free.
    @Test func theMetricsMayHaveThePortThatTheServiceManagerTookThePlaceOf() async throws {
        let (port, other) = (try FreePort.next(), try FreePort.next())
        let server = try await activate("\(port)", for: "own", "--port", "\(other)", "--metrics-port", "\(other)")
        defer { server.kill() }
        try await server.writes("listens on")
        #expect(try await HTTPConnection(port: other).send("GET", "/metrics").status == 200)

        let taken = try FreePort.next()
        let refused = try await activate("\(taken)", for: "own", "--metrics-port", "\(taken)")
        #expect(try await refused.exitStatus() == 1)
        #expect(refused.errorText.contains("metrics_port is \(taken), which is the port of the server"))
    }

    @Test func socketsForAnotherProcessAreNotTaken() async throws {
        let (port, other) = (try FreePort.next(), try FreePort.next())
        let server = try await activate("\(port)", for: "another", "--port", "\(other)")
        defer { server.kill() }
        try await server.answers(on: other)
        #expect(server.errorText.contains("LISTEN_FDS has sockets for another process"), "\(server.errorText)")
    }

    @Test(arguments: ["udp", "abstract"]) func aSocketThatCannotBeServedIsOneClearLine(kind: String) async throws {
        let server = try await activate(kind, for: "own")
        #expect(try await server.exitStatus() == 1)
        #expect(server.errorText.contains("ListenStream="))
        #expect(directory.contents.isEmpty)
    }

    @Test func aSocketOfTheServiceManagerSpeaksTLS() async throws {
        let port = try FreePort.next()
        let files = ["key", "certificate"].map { "\(directory.path)/process-\($0).pem" }
        try await SecureServer.makePair(files, in: directory)
        let server = try await activate("\(port)", for: "own", "--tls-key", files[0], "--tls-certificate", files[1])
        defer { server.kill() }
        try await server.writes("listens on https://")
        #expect(
            try await answers(
                "https://localhost:\(port)", "--cacert", files[1], "--resolve", "localhost:\(port):127.0.0.1"))
    }
}

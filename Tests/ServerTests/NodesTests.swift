import Foundation
import Support
import Testing

/// Several nodes on one database, as in production.
@Suite struct NodesTests {
    /// The nodes of tests that only end sessions and accounts. The other tests count, rotate, start
    /// or kill, each with its own nodes.
    private static let shared = Task { try await Nodes(3, ["--throttle", "no"]) }

    // MARK: Revocations

    @Test(arguments: Ending.allCases) func whatIsTakenAwayOnOneNodeIsRefusedOnTheOthers(ending: Ending) async throws {
        let nodes = try await Self.shared.value
        let first = nodes.all[0]
        let miguel = try await first.newAccount()
        try await first.command("users", "grant", miguel.name, "admin")
        let tokens = try await first.signIn(miguel)
        for node in nodes.all {
            // Twice: from the second time on the node answers from memory.
            for _ in 0..<2 {
                let answer = try await node.send("GET", "/api/resource", headers: [bearer(tokens.access)])
                #expect(answer.status == 200)
            }
        }
        try await ending.happen(to: miguel, on: first, tokens)
        for node in nodes.all {
            try await node.waitForRefusal(of: tokens.access)
            #expect(try await node.refresh(tokens.refresh).status == (ending == .roleRevoked ? 200 : 400))
        }
    }

    /// Each node in turn ends a session that the others have verified. More than a second later the
    /// token is refused everywhere; how soon that is, `make bench` measures.
    @Test func theEndOfASessionOnAnyNodeIsKnownToAllTheOthers() async throws {
        let nodes = try await Self.shared.value.all
        let miguel = try await nodes[0].newAccount()
        var connections: [HTTPConnection] = []
        for node in nodes { connections.append(try await node.connect()) }
        func status(of token: String, at node: Int) async throws -> Int {
            try await connections[node].send("GET", "/api/resource", headers: [bearer(token)]).status
        }

        for round in 0..<Soak.count(12, soak: 500) {
            let ending = round % nodes.count
            let token = try await nodes[ending].token(miguel)
            let others = nodes.indices.filter { $0 != ending }
            for other in others {
                // Twice: from the second time on the node answers from memory.
                for _ in 0..<2 { try #require(try await status(of: token, at: other) == 200) }
            }
            let answer = try await connections[ending].send("DELETE", "/api/tokens", headers: [bearer(token)])
            try #require(answer.status == 204)
            let end = ContinuousClock.now
            var believing = Set(others)
            while !believing.isEmpty {
                for other in believing {
                    let asked = ContinuousClock.now
                    let answer = try await status(of: token, at: other)
                    if answer == 200 {
                        try #require(asked - end <= .seconds(1))
                    } else {
                        try #require(answer == 401)
                        believing.remove(other)
                    }
                }
            }
        }
    }

    // MARK: Guesses

    @Test func ofThreeHundredGuessesAtOnceAtThreeNodesTenAreAnswered() async throws {
        // The cost of wrong passwords has its own tests.
        let nodes = try await Nodes(3, ["--hashing-budget", "1000000", "--hashing-patience", "60"])
        try await nodes.all[0].register("miguel", "python")
        var connections: [HTTPConnection] = []
        for number in 0..<300 { connections.append(try await nodes.all[number % 3].connect()) }
        for (number, connection) in connections.enumerated() {
            let guess = basic("miguel", "guess\(number)")
            try await connection.write("GET /api/token HTTP/1.1\r\nHost: a\r\n\(guess)\r\n\r\n")
        }
        var statuses: [Int] = []
        for connection in connections { statuses.append(try await connection.readAnswer().status) }
        #expect(statuses.count { $0 == 401 } == 10)
        #expect(statuses.count { $0 == 429 } == 290)
        func signIn(at node: RunningServer) async throws -> Int {
            try await node.send("GET", "/api/token", headers: [basic("miguel", "python")]).status
        }
        for node in nodes.all { #expect(try await signIn(at: node) == 429) }
        try await nodes.all[1].command("throttle", "clear", "--user", "miguel")
        for node in nodes.all { #expect(try await signIn(at: node) == 200) }
    }

    // MARK: Keys

    @Test func aNewKeyIsAcceptedByEveryNodeBeforeItSigns() async throws {
        let nodes = try await Nodes(3)
        try await nodes.all[0].register("miguel", "python")
        let old = try await nodes.all[0].token("miguel", "python")
        func next(_ output: String) throws -> String {
            String(try #require(output.firstMatch(of: /next key is (\S+)/)?.1))
        }
        let key = try next(try await nodes.all[1].command("keys", "rotate").output)

        try await wait(for: "every node to publish it") {
            for node in nodes.all {
                guard try await node.send("GET", "/.well-known/jwks.json").body.contains(key) else { return false }
            }
            return true
        }
        for node in nodes.all { #expect(try await keyID(of: node.renewed(old)) != key) }
        #expect(try next(try await nodes.all[1].command("keys", "rotate", "--now").output) == key)
        try await nodes.letTenSecondsPass()
        var signing: Set<Int> = []
        try await wait(for: "every node to sign with it") {
            for (number, node) in nodes.all.enumerated() {
                let token = try await node.renewed(old)
                if keyID(of: token) == key { signing.insert(number) }
                for other in nodes.all {
                    #expect(try await other.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
                }
            }
            return signing.count == nodes.all.count
        }
        #expect(try await nodes.all[2].send("GET", "/api/resource", headers: [bearer(old)]).status == 200)
    }

    /// Each round: the rotating command is killed just before the database receives the new key, or
    /// just after it has stored it.
    @Test func aRotationThatIsKilledLeavesARingThatAllGoOnWith() async throws {
        let server = try await PostgresServer.shared()
        let nodes = try await Nodes(2)
        let proxy = try DatabaseProxy(to: server)
        defer { proxy.end() }

        var count = 1
        for round in 0..<Soak.count(4, soak: 20) {
            // A key that has not begun to sign has no successor.
            try await nodes.letTenSecondsPass()
            let isStored = round % 2 == 1
            proxy.stall(at: isStored ? .answer("stored_id") : .question("INSERT INTO signing_keys"))
            let rotation = try await ExternalProcess(
                ExternalProcess.restAuth,
                [
                    "keys", "rotate", "--now", "--database", proxy.url(PostgresServer.name(in: nodes.url)),
                    "--database-timeout", "60",
                ],
                environment: nodes.directory.database().environment, directory: nodes.directory)
            try await wait(for: "the new key") { proxy.isStalled }
            rotation.kill()
            _ = try await rotation.exitStatus()
            proxy.resume()
            if isStored { count += 1 }
        }
        try await nodes.letTenSecondsPass()
        let outcomes = try await withThrowingTaskGroup(of: Int32.self, returning: [Int32].self) { group in
            for _ in 0..<3 { group.addTask { try await nodes.all[0].run(["keys", "rotate"]).status } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.sorted() == [0, 1, 1])

        let keyCount = "SELECT count(*) FROM signing_keys"
        #expect(try await server.execute(keyCount, at: nodes.url) == "\(count + 1)")
        let gaps = """
            SELECT count(*) FROM (
                SELECT follows, lag(id, 1, '') OVER (ORDER BY signs_from, created_at) AS before FROM signing_keys
            ) AS ring WHERE follows <> before
            """
        #expect(try await server.execute(gaps, at: nodes.url) == "0")
        let keys = try await server.execute("SELECT id FROM signing_keys", at: nodes.url).split(separator: "\n")
        try await wait(for: "every node to publish them") {
            for node in nodes.all {
                let published = try await node.send("GET", "/.well-known/jwks.json").body
                guard keys.allSatisfy({ published.contains($0) }) else { return false }
            }
            return true
        }
        try await nodes.all[0].register("miguel", "python")
        for (one, other) in [(nodes.all[0], nodes.all[1]), (nodes.all[1], nodes.all[0])] {
            let token = try await one.token("miguel", "python")
            #expect(try await other.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        }
    }

    // MARK: Clocks

    @Test func nodesWhoseClocksAreTwoSecondsApartTakeEachOthersTokens() async throws {
        let directory = try await TemporaryDirectory(database: PostgresServer.shared().makeDatabase())
        let library = try await directory.shiftedClock()
        let right = try await RunningServer(directory: directory)
        let ahead = try await RunningServer(
            environment: ["LD_PRELOAD": library, "CLOCK_SHIFT": "2"], directory: directory)
        try await right.register("miguel", "python")
        var issued: [Int] = []
        for node in [right, ahead] {
            issued.append(try #require(issuedAt(of: try await node.token("miguel", "python"))))
        }
        #expect(issued[1] - issued[0] >= 2)

        func expectGood(_ token: String, at nodes: [RunningServer]) async throws {
            for node in nodes {
                #expect(try await node.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
            }
        }
        for (one, other) in [(right, ahead), (ahead, right)] {
            let tokens = try await one.signIn()
            try await expectGood(tokens.access, at: [one, other, one, other])
            var refresh = tokens.refresh
            for node in [other, one, other, one] {
                let answer = try await node.refresh(refresh)
                #expect(answer.status == 200, "\(answer.body)")
                refresh = try #require(answer.json["refresh_token"] as? String)
                let access = try #require(answer.json["access_token"] as? String)
                try await expectGood(access, at: [one, other])
            }
            #expect(try await other.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
            for node in [one, other] {
                try await node.waitForRefusal(of: tokens.access)
                #expect(try await node.refresh(refresh).status == 400)
            }
        }
    }

    // MARK: Start and end

    @Test func tenNodesThatStartAtOnceMakeOneSchemaAndOneKey() async throws {
        let server = try await PostgresServer.shared()
        let nodes = try await Nodes(10, ["--database-connections", "3"])
        // The sixth migration is followed by the ninth.
        let migrations = "SELECT count(*) = max(version) - 2 FROM schema_migrations"
        #expect(try await server.execute(migrations, at: nodes.url) == "t")
        #expect(try await server.execute("SELECT count(*) FROM signing_keys", at: nodes.url) == "1")
        try await nodes.all[0].register("miguel", "python")
        let token = try await nodes.all[9].token("miguel", "python")
        for node in nodes.all {
            try await wait(for: "the node to be ready") {
                try await node.send("GET", "/health/ready").status == 200
            }
            #expect(try await node.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        }
    }

    @Test func aNodeThatIsKilledUnderLoadTakesOnlyItsOwnRequestsWithIt() async throws {
        // Nodes stay ready when a read of the revocation log is late, and registrations are not
        // limited.
        let nodes = try await Nodes(3, ["--revocation-bound", "60", "--registrations-per-hour", "1000000"])
        let balancer = try await LoadBalancer(before: nodes.all)
        let book = try await DatabaseLoad.run(on: balancer.port) { load in
            try await load.goOn(by: 10)
            #expect(load.book.lost == 0)
            try await nodes.all[1].kill()
            try await load.goOn(by: 20)
        }
        // A client waits for one answer at a time.
        #expect(book.lost <= DatabaseLoad.clients)
        for node in [nodes.all[0], nodes.all[2]] { try await book.expectKept(by: node) }
    }
}

// MARK: - Helpers

/// The ways in which a token can be revoked.
enum Ending: CaseIterable {
    case sessionEnded
    case userDisabled
    case passwordChanged
    case roleRevoked
    case userDeleted

    fileprivate func happen(to user: Account, on node: RunningServer, _ tokens: SignedIn) async throws {
        switch self {
        case .sessionEnded:
            #expect(try await node.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
        case .userDisabled: try await node.command("users", "disable", user.name)
        case .passwordChanged:
            let answer = try await node.send(
                "PUT", "/api/me/password", headers: [user.basic, "Content-Type: application/json"],
                body: json(["current_password": user.password, "new_password": "monty"]))
            #expect(answer.status == 204)
        case .roleRevoked: try await node.command("users", "revoke", user.name, "admin")
        case .userDeleted:
            #expect(try await node.send("DELETE", "/api/me", headers: [user.basic]).status == 204)
        }
    }
}

/// Nodes on one new database, with one secret.
private final class Nodes: Sendable {
    let url: String
    let directory: TemporaryDirectory
    let all: [RunningServer]

    /// Starts them at once, with so long a timeout for the database that a slow machine does not
    /// make them give up.
    init(_ count: Int, _ arguments: [String] = []) async throws {
        let url = try await PostgresServer.shared().makeDatabase()
        let directory = try TemporaryDirectory(database: url)
        (self.url, self.directory) = (url, directory)
        all = try await withThrowingTaskGroup(of: RunningServer.self, returning: [RunningServer].self) { group in
            for _ in 0..<count {
                group.addTask {
                    try await RunningServer(["--database-timeout", "60"] + arguments, directory: directory)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Makes the last rotation look ten seconds older.
    func letTenSecondsPass() async throws {
        try await PostgresServer.shared().execute(
            """
            UPDATE signing_keys
            SET signs_from = signs_from - interval '10 s', created_at = created_at - interval '10 s'
            """, at: url)
    }
}

/// HAProxy, which sends each request to the next node that says it is ready.
private final class LoadBalancer {
    let port: Int
    private let directory: TemporaryDirectory
    private let process: ExternalProcess

    init(before nodes: [RunningServer]) async throws {
        directory = try TemporaryDirectory()
        port = try FreePort.next()
        // A connection to a node carries one request, so that only that request is lost with it. A
        // request that a node does not accept goes to the next.
        let lines =
            [
                "defaults", "mode http", "option http-server-close", "option redispatch 1", "timeout connect 60s",
                "timeout check 60s", "timeout client 60s", "timeout server 60s",
                "listen nodes", "bind 127.0.0.1:\(port)", "balance roundrobin",
                "option httpchk GET /health/ready", "http-check expect status 200",
                "default-server check inter 100ms fall 2 rise 1",
            ] + nodes.map { "server node-\($0.port) 127.0.0.1:\($0.port)" }
        let file = "\(directory.path)/haproxy.cfg"
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: file))
        process = try ExternalProcess(ExternalProcess.program("haproxy"), ["-db", "-f", file], directory: directory)
        try await process.answers(on: port, path: "/health/live")
    }

    deinit { process.kill() }
}

extension RunningServer {
    /// A new token in exchange for a live one.
    fileprivate func renewed(_ token: String) async throws -> String {
        let answer = try await send("GET", "/api/token", headers: [bearer(token)])
        return try #require(answer.json["token"] as? String, "\(answer.body)")
    }
}

private func keyID(of token: String) -> String? { members(of: token, 0)["kid"] as? String }
private func issuedAt(of token: String) -> Int? { members(of: token, 1)["iat"] as? Int }

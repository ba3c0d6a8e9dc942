import Foundation
import Support
import Testing

/// Several nodes over one database, as they run in production.
@Suite struct NodesTests {
    // MARK: What is refused

    @Test(arguments: Ending.allCases) func whatIsTakenAwayOnOneNodeIsRefusedOnTheOthers(ending: Ending) async throws {
        let nodes = try await Nodes(3)
        let first = nodes.all[0]
        _ = try first.register("miguel", "python")
        try await first.command("users", "grant", "miguel", "admin")
        let tokens = try first.signIn()
        for node in nodes.all {
            // Twice: from the second time on the node answers from memory.
            for _ in 0..<2 {
                #expect(try node.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 200)
            }
        }
        try await ending.happen(on: first, to: tokens)
        for node in nodes.all {
            try await node.waitForRefusal(of: tokens.access)
            #expect(try node.refresh(tokens.refresh).status == (ending == .roleRevoked ? 200 : 400))
        }
    }

    /// The one promise that is a time. A busy machine stands still for longer than that now and
    /// then, so one of three measurements has to keep it. The database is one that writes to the
    /// disk, as it does in production.
    @Test func theEndOfASessionIsKnownToEveryNodeWithinATenthOfASecond() async throws {
        let database = try PostgresServer()
        let nodes = try await Nodes(3, over: database.makeDatabase())
        _ = try nodes.all[0].register("miguel", "python")
        var last = Duration.zero
        for _ in 0..<3 {
            let delays = try await delaysOfRefusals(500, by: nodes)
            last = delays[delays.count * 99 / 100]
            print(
                "The end of a session reached another node within \(delays[delays.count / 2]) (p50), \(last) (p99), \(delays.last!) at most."
            )
            if last <= .milliseconds(100) { break }
        }
        #expect(last <= .milliseconds(100))
    }

    /// How long after the end of a session each of the other nodes refused its token, in rising
    /// order.
    private func delaysOfRefusals(_ count: Int, by nodes: Nodes) async throws -> [Duration] {
        let tokens = try await nodes.tokens(count)
        let connections = try nodes.all.map { try $0.connect() }
        func status(of token: String, at node: Int) throws -> Int {
            try connections[node].send("GET", "/api/resource", headers: [bearer(token)]).status
        }

        var delays: [Duration] = []
        for (number, token) in tokens.enumerated() {
            let others = connections.indices.filter { $0 != number % 3 }
            for other in others {
                // Twice: from the second time on the node answers from memory.
                for _ in 0..<2 { try #require(try status(of: token, at: other) == 200) }
            }
            try #require(
                try connections[number % 3].send("DELETE", "/api/tokens", headers: [bearer(token)]).status == 204)
            let end = ContinuousClock.now
            var believing = Set(others)
            while !believing.isEmpty {
                for other in believing {
                    let answer = try status(of: token, at: other)
                    guard answer != 200 else { continue }
                    try #require(answer == 401)
                    believing.remove(other)
                    delays.append(.now - end)
                }
                try #require(.now - end < .seconds(5))
            }
        }
        return delays.sorted()
    }

    // MARK: Guesses

    @Test func ofThreeHundredGuessesAtOnceAtThreeNodesTenAreAnswered() async throws {
        let nodes = try await Nodes(3)
        _ = try nodes.all[0].register("miguel", "python")
        let connections = try (0..<300).map { try nodes.all[$0 % 3].connect() }
        for (number, connection) in connections.enumerated() {
            try connection.write("GET /api/token HTTP/1.1\r\nHost: a\r\n\(basic("miguel", "guess\(number)"))\r\n\r\n")
        }
        let statuses = try connections.map { try $0.readAnswer().status }
        #expect(statuses.count { $0 == 401 } == 10)
        #expect(statuses.count { $0 == 429 } == 290)
        for node in nodes.all {
            #expect(try node.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 429)
        }
        try await nodes.all[1].command("throttle", "clear", "--user", "miguel")
        for node in nodes.all {
            #expect(try node.send("GET", "/api/token", headers: [basic("miguel", "python")]).status == 200)
        }
    }

    // MARK: Keys

    @Test func aNewKeyIsAcceptedByEveryNodeBeforeItSigns() async throws {
        let nodes = try await Nodes(3)
        _ = try nodes.all[0].register("miguel", "python")
        let old = try nodes.all[0].token("miguel", "python")
        let output = try await nodes.all[1].command("keys", "rotate", "--now").output
        let key = String(try #require(output.firstMatch(of: /next key is (\S+)/)?.1))

        try await wait(seconds: 4, for: "every node to publish it") {
            try nodes.all.allSatisfy { try $0.send("GET", "/.well-known/jwks.json").body.contains(key) }
        }
        for node in nodes.all { #expect(try keyID(of: node.renewed(old)) != key) }
        var signing: Set<Int> = []
        try await wait(seconds: 15, for: "every node to sign with it") {
            for (number, node) in nodes.all.enumerated() {
                let token = try node.renewed(old)
                if keyID(of: token) == key { signing.insert(number) }
                for other in nodes.all {
                    #expect(try other.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
                }
            }
            return signing.count == nodes.all.count
        }
        #expect(try nodes.all[2].send("GET", "/api/resource", headers: [bearer(old)]).status == 200)
    }

    /// Each round: who rotates is killed just before the database hears of the new key, or just
    /// after it has stored it.
    @Test func aRotationThatIsKilledLeavesARingThatAllGoOnWith() async throws {
        let server = try PostgresServer.shared.get()
        let url = try server.makeDatabase()
        let nodes = try await Nodes(2, over: url)
        let proxy = try DatabaseProxy(to: server)
        defer { proxy.end() }
        /// As if the last rotation had been a while ago: what has not begun to sign has no
        /// successor.
        func letTimePass() throws {
            try server.execute(
                "UPDATE signing_keys SET signs_from = signs_from - interval '10 s', created_at = created_at - interval '10 s'",
                at: url)
        }

        var count = 1
        for round in 0..<20 {
            try letTimePass()
            let isStored = round % 2 == 1
            proxy.stall(at: isStored ? .answer("INSERT 0 1") : .question("INSERT INTO signing_keys"))
            let rotation = try ExternalProcess(
                ExternalProcess.restAuth,
                ["keys", "rotate", "--now", "--database", proxy.url(PostgresServer.name(in: url))],
                environment: nodes.directory.database().environment, directory: nodes.directory)
            try await wait(seconds: 20, for: "the new key") { proxy.isStalled }
            rotation.kill()
            _ = try await rotation.exitStatus()
            proxy.resume()
            if isStored { count += 1 }
        }
        try letTimePass()
        let outcomes = try await withThrowingTaskGroup(of: Int32.self, returning: [Int32].self) { group in
            for _ in 0..<3 { group.addTask { try await nodes.all[0].run(["keys", "rotate", "--now"]).status } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.sorted() == [0, 1, 1])

        #expect(try server.execute("SELECT count(*) FROM signing_keys", at: url) == "\(count + 1)")
        let gaps = """
            SELECT count(*) FROM (SELECT follows, lag(id, 1, '') OVER (ORDER BY signs_from, created_at) AS before FROM signing_keys) AS ring
            WHERE follows <> before
            """
        #expect(try server.execute(gaps, at: url) == "0")
        let keys = try server.execute("SELECT id FROM signing_keys", at: url).split(separator: "\n")
        try await wait(seconds: 5, for: "every node to publish them") {
            try nodes.all.allSatisfy { node in
                let published = try node.send("GET", "/.well-known/jwks.json").body
                return keys.allSatisfy { published.contains($0) }
            }
        }
        _ = try nodes.all[0].register("miguel", "python")
        for (one, other) in [(nodes.all[0], nodes.all[1]), (nodes.all[1], nodes.all[0])] {
            #expect(
                try other.send("GET", "/api/resource", headers: [bearer(one.token("miguel", "python"))]).status == 200)
        }
    }

    // MARK: Clocks

    @Test func nodesWhoseClocksAreTwoSecondsApartTakeEachOthersTokens() async throws {
        let directory = try TemporaryDirectory(database: PostgresServer.shared.get().makeDatabase())
        let library = "\(directory.path)/process-clock.so"
        let compiler = try ExternalProcess(
            ExternalProcess.program("clang"),
            [
                "-shared", "-fPIC", "-o", library,
                ExternalProcess.repository.appendingPathComponent("Tests/Scripts/shifted_clock.c").path,
            ],
            directory: directory)
        #expect(try await compiler.exitStatus() == 0, "\(compiler.errorText)")
        let right = try await RunningServer(directory: directory)
        let ahead = try await RunningServer(
            environment: ["LD_PRELOAD": library, "CLOCK_SHIFT": "2"], directory: directory)
        _ = try right.register("miguel", "python")
        let issued = try [right, ahead].map { try #require(issuedAt(of: $0.token("miguel", "python"))) }
        #expect(issued[1] - issued[0] >= 2)

        for (one, other) in [(right, ahead), (ahead, right)] {
            let tokens = try one.signIn()
            for node in [one, other, one, other] {
                #expect(try node.send("GET", "/api/resource", headers: [bearer(tokens.access)]).status == 200)
            }
            var refresh = tokens.refresh
            for node in [other, one, other, one] {
                let answer = try node.refresh(refresh)
                #expect(answer.status == 200, "\(answer.body)")
                refresh = try #require(answer.json["refresh_token"] as? String)
                let access = try #require(answer.json["access_token"] as? String)
                for node in [one, other] {
                    #expect(try node.send("GET", "/api/resource", headers: [bearer(access)]).status == 200)
                }
            }
            #expect(try other.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
            for node in [one, other] {
                try await node.waitForRefusal(of: tokens.access)
                #expect(try node.refresh(refresh).status == 400)
            }
        }
    }

    // MARK: Beginning and end

    @Test func tenNodesThatStartAtOnceMakeOneSchemaAndOneKey() async throws {
        let server = try PostgresServer.shared.get()
        let url = try server.makeDatabase()
        let nodes = try await Nodes(10, over: url)
        #expect(try server.execute("SELECT count(*) = max(version) FROM schema_migrations", at: url) == "t")
        #expect(try server.execute("SELECT count(*) FROM signing_keys", at: url) == "1")
        _ = try nodes.all[0].register("miguel", "python")
        let token = try nodes.all[9].token("miguel", "python")
        for node in nodes.all {
            #expect(try node.send("GET", "/health/ready").status == 200)
            #expect(try node.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        }
    }

    @Test func aNodeThatIsKilledUnderLoadTakesOnlyItsOwnRequestsWithIt() async throws {
        let nodes = try await Nodes(3)
        let balancer = try await LoadBalancer(before: nodes.all)
        let load = try DatabaseLoad(on: balancer.port)
        try await load.goOn(by: 30)
        #expect(load.book.lost == 0)
        try await nodes.all[1].kill()
        try await load.goOn(by: 30)
        let book = try await load.end()
        // A client waits for one answer at a time.
        #expect(book.lost <= DatabaseLoad.clients)
        for node in [nodes.all[0], nodes.all[2]] { try book.expectKept(by: node) }
    }
}

// MARK: - What is around the tests

/// What ends the good of a token.
enum Ending: CaseIterable {
    case sessionEnded
    case userDisabled
    case passwordChanged
    case roleRevoked
    case userDeleted

    fileprivate func happen(on node: RunningServer, to tokens: SignedIn) async throws {
        switch self {
        case .sessionEnded:
            #expect(try node.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
        case .userDisabled: try await node.command("users", "disable", "miguel")
        case .passwordChanged:
            let answer = try node.send(
                "PUT", "/api/me/password", headers: [basic("miguel", "python"), "Content-Type: application/json"],
                body: json(["current_password": "python", "new_password": "monty"]))
            #expect(answer.status == 204)
        case .roleRevoked: try await node.command("users", "revoke", "miguel", "admin")
        case .userDeleted:
            #expect(try node.send("DELETE", "/api/me", headers: [basic("miguel", "python")]).status == 204)
        }
    }
}

/// Nodes over one database, with one secret.
private final class Nodes: Sendable {
    let directory: TemporaryDirectory
    let all: [RunningServer]

    /// Starts them at once.
    /// - Parameter database: an empty one; `nil` for one of the tests' own.
    init(_ count: Int, over database: String? = nil) async throws {
        let directory = try TemporaryDirectory(database: database ?? PostgresServer.shared.get().makeDatabase())
        self.directory = directory
        all = try await withThrowingTaskGroup(of: RunningServer.self, returning: [RunningServer].self) { group in
            for _ in 0..<count { group.addTask { try await RunningServer(directory: directory) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// That many tokens of miguel's, each of a session of its own.
    func tokens(_ count: Int) async throws -> [String] {
        try await withThrowingTaskGroup(of: String.self, returning: [String].self) { group in
            for number in 0..<count {
                group.addTask { try self.all[number % self.all.count].token("miguel", "python") }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
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
        // A connection to a node carries one request, so that what ends with it is that request.
        // One that a node does not take goes to the next.
        let lines =
            [
                "defaults", "mode http", "option http-server-close", "option redispatch 1", "timeout connect 1s",
                "timeout check 2s",
                "timeout client 20s", "timeout server 20s",
                "listen nodes", "bind 127.0.0.1:\(port)", "balance roundrobin",
                "option httpchk GET /health/ready", "http-check expect status 200",
                "default-server check inter 100ms fall 2 rise 1",
            ] + nodes.map { "server node-\($0.port) 127.0.0.1:\($0.port)" }
        let file = "\(directory.path)/haproxy.cfg"
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: file))
        process = try ExternalProcess(ExternalProcess.program("haproxy"), ["-db", "-f", file], directory: directory)
        try await process.answers(on: port, path: "/health/live")
    }

    deinit { process.end() }
}

extension RunningServer {
    /// A fresh token for a live one.
    fileprivate func renewed(_ token: String) throws -> String {
        let answer = try send("GET", "/api/token", headers: [bearer(token)])
        return try #require(answer.json["token"] as? String, "\(answer.body)")
    }
}

private func keyID(of token: String) -> String? { members(of: token, 0)["kid"] as? String }
private func issuedAt(of token: String) -> Int? { members(of: token, 1)["iat"] as? Int }

/// What a part of a token says.
private func members(of token: String, _ part: Int) -> [String: Any] {
    var text = token.split(separator: ".").dropFirst(part).first.map(String.init) ?? ""
    text = text.replacing("-", with: "+").replacing("_", with: "/")
    text += String(repeating: "=", count: (4 - text.count % 4) % 4)
    return Data(base64Encoded: text).flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: Any] } ?? [:]
}

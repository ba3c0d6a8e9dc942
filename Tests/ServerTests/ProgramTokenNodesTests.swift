import Foundation
import Support
import Testing

/// Tokens for programs on nodes that share a PostgreSQL.
@Suite struct ProgramTokenNodesTests {
    private let database: PostgresServer
    private let url: String
    private let directory: TemporaryDirectory

    init() async throws {
        database = try await PostgresServer.shared()
        url = try await database.makeDatabase()
        directory = try TemporaryDirectory(database: url)
    }

    /// A node with so long a timeout for the database that a slow machine does not make it give up.
    private func makeNode() async throws -> RunningServer {
        try await RunningServer(["--database-timeout", "60", "--shutdown-timeout", "60"], directory: directory)
    }

    private func status(of token: ProgramCredential, at node: RunningServer) async throws -> Int {
        try await node.send("GET", "/api/resource", headers: [token.bearer]).status
    }

    // MARK: Notes of uses

    /// The number of notes that wait for a row.
    private func waitingNotes() async throws -> Int? {
        let sql = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            """
        return Int(try await database.execute(sql, at: url))
    }

    private func usedTokens() async throws -> Int? {
        Int(try await database.execute("SELECT count(last_used_at) FROM program_tokens", at: url))
    }

    /// Another connection has locked the rows of the tokens, for as long as it likes.
    @Test func noRequestWaitsUntilItsUseIsNoted() async throws {
        let node = try await makeNode()
        let miguel = try await node.newAccount()
        var tokens: [ProgramCredential] = []
        for _ in 0..<6 { tokens.append(try await node.personalToken(of: miguel)) }
        let lock = try database.session(at: url)
        lock.send(line: "BEGIN; SELECT count(*) FROM (SELECT FROM program_tokens FOR UPDATE) AS held; SELECT 'locked';")
        try await wait(for: "the lock") { lock.outputText.contains("locked") }
        for _ in 0..<2 {
            for token in tokens { #expect(try await status(of: token, at: node) == 200) }
        }
        // The requests were answered, and their notes wait: some at the rows, and the others for
        // these, so that connections are left for others who write.
        try await wait(for: "the notes") { try await waitingNotes() == 2 }
        #expect(try await node.register(RunningServer.newName(), "python").status == 201)
        let list = try await node.send("GET", "/api/me/tokens", headers: [miguel.basic])
        let listed = try #require(list.json["tokens"] as? [[String: Any]])
        #expect(listed.count == 6 && listed.allSatisfy { $0["last_used_at"] is String })
        #expect(try await usedTokens() == 0)
        // A node that is to stop writes them before it ends.
        async let end = node.stop()
        try await wait(for: "the node to stop listening") {
            (try? await node.connect().send("GET", "/health/live")) == nil
        }
        lock.finishLines()
        #expect(try await end == 0)
        #expect(try await usedTokens() == 6)
        #expect(!node.log.contains("could not be noted"))
    }

    // MARK: Several nodes

    @Test func aTokenThatIsDeletedAtOneNodeIsRefusedAtTheOther() async throws {
        let (one, other) = (try await makeNode(), try await makeNode())
        let miguel = try await one.newAccount()
        let (token, second) = (try await one.personalToken(of: miguel), try await one.personalToken(of: miguel))
        for node in [one, other] {
            // From the second time on, the node answers from memory.
            for _ in 0..<2 {
                for token in [token, second] { #expect(try await status(of: token, at: node) == 200) }
            }
        }
        try await one.delete(token, of: miguel)
        #expect(try await status(of: token, at: one) == 401)
        try await other.waitForRefusal(of: token.token)
        #expect(try await status(of: second, at: other) == 200)
    }

    @Test func aTokenThatIsRotatedAtOnceIsRefusedAtTheOtherNode() async throws {
        let (one, other) = (try await makeNode(), try await makeNode())
        let miguel = try await one.newAccount()
        let token = try await one.personalToken(of: miguel)
        for node in [one, other] {
            for _ in 0..<2 { #expect(try await status(of: token, at: node) == 200) }
        }
        let rotated = try await one.send(
            "POST", "/api/me/tokens/\(token.id)/rotate", headers: [miguel.basic, "Content-Type: application/json"],
            body: json(["overlap": 0]))
        let new = try #require(rotated.json["token"] as? String)
        #expect(try await status(of: token, at: one) == 401)
        try await other.waitForRefusal(of: token.token)
        for node in [one, other] {
            #expect(try await node.send("GET", "/api/resource", headers: [bearer(new)]).status == 200)
        }
    }
}

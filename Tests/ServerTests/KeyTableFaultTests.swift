import Foundation
import GRDB
import Support
import Testing

/// The table of signing keys cannot be read while all others can: a node trusts the keys in its
/// memory for seconds and no longer.
@Suite struct KeyTableFaultTests {
    /// Tests a node of its own, whose database the test can change.
    private func check(
        _ directory: TemporaryDirectory, hidingKeys hide: @Sendable (_ isHidden: Bool) async throws -> Void
    ) async throws {
        let server = try await RunningServer(directory: directory)
        let user = try await server.newAccount()
        let (tokens, other) = (try await server.signIn(user), try await server.token(user))
        let connection = try await server.connect()
        func ask(_ token: String) async throws -> HTTPAnswer {
            try await connection.send("GET", "/api/resource", headers: [bearer(token)])
        }
        for token in [tokens.access, other, tokens.access, other] { #expect(try await ask(token).status == 200) }
        try await hide(true)
        // The key was revoked without the node, which alone cannot read the table.
        for token in [tokens.access, other] {
            try await wait(for: "the keys to be too old") { try await ask(token).status != 200 }
            let answer = try await ask(token)
            #expect(answer.status == 503)
            #expect(answer.code == "storage_unavailable")
            #expect(answer["Retry-After"] == "1")
        }
        #expect(try await server.send("GET", "/health/ready").status == 503)
        #expect(try await server.send("GET", "/health/live").status == 200)
        #expect(try await server.send("GET", "/api/revocations").status == 200)

        try await hide(false)
        // The key does not exist any more.
        try await wait(for: "the node to read the keys") { try await ask(other).status == 401 }
        #expect(try await ask(tokens.access).code == "invalid_token")
        try await wait(for: "another key to sign") { try await server.refresh(tokens.refresh).status == 200 }
        let renewed = try await server.signIn(user)
        try await wait(for: "the token of the other key") { try await ask(renewed.access).status == 200 }
    }

    @Test func onSQLiteATokenOfARevokedKeyIsRefusedThoughTheTableCannotBeRead() async throws {
        let directory = try TemporaryDirectory.withSQLite()
        try await check(directory) { isHidden in
            try await DatabaseQueue(path: directory.path + "/rest-auth.sqlite").write { database in
                if isHidden {
                    try database.execute(
                        sql: "DELETE FROM signing_keys; ALTER TABLE signing_keys RENAME TO hidden_keys")
                } else {
                    try database.execute(sql: "ALTER TABLE hidden_keys RENAME TO signing_keys")
                }
            }
        }
    }

    @Test func onPostgreSQLATokenOfARevokedKeyIsRefusedThoughTheTableCannotBeRead() async throws {
        let postgres = try await PostgresServer.shared()
        let url = try await postgres.makeDatabase()
        try await check(TemporaryDirectory(database: url)) { isHidden in
            try await postgres.execute(
                isHidden
                    ? "DELETE FROM signing_keys; ALTER TABLE signing_keys RENAME TO hidden_keys"
                    : "ALTER TABLE hidden_keys RENAME TO signing_keys", at: url)
        }
    }
}

import Foundation
import Support
import Testing

/// `/api/operator/users/ID/tokens`: what operators see and take away of users' tokens for programs.
/// Tested on the real binary.
@Suite(.server()) struct OperatorTokensTests {
    private let server: RunningServer
    private let boss: Account
    private let miguel: Account

    init() async throws {
        server = try SharedServer.current()
        boss = try await server.newOperator()
        miguel = try await server.newAccount()
    }

    private func path(_ account: Account, _ rest: String = "") -> String {
        "/api/operator/users/\(account.id)/tokens\(rest)"
    }

    private func ids(of account: Account) async throws -> [String] {
        let answer = try await server.send("GET", path(account), as: boss)
        #expect(answer.status == 200 && answer["Cache-Control"] == "no-store")
        return try #require(answer.json["tokens"] as? [[String: Any]]).compactMap { $0["id"] as? String }
    }

    private func isTaken(_ token: ProgramCredential) async throws -> Bool {
        let status = try await server.send("GET", "/api/resource", headers: [token.bearer]).status
        #expect([200, 401].contains(status))
        return status == 200
    }

    @Test func theyAreListedWithoutThemselves() async throws {
        #expect(try await ids(of: miguel).isEmpty)
        let (one, two) = (
            try await server.personalToken(of: miguel, scopes: ["b", "a"]), try await server.personalToken(of: miguel)
        )
        #expect(try await ids(of: miguel) == [one.id, two.id])
        let answer = try await server.send("GET", path(miguel), as: boss)
        let listed = try #require((answer.json["tokens"] as? [[String: Any]])?.first)
        #expect(
            Set(listed.keys) == [
                "id", "name", "scopes", "last_four", "created_at", "expires_at", "last_used_at", "expired",
            ])
        #expect(listed["scopes"] as? [String] == ["a", "b"] && listed["last_used_at"] is NSNull)
        for token in [one, two] { #expect(!answer.body.contains(token.token.dropLast(4))) }
    }

    @Test func oneIsDeletedAndTheOthersGoOn() async throws {
        let (one, two) = (try await server.personalToken(of: miguel), try await server.personalToken(of: miguel))
        for token in [one, two] { #expect(try await isTaken(token)) }
        #expect(try await server.send("DELETE", path(miguel, "/\(one.id)"), as: boss).status == 204)
        #expect(try await !isTaken(one))
        #expect(try await isTaken(two))
        let again = try await server.send("DELETE", path(miguel, "/\(one.id)"), as: boss)
        #expect(again.status == 404 && again.code == "token_not_found")
        #expect(try await ids(of: miguel) == [two.id])
        // The owner sees who it was.
        let events = try await server.send("GET", "/api/me/events", as: miguel)
        #expect(events.body.contains("token.deleted") && events.body.contains(one.id))
    }

    @Test func aTokenOfAnotherUserIsNotThere() async throws {
        let susan = try await server.newAccount("susan")
        let (token, other) = (try await server.personalToken(of: miguel), try await server.personalToken(of: susan))
        for id in [other.id, token.id.uppercased(), "x", "00000000-0000-7000-8000-000000000000"] {
            let answer = try await server.send("DELETE", path(miguel, "/\(id)"), as: boss)
            #expect(answer.status == 404 && answer.code == "token_not_found", "\(id)")
        }
        for (id, code) in [("0", "user_not_found"), ("9223372036854775807", "user_not_found"), ("x", "not_found")] {
            let unknown = "/api/operator/users/\(id)/tokens"
            for (method, end) in [("GET", ""), ("DELETE", ""), ("DELETE", "/\(token.id)")] {
                let answer = try await server.send(method, unknown + end, as: boss)
                #expect(answer.code == code, "\(method) \(unknown)\(end)")
            }
        }
        for token in [token, other] { #expect(try await isTaken(token)) }
    }

    @Test func allAreDeletedAtOnce() async throws {
        let susan = try await server.newAccount("susan")
        let tokens = [try await server.personalToken(of: miguel), try await server.personalToken(of: miguel)]
        let other = try await server.personalToken(of: susan)
        for token in tokens { #expect(try await isTaken(token)) }
        for _ in 0..<2 { #expect(try await server.send("DELETE", path(miguel), as: boss).status == 204) }
        for token in tokens { #expect(try await !isTaken(token)) }
        #expect(try await isTaken(other))
        #expect(try await ids(of: miguel).isEmpty)
    }

    @Test func nobodyElseSeesOrDeletesThem() async throws {
        let susan = try await server.newAccount("susan")
        let token = try await server.personalToken(of: miguel, scopes: ["tokens"])
        let own = try await server.personalToken(of: boss, scopes: ["operator", "tokens"])
        for (method, end) in [("GET", ""), ("DELETE", ""), ("DELETE", "/\(token.id)")] {
            for header in [susan.basic, miguel.basic, token.bearer] {
                #expect(try await server.send(method, path(miguel, end), headers: [header]).status == 403)
            }
            // A token of an operator reads, and changes nothing.
            let answer = try await server.send(method, path(miguel, end), headers: [own.bearer])
            #expect(answer.status == (method == "GET" ? 200 : 403), "\(method) \(answer.body)")
        }
        #expect(try await isTaken(token))
    }
}

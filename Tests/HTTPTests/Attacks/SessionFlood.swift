import Foundation
import Support
import Testing

/// Attacks by someone with the password who signs in and out without a pause, which costs a row
/// each time, and an entry of the revocation log that every node keeps.
@Suite struct SessionFlood {
    /// A server that lets a user start five sessions an hour, so other tests cannot use it.
    private static let starting = Task { try await RunningServer(["--sessions-per-hour", "5"]) }

    private let server: RunningServer

    init() async throws { server = try await Self.starting.value }

    @Test func whoStartsTooManySessionsHasToWait() async throws {
        let account = try await server.newAccount()
        var (started, refused): ([SignedIn], [HTTPAnswer]) = ([], [])
        for number in 0..<10 {
            guard number >= 5 else {
                let tokens = try await server.signIn(account)
                started.append(tokens)
                let out = try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
                #expect(out.status == 204)
                continue
            }
            let (method, path) = number.isMultiple(of: 2) ? ("POST", "/api/tokens") : ("GET", "/api/token")
            refused.append(try await server.send(method, path, headers: [account.basic]))
        }
        for answer in refused {
            #expect(answer.status == 429)
            #expect(answer.code == "rate_limited")
            #expect((1...720).contains(Int(answer["Retry-After"] ?? "") ?? 0))
            #expect(answer["RateLimit-Policy"] == #""sessions";q=5"#)
            #expect(answer["RateLimit"] == #""sessions";r=0;t="# + (answer["Retry-After"] ?? ""))
            #expect(answer["Cache-Control"] == "no-store")
            #expect(answer.all("WWW-Authenticate").isEmpty)
        }
        let sessions = try await server.run(["sessions", "list", account.name])
        #expect(sessions.output.isEmpty)
        try await wait(for: "the refusals to be logged") {
            server.log.split(separator: "\n").count {
                $0.contains(" session_throttled ") && $0.contains(" user_id=\(account.id) ")
            } == 5
        }
    }

    /// Each change of the password starts one session in place of the one that asks.
    @Test func changingThePasswordStartsNoMore() async throws {
        let account = try await server.newAccount()
        var token = try await server.signIn(account).access
        var statuses: [Int] = []
        for _ in 0..<7 {
            let answer = try await server.send(
                "PUT", "/api/me/password", headers: [bearer(token), "Content-Type: application/json"],
                body: json(["current_password": "python", "new_password": "python"]))
            statuses.append(answer.status)
            token = answer.json["access_token"] as? String ?? token
        }
        #expect(statuses == [200, 200, 200, 200, 429, 429, 429])
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
    }

    @Test func whatIsThereIsUsedAndRenewedAllTheSame() async throws {
        let account = try await server.newAccount()
        let token = try await server.token(account)
        var refresh = try await server.signIn(account).refresh
        for _ in 0..<3 { _ = try await server.token(account) }
        #expect(try await server.send("GET", "/api/token", headers: [account.basic]).status == 429)
        // The password on other routes, a token traded for a token, and a refresh token start no
        // session.
        #expect(try await server.send("GET", "/api/resource", headers: [account.basic]).status == 200)
        #expect(try await server.send("GET", "/api/me", headers: [account.basic]).status == 200)
        for _ in 0..<10 {
            #expect(try await server.send("GET", "/api/token", headers: [basic(token, "")]).status == 200)
            let renewed = try await server.refresh(refresh)
            #expect(renewed.status == 200)
            refresh = renewed.json["refresh_token"] as? String ?? ""
        }
        // Another user has a limit of its own.
        _ = try await server.signIn(server.newAccount())
    }

    /// The refusal is not revealed to anyone without the password.
    @Test func aWrongPasswordIsAnsweredAsEver() async throws {
        let account = try await server.newAccount()
        for _ in 0..<5 { _ = try await server.token(account) }
        let wrong = basic(account.name, "wrong")
        #expect(try await server.send("GET", "/api/token", headers: [wrong]).status == 401)
        #expect(try await server.send("POST", "/api/tokens", headers: [wrong]).status == 401)
    }

    @Test(arguments: [["--sessions-per-hour", "none"], ["--sessions-per-hour", "1", "--throttle", "no"]])
    func whereNothingIsCountedAsManyAsCome(arguments: [String]) async throws {
        let server = try await RunningServer(arguments)
        let account = try await server.newAccount()
        for _ in 0..<8 { _ = try await server.token(account) }
    }
}

import Foundation
import Support
import Testing

/// Programs that know nothing of rest-auth read the picture of an app from the running server, and
/// sign in with the codes that they compute.
@Suite(.server()) struct AuthenticatorSignInTests {
    private let server: RunningServer
    private let programs: AuthenticatorPrograms

    init() throws {
        server = try SharedServer.current()
        programs = try AuthenticatorPrograms()
    }

    private func send(
        _ method: String, _ path: String, _ body: [String: Any], _ headers: [String] = []
    ) async throws -> HTTPAnswer {
        try await server.send(
            method, path, headers: headers + ["Content-Type: application/json"], body: json(body))
    }

    /// The secret and the URI of an app that has just been begun, and the path that confirms it.
    private func begin(_ account: Account) async throws -> (secret: String, uri: String, path: String) {
        let added = try await send("POST", "/api/me/factors", ["type": "totp", "name": "phone"], [account.basic])
        try #require(added.status == 201, "\(added.body)")
        let uri = try #require(added.json["uri"] as? String)
        #expect(try await programs.scan(#require(added.json["qr"] as? String)) == uri)
        return (
            try #require(added.json["secret"] as? String), uri,
            "/api/me/factors/" + (try #require(added.json["id"] as? String))
        )
    }

    private func confirm(_ path: String, _ account: Account, _ code: String) async throws {
        let confirmed = try await send("PUT", path, ["code": code], [account.basic])
        try #require(confirmed.status == 200, "\(confirmed.body)")
        #expect((confirmed.json["recovery_codes"] as? [String])?.count == 10)
    }

    private func ticket(_ account: Account) async throws -> String {
        let first = try await server.send("POST", "/api/tokens", headers: [account.basic])
        #expect(first.status == 401 && first.code == "mfa_required")
        #expect(first.json["access_token"] == nil)
        return try #require(first.json["ticket"] as? String, "\(first.body)")
    }

    /// Signs in with the code, which is then used up.
    private func expectSignIn(_ account: Account, with code: String) async throws {
        let done = try await send("POST", "/api/tokens", ["ticket": ticket(account), "code": code])
        try #require(done.status == 200, "\(done.body)")
        let token = try #require(done.json["access_token"] as? String)
        let claims = members(of: token, 1)
        #expect(claims["amr"] as? [String] == ["pwd", "otp", "mfa"] && claims["acr"] as? String == "aal2")
        #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 200)
        let again = try await send("POST", "/api/tokens", ["ticket": ticket(account), "code": code])
        #expect(again.code == "invalid_code")
        #expect(try await server.send("GET", "/api/token", headers: [account.basic, "X-OTP: \(code)"]).status != 200)
    }

    /// A code half a minute ahead is accepted, so the next one need not be awaited.
    private var next: Date { .now + 30 }

    @Test func oathtoolSignsIn() async throws {
        let miguel = try await server.newAccount()
        let app = try await begin(miguel)
        try await confirm(app.path, miguel, programs.oathtool(app.secret, at: .now))
        try await expectSignIn(miguel, with: programs.oathtool(app.secret, at: next))
    }

    @Test func pyotpSignsIn() async throws {
        let miguel = try await server.newAccount("Jürgen Groß")
        let app = try await begin(miguel)
        func code(_ time: Date) async throws -> String {
            try #require(try await programs.pyotp(app.uri, at: [Int(time.timeIntervalSince1970)]).codes.first)
        }
        try await confirm(app.path, miguel, code(.now))
        try await expectSignIn(miguel, with: code(next))
    }

    /// KeePassXC computes the code of this moment only, so a code of the step before confirms. That
    /// may come too late once.
    @Test func keePassXCSignsIn() async throws {
        let miguel = try await server.newAccount("李小龍")
        let app = try await begin(miguel)
        try await wait(for: "a code of the step before") {
            let code = try await programs.oathtool(app.secret, at: .now - 30)
            return try await send("PUT", app.path, ["code": code], [miguel.basic]).status == 200
        }
        try await expectSignIn(miguel, with: programs.keePassXC(app.uri))
    }

    @Test func theCodeThatConfirmedSignsNobodyIn() async throws {
        let miguel = try await server.newAccount()
        let app = try await begin(miguel)
        let code = try await programs.oathtool(app.secret, at: .now)
        try await confirm(app.path, miguel, code)
        let refused = try await send("POST", "/api/tokens", ["ticket": ticket(miguel), "code": code])
        #expect(refused.code == "invalid_code")
    }

    /// One in ten wins, on any backend.
    @Test func ofTenWithOneCodeOneSignsIn() async throws {
        let miguel = try await server.newAccount()
        let app = try await begin(miguel)
        try await confirm(app.path, miguel, programs.oathtool(app.secret, at: .now))
        var tickets: [String] = []
        for _ in 0..<10 { tickets.append(try await ticket(miguel)) }
        let code = try await programs.oathtool(app.secret, at: next)
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for ticket in tickets {
                group.addTask { try await send("POST", "/api/tokens", ["ticket": ticket, "code": code]).status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.count { $0 == 200 } == 1, "\(statuses)")
    }
}

import Foundation
import Support
import Testing

/// Fields of a body that a route does not know are named in the answer, so that nobody believes
/// they were stored.
@Suite(.server()) struct UnknownFieldsTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func send(
        _ method: String, _ path: String, _ body: String, _ headers: [String] = []
    ) async throws -> HTTPAnswer {
        try await server.send(method, path, headers: headers + ["Content-Type: application/json"], body: body)
    }

    @Test func aRegistrationSaysWhatItDidNotKeep() async throws {
        let name = RunningServer.newName()
        let answer = try await send(
            "POST", "/api/users",
            #"{"email":"m@example.com","username":"\#(name)","password":"python","password_confirmation":"python"}"#)
        #expect(answer.status == 201)
        #expect(answer.json["username"] as? String == name)
        #expect(answer.json["ignored"] as? [String] == ["email", "password_confirmation"])
        #expect(answer["Ignored-Fields"] == #""email", "password_confirmation""#)
        // The value is stored nowhere.
        #expect(!answer.body.contains("example.com"))
        let me = try await server.send("GET", "/api/me", headers: [basic(name, "python")])
        #expect(!me.body.contains("example.com"))
    }

    @Test func whoSendsWhatIsUnderstoodIsAnsweredAsEver() async throws {
        let name = RunningServer.newName()
        let answer = try await send(
            "POST", "/api/users",
            #"{"username":"\#(name)","password":"python","invitation":null,"challenge":null,"nonce":null}"#)
        #expect(answer.json as? [String: String] == ["username": name])
        #expect(answer["Ignored-Fields"] == nil)
    }

    /// Every route that reads JSON, with an additional field.
    @Test func everyRouteNamesThem() async throws {
        let miguel = try await server.newAccount()
        let start = try await send(
            "POST", "/api/tokens", #"{"username":"\#(miguel.name)","password":"python","remember":true}"#)
        #expect(start.status == 200)
        let access = try #require(start.json["access_token"] as? String)
        let refresh = try #require(start.json["refresh_token"] as? String)
        let renewal = try await send("PUT", "/api/tokens", #"{"refresh_token":"\#(refresh)","scope":"all"}"#)
        #expect(renewal.status == 200)
        let change = try await send(
            "PUT", "/api/me/password", #"{"current_password":"python","new_password":"monty","repeat":"monty"}"#,
            [bearer(access)])
        #expect(change.status == 200)
        let changeByPassword = try await send(
            "PUT", "/api/me/password", #"{"current_password":"monty","new_password":"python","repeat":"python"}"#,
            [basic(miguel.name, "monty")])
        #expect(changeByPassword.status == 204)
        let tokens = try await server.signIn(miguel)
        let end = try await send(
            "DELETE", "/api/tokens", #"{"refresh_token":"\#(tokens.refresh)","all":true}"#)
        #expect(end.status == 204)
        let token = try await server.token(miguel)
        let deletion = try await send("DELETE", "/api/me", #"{"password":"python","reason":"-"}"#, [bearer(token)])
        #expect(deletion.status == 204)
        #expect(
            [start, renewal, change, changeByPassword, end, deletion].map { $0["Ignored-Fields"] } == [
                #""remember""#, #""scope""#, #""repeat""#, #""repeat""#, #""all""#, #""reason""#,
            ])
    }

    /// The unknown field may be the reason for the refusal.
    @Test func aRefusalNamesThemToo() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for (method, path, body, code) in [
            ("POST", "/api/users", #"{"username":"\#(miguel.name)","password":"x","more":1}"#, "user_already_exists"),
            ("POST", "/api/users", #"{"username":"a:b","password":"x","more":1}"#, "validation_failed"),
            ("POST", "/api/tokens", #"{"username":"\#(miguel.name)","password":"x","more":1}"#, "invalid_credentials"),
            ("PUT", "/api/tokens", #"{"refresh_token":"x","more":1}"#, "invalid_grant"),
            ("DELETE", "/api/tokens", #"{"refresh_token":7,"more":1}"#, "validation_failed"),
            (
                "PUT", "/api/me/password", #"{"current_password":"x","new_password":"y","more":1}"#,
                "current_password_invalid"
            ),
            ("DELETE", "/api/me", #"{"password":"x","more":1}"#, "current_password_invalid"),
        ] {
            let answer = try await send(method, path, body, path.hasPrefix("/api/me") ? [bearer(token)] : [])
            #expect(answer.code == code, "\(method) \(path)")
            #expect(answer["Ignored-Fields"] == "\"more\"", "\(method) \(path)")
        }
    }

    /// A missing field may have been sent under another name.
    @Test func aMisspeltFieldIsNamedWhereOneIsMissing() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for (method, path, body, missing, found) in [
            ("POST", "/api/users", #"{"user":"x","password":"y"}"#, "username", "user"),
            ("POST", "/api/users", #"{"username":"x","Password":"y"}"#, "password", "Password"),
            ("POST", "/api/tokens", #"{"email":"x","password":"y"}"#, "username", "email"),
            ("PUT", "/api/tokens", #"{"refreshToken":"x"}"#, "refresh_token", "refreshToken"),
            ("DELETE", "/api/tokens", #"{"refreshToken":"x"}"#, "refresh_token", "refreshToken"),
            (
                "PUT", "/api/me/password", #"{"currentPassword":"x","new_password":"y"}"#, "current_password",
                "currentPassword"
            ),
            (
                "PUT", "/api/me/password", #"{"current_password":"python","newPassword":"y"}"#, "new_password",
                "newPassword"
            ),
            ("DELETE", "/api/me", #"{"pass":"python"}"#, "password", "pass"),
        ] {
            let headers = path.hasPrefix("/api/me") ? [bearer(token)] : []
            let answer = try await send(method, path, body, headers)
            #expect(answer.status == 400, "\(method) \(path)")
            #expect(answer.code == "validation_failed")
            let detail = answer.json["detail"] as? String
            #expect(detail == "missing argument: \(missing); not understood: \(found)")
        }
        #expect(try await server.send("GET", "/api/me", headers: [miguel.basic]).status == 200)
        // Without a body, signing out takes credentials as before.
        #expect(try await server.send("DELETE", "/api/tokens").code == "credentials_required")
    }

    /// Servers that require more than a name and a password.
    @Test(arguments: [
        (["--registration", "invitation"], "invite", "invitation_required"),
        (["--registration-challenge", "8"], "Nonce", "challenge_required"),
    ])
    func aMisspeltProofIsNamedWhereOneIsAskedFor(arguments: [String], found: String, code: String) async throws {
        let server = try await RunningServer(arguments)
        func register(_ body: String) async throws -> HTTPAnswer {
            try await server.send("POST", "/api/users", headers: ["Content-Type: application/json"], body: body)
        }
        let answer = try await register(#"{"username":"miguel","password":"python","\#(found)":"x"}"#)
        #expect(answer.code == code)
        let detail = try #require(answer.json["detail"] as? String)
        #expect(detail.hasSuffix("; not understood: \(found)"), "\(detail)")
        let other = try await register(#"{"username":"miguel","password":"python"}"#)
        #expect(other.code == code)
        #expect(other.json["detail"] as? String == detail.replacing("; not understood: \(found)", with: ""))
    }

    /// Proxies allow 4 KiB for the head of an answer.
    @Test func theFieldIsShortInBytesToo() async throws {
        let members = (0..<16).map { "\"\($0)\(String(repeating: "\u{1F511}", count: 62))\":1" }.joined(separator: ",")
        let name = RunningServer.newName()
        let answer = try await send("POST", "/api/users", #"{"username":"\#(name)","password":"python",\#(members)}"#)
        #expect(answer.status == 201)
        let field = try #require(answer["Ignored-Fields"])
        #expect(field.utf8.count <= 1024)
        #expect(field.hasPrefix("\"0%F0%9F%94%91"))
        #expect(field.hasSuffix("\""))
    }

    /// The names are untrusted text.
    @Test func theNamesAreShortFewAndCannotBreakTheHead() async throws {
        let names = [
            "a\\r\\nSet-Cookie: x=y", #"\"quoted\" \\ 100%"#, "ü日", "\\u0000", String(repeating: "n", count: 500), "",
        ]
        let many = (0..<200).map { "\"f\($0)\":1" }
        let members = names.map { "\"\($0)\":1" } + many
        let name = RunningServer.newName()
        let answer = try await send(
            "POST", "/api/users", #"{"username":"\#(name)","password":"python",\#(members.joined(separator: ","))}"#)
        #expect(answer.status == 201)
        let ignored = try #require(answer.json["ignored"] as? [String])
        #expect(ignored.count == 16)
        #expect(ignored.allSatisfy { $0.unicodeScalars.count <= 64 })
        #expect(ignored[1] == #""quoted" \ 100%"#)
        let field = try #require(answer["Ignored-Fields"])
        #expect(field.hasPrefix(#""a%0D%0ASet-Cookie: x=y", "\"quoted\" \\ 100%25", "%C3%BC%E6%97%A5", "%00", "nnn"#))
        #expect(answer["Set-Cookie"] == nil)
        #expect(field.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
    }
}

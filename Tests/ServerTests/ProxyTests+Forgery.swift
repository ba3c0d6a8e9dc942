import Foundation
import Support
import Testing

extension ProxyTests {
    private static let forgedFields = [
        "Remote-User: eve", "Remote-User-Id: 99", "Remote-Groups: admin", "remote-groups: admin",
        "REMOTE-GROUPS: admin", "Remote_User: eve", "Remote_Groups: admin", "remote_user-id: 99", "Remote-User_Id: 99",
    ]

    @Test(arguments: Proxy.allCases)
    func theClientsOwnIdentityFieldsNeverReachTheApplication(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        // The user has no role, so the server's answer about roles is empty: it must still replace
        // the forged field.
        for forged in Self.forgedFields.map({ [$0] }) + [Self.forgedFields] {
            let answer = try await visitor.send("GET", "/", headers: [bearer(token)] + forged)
            #expect(answer.status == 200)
            #expect(Seen(answer.json).identity == identity(miguel), "\(forged)")
        }
    }

    @Test(arguments: Proxy.allCases) func rolesAreTheServersAndNotTheClients(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "staff", "admin")
        let answer = try await visitor.send("GET", "/", headers: [miguel.basic, "Remote-Groups: root"])
        #expect(Seen(answer.json).identity == identity(miguel).merging(["remote-groups": "admin,staff"]) { $1 })
    }

    @Test(arguments: Proxy.allCases) func theClientCannotHaveTheIdentityTakenAway(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let miguel = try await server.newAccount()
        for names in ["Remote-User", "close, Remote-User-Id", "remote-groups, remote-user, remote-user-id"] {
            let answer = try await visitor.send(
                "GET", "/", headers: [miguel.basic, "Connection: \(names)", "Remote-Groups: admin"])
            #expect(answer.status == 200)
            #expect(Seen(answer.json).identity == identity(miguel), "\(names)")
        }
    }

    @Test(arguments: Proxy.allCases) func namesArriveAsTheyWereTyped(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        // Names with the proxies' own placeholders, and names that are not ASCII.
        for name in ["Zoë, Миша", "$host", "${host}", "{env.PATH}", "{http.request.header.Host}", "100%41"] {
            let account = try await server.newAccount(name)
            let answer = try await visitor.send("GET", "/", headers: [account.basic])
            #expect(Seen(answer.json).identity["remote-user"] == account.name)
        }
    }

    @Test(arguments: Proxy.allCases) func forwardedFieldsOfTheClientDoNotCount(proxy: Proxy) async throws {
        let visitor = try await Visitor(proxy, auth: server)
        let (susan, miguel) = (RunningServer.newName("susan"), try await server.newAccount())
        let forged = ["X-Forwarded-For: 198.51.100.66", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"]
        func register() async throws -> HTTPAnswer {
            try await visitor.send(
                "POST", "/api/users", headers: forged + ["Content-Type: application/json"],
                body: json(["username": susan, "password": "python"]))
        }
        let answer = try await register()
        #expect(answer.status == 201)
        let location = try #require(answer["Location"])
        let seen = Seen(try await visitor.send("GET", "/", headers: forged + [basic(susan, "python")]).json)
        let id = try #require(seen.identity["remote-user-id"])
        #expect(location == "http://127.0.0.1/api/users/\(id)")
        #expect(seen.fields["x-forwarded-for"] == ["127.0.0.1"])
        #expect(seen.fields["x-forwarded-proto"] == ["http"])
        #expect(seen.fields["x-forwarded-host"] == ["127.0.0.1"])
        // The log tells whose requests these were.
        let again = try #require(try await register().json["request_id"] as? String)
        #expect(try await visitor.send("GET", "/", headers: forged + [basic(miguel.name, "x")]).status == 401)
        for field in ["request_id=\(again)", "username=\(miguel.name)"] {
            var line: Substring?
            try await wait(for: "the line with \(field)") {
                line = server.log.split(separator: "\n").first { $0.split(separator: " ").contains { $0 == field } }
                return line != nil
            }
            #expect(line?.contains("address=127.0.0.1 ") == true)
        }
        #expect(!server.log.contains("198.51.100.66"))
    }

    func identity(_ account: Account) -> [String: String] {
        ["remote-user": account.name, "remote-user-id": "\(account.id)"]
    }
}

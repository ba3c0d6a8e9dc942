import Foundation
import RESTAuth
import Support
import Testing

/// Data that anybody may read unless the settings say otherwise, and the limits on reading it.
@Suite struct PublicByDefaultTests {
    /// Uses settings under which only signed-in users see a user.
    @Test func aUserIsShownToWhoIsSignedInOnly() async throws {
        let server = try await RunningServer(["--public-users", "no"])
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount("susan"))
        let token = try await server.token(miguel)
        for path in ["/api/users/\(susan.id)", "/api/user/\(susan.id)"] {
            for refused in [[], [basic(miguel.name, "wrong")], [bearer("x.y.z")]] {
                let answer = try await server.send("GET", path, headers: refused)
                #expect(answer.status == 401)
                let scheme = refused == [bearer("x.y.z")] ? "Bearer" : "Basic"
                #expect(answer["WWW-Authenticate"]?.hasPrefix("\(scheme) realm=") == true)
                #expect(!answer.body.contains(susan.name))
            }
            #expect(try await server.send("HEAD", path).status == 401)
            for allowed in [miguel.basic, basic(token, ""), bearer(token)] {
                #expect(
                    try await server.send("GET", path, headers: [allowed]).json["username"] as? String == susan.name)
            }
        }
        // The answers do not reveal either which ids exist.
        #expect(try await server.send("GET", "/api/users/999999").status == 401)
        #expect(try await server.send("GET", "/api/users/999999", headers: [miguel.basic]).status == 400)
        #expect(try await server.send("GET", "/api/users/abc").status == 404)
    }

    /// Sends requests through a proxy that reports a network which no other test uses.
    @Test(arguments: ["yes", "no"]) func numbersAreNotTriedOneAfterTheOther(isPublic: String) async throws {
        let server = try await RunningServer([
            "--public-users", isPublic, "--user-lookups-per-hour", "20", "--trusted-proxies", "127.0.0.1",
        ])
        let miguel = try await server.newAccount()
        let token = bearer(try await server.token(miguel))
        func look(_ id: Int, from address: String) async throws -> HTTPAnswer {
            try await server.send("GET", "/api/users/\(id)", headers: ["X-Forwarded-For: \(address)", token])
        }
        for id in 1...20 { #expect(try await look(id, from: "192.0.2.1").status == (id == miguel.id ? 200 : 400)) }
        for address in ["192.0.2.1", "192.0.2.200"] {
            let answer = try await look(21, from: address)
            #expect(answer.status == 429)
            #expect(answer.json["code"] as? String == "rate_limited")
            #expect(Int(answer["Retry-After"] ?? "").map { (1...3600).contains($0) } == true)
        }
        // Looking up the same users again is not counted, and other networks are not affected.
        #expect(try await look(miguel.id, from: "192.0.2.1").status == 200)
        #expect(try await look(21, from: "198.51.100.1").status == 400)
        // A customer's 256 networks together have four times the limit of one.
        var answered = 0
        for network in 0..<8 {
            for id in 1...20 {
                let address = "2001:db8:7:\(String(network * 256, radix: 16))::1"
                answered += try await look(1000 * network + id, from: address).status == 429 ? 0 : 1
            }
        }
        #expect(answered == 80)
    }

    /// Uses settings under which only clients see the list.
    @Test func theListOfRevocationsIsForClientsOnly() async throws {
        let server = try await RunningServer(["--public-revocations", "no"])
        let miguel = try await server.newAccount()
        let secret = try await server.addClient("gateway")
        let token = try await server.token(miguel)
        let refused = [
            [], [miguel.basic], [bearer(token)], [basic(token, "")], [basic("gateway", "wrong")],
            [basic("nobody", secret)], [basic("gateway", secret), basic("gateway", secret)], ["Authorization: Basic"],
        ]
        for path in ["/api/revocations", "/api/revocations?since=0", "/api/revocations?since=nonsense"] {
            for headers in refused {
                let answer = try await server.send("GET", path, headers: headers)
                #expect(answer.status == 401, "\(path) \(headers)")
                #expect(!answer.body.contains("revocations\":"))
                #expect(answer["Cache-Control"] == "no-store")
            }
        }
        #expect(try await server.send("HEAD", "/api/revocations").status == 401)
        let list = try await server.send("GET", "/api/revocations", headers: [basic("gateway", secret)])
        #expect(list.status == 200)
        #expect(list["Cache-Control"] == "private, no-cache")
        let again = try await server.send(
            "GET", "/api/revocations", headers: [basic("gateway", secret), "If-None-Match: \(list["ETag"] ?? "")"])
        #expect(again.status == 304)
        #expect(try await server.send("GET", "/api/revocations", headers: ["If-None-Match: *"]).status == 401)
    }

    /// The digest of a role in the list tells its name only to someone with a token of that user.
    @Test func theListDoesNotNameRoles() async throws {
        let server = try await RunningServer()
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount("susan"))
        for account in [miguel, susan] { try await server.command("users", "grant", account.name, "admin", "editor") }
        let (token, other) = (try await server.token(miguel), try await server.token(susan))
        for account in [miguel, susan] { try await server.command("users", "revoke", account.name, "admin") }
        let answer = try await server.send("GET", "/api/revocations")
        let lines = try #require(answer.json["revocations"] as? [[String: Any]])
        let roles = lines.compactMap { $0["role"] as? String }
        #expect(roles.count == 2)
        #expect(Set(roles).count == 2)
        #expect(!answer.body.contains("admin"))
        for (token, role) in zip([token, other], roles) {
            let key = RoleKey(try #require(try claims(of: token)["roles_key"] as? String))
            #expect(key.digest(of: "admin") == role)
            #expect(key.digest(of: "editor") != role)
            #expect(try await server.send("GET", "/api/resource", headers: [bearer(token)]).status == 401)
        }
    }

    private func claims(of token: String) throws -> [String: Any] {
        var payload = String(token.split(separator: ".")[1]).replacing("-", with: "+").replacing("_", with: "/")
        payload += String(repeating: "=", count: (4 - payload.utf8.count % 4) % 4)
        let data = try #require(Data(base64Encoded: payload))
        return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func whoeverReachesItFromOutsideIsTold() async throws {
        let server = try await RunningServer(["--hostname", "0.0.0.0"])
        try await wait(for: "the log to say so") {
            server.log.contains("--public-users no") && server.log.contains("--public-revocations no")
        }
        let closed = try await RunningServer([
            "--hostname", "0.0.0.0", "--public-users", "no", "--public-revocations", "no",
        ])
        try await wait(for: "the other warnings") { closed.log.contains("passwords travel in the clear") }
        #expect(!closed.log.contains("--public-users"))
        #expect(!closed.log.contains("--public-revocations"))
    }
}

import Foundation
import Support
import Testing

/// What anybody may read unless the settings say otherwise, and how much of it.
@Suite struct PublicByDefaultTests {
    /// With settings of its own: nobody but who is signed in sees a user.
    @Test func aUserIsShownToWhoIsSignedInOnly() async throws {
        let server = try await RunningServer(["--public-users", "no"])
        let (miguel, susan) = (try await server.newAccount(), try await server.newAccount("susan"))
        let token = try await server.token(miguel)
        for path in ["/api/users/\(susan.id)", "/api/user/\(susan.id)"] {
            for refused in [[], [basic(miguel.name, "wrong")], [bearer("x.y.z")]] {
                let answer = try await server.send("GET", path, headers: refused)
                #expect(answer.status == 401)
                #expect(answer["WWW-Authenticate"] == #"Basic realm="Authentication Required""#)
                #expect(!answer.body.contains(susan.name))
            }
            #expect(try await server.send("HEAD", path).status == 401)
            for allowed in [miguel.basic, basic(token, ""), bearer(token)] {
                #expect(
                    try await server.send("GET", path, headers: [allowed]).json["username"] as? String == susan.name)
            }
        }
        // Nobody learns either which numbers there are.
        #expect(try await server.send("GET", "/api/users/999999").status == 401)
        #expect(try await server.send("GET", "/api/users/999999", headers: [miguel.basic]).status == 400)
        #expect(try await server.send("GET", "/api/users/abc").status == 404)
    }

    /// A network of its own, behind a proxy that says so: what is counted is nobody else's.
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
        // The same ones again are no trying, and others are not held up.
        #expect(try await look(miguel.id, from: "192.0.2.1").status == 200)
        #expect(try await look(21, from: "198.51.100.1").status == 400)
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

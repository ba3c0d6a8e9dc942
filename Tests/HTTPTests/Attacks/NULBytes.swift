import Foundation
import Support
import Testing

/// A NUL byte, which no text in PostgreSQL can contain and which ends C strings, is refused in
/// every place where a client can send one, without effect on others.
@Suite(.server()) struct NULBytes {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private static let formType = "Content-Type: application/x-www-form-urlencoded"

    /// Requests to `/oauth/introspect`, each with a client id or secret that cannot exist.
    private static let clients: [(header: String?, form: String)] = [
        (nil, "token=x&client_id=a%00b&client_secret=y"), (nil, "token=x&client_id=%00&client_secret=y"),
        (nil, "token=x&client_id=gateway%00&client_secret=%00"), (nil, "token=%00&client_id=a%00&client_secret=y"),
        (basic("a%00b", "y"), "token=x"), (basic("%00", "%00"), "token=x"), (basic("a\0b", "y"), "token=x"),
        (nil, "token=x&client_id=a%EF%BF%BFb&client_secret=y"), (nil, "token=x&client_id=a+b&client_secret=y"),
    ]

    @Test(arguments: ["/oauth/introspect", "/oauth/revoke"])
    func aClientThatCouldBeNoneIsRefusedAsAnyOther(path: String) async throws {
        for (header, form) in Self.clients {
            let headers = [Self.formType] + [header].compactMap(\.self)
            let answer = try await server.send("POST", path, headers: headers, body: form)
            #expect(answer.status == 401, "\(header ?? "") \(form)")
            #expect(
                answer.json["error"] as? String == "invalid_client"
                    || answer.json["code"] as? String == "invalid_client")
        }
    }

    @Test func othersReadMeanwhileAsIfNothingWere() async throws {
        let (server, miguel) = (server, try await server.newAccount())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let attacker = try await server.connect()
                    for _ in 0..<Soak.count(50, soak: 1000) {
                        for (header, form) in Self.clients {
                            let headers = [Self.formType] + [header].compactMap(\.self)
                            _ = try await attacker.send("POST", "/oauth/introspect", headers: headers, body: form)
                        }
                    }
                }
            }
            for path in ["/api/users/\(miguel.id)", "/health/ready", "/api/revocations"] {
                group.addTask {
                    let other = try await server.connect()
                    for _ in 0..<Soak.count(100, soak: 2000) {
                        #expect(try await other.send("GET", path).status == 200)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// The method, path, and body with a NUL byte.
    private static let bodies: [(String, String, String)] = [
        ("POST", "/api/users", #"{"username":"mi\u0000guel","password":"python"}"#),
        ("POST", "/api/users", #"{"username":"\u0000","password":"python"}"#),
        ("POST", "/api/users", #"{"username":"nobody","password":"py\u0000thon"}"#),
        ("POST", "/api/users", #"{"username\u0000":"nobody","password":"python"}"#),
        ("POST", "/api/tokens", #"{"username":"mi\u0000guel","password":"python"}"#),
        ("POST", "/api/tokens", #"{"username":"miguel","password":"\u0000"}"#),
        ("PUT", "/api/tokens", #"{"refresh_token":"\u0000"}"#),
        ("DELETE", "/api/tokens", #"{"refresh_token":"a\u0000"}"#),
    ]

    private static let paths = [
        "/api/users/%00", "/api/users/1%00", "/api/user/%00", "/api/users?after=%00", "/api/me/sessions?after=%00",
        "/api/revocations?since=%00", "/api/revocations?since=1%00", "/%00", "/api/%00",
    ]

    @Test func nowhereIsItMoreThanABadRequest() async throws {
        for (method, path, body) in Self.bodies {
            let answer = try await server.send(
                method, path, headers: ["Content-Type: application/json"], body: body)
            let isSignOut = method == "DELETE" && answer.status == 204
            #expect((400..<500).contains(answer.status) || isSignOut, "\(method) \(path) \(body): \(answer.status)")
        }
        let miguel = try await server.newAccount()
        for path in Self.paths {
            for headers in [[], [miguel.basic]] {
                let answer = try await server.send("GET", path, headers: headers)
                #expect((400..<500).contains(answer.status), "\(path): \(answer.status)")
            }
        }
        for name in ["mi\0guel", "\0", miguel.name + "\0"] {
            #expect(try await server.send("GET", "/api/token", headers: [basic(name, "python")]).status == 401)
            #expect(try await server.send("GET", "/api/token", headers: [basic(miguel.name, name)]).status == 401)
        }
    }
}

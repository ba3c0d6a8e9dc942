import Foundation
import Support
import Testing

/// A token in the query of a URL: never taken, refused by its name, and not logged. Tested on the
/// real binary; over HTTP/2 by `ClearTextHTTP2Tests`.
@Suite(.server()) struct TokenInQueryTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test(arguments: [
        "access_token", "token", "bearer_token", "Authorization", "api_key",
    ])
    func inAQueryItIsRefusedAndNotLogged(name: String) async throws {
        let server = try await RunningServer(["--log-level", "debug"])
        let token = try await server.personalToken(of: server.newAccount()).token
        for path in ["/api/resource", "/api/me", "/api/users", "/api/verify/x"] {
            let answer = try await server.send("GET", "\(path)?\(name)=\(token)")
            let isNamed = name == "access_token" && path != "/api/verify/x"
            #expect(answer.status == (isNamed ? 400 : 401), "\(path)")
            #expect(answer.code == (isNamed ? "invalid_request" : "credentials_required"), "\(path)")
            #expect(!answer.body.contains(token))
        }
        let answer = try await server.send("GET", "/api/verify?\(name)=\(token)")
        #expect(answer.status == 400)
        #expect(!answer.body.contains(token))
        _ = try await server.send("GET", "/\(token)")
        _ = try await server.send("POST", "/api/tokens?\(name)=\(token)", headers: [bearer(token)])
        _ = try await server.send("GET", "/api/token", headers: [basic("\(token)x", "x")])
        #expect(try await server.stop() == 0)
        #expect(!server.log.contains(token))
        #expect(!server.log.contains(token.dropFirst(7).dropLast(6)))
    }

    /// RFC 6750 section 2: a request has one token, in one place.
    @Test(arguments: [
        "access_token=TOKEN", "access_token=", "access_token", "a=b&access_token=TOKEN&c", "access%5Ftoken=TOKEN",
        "access%5ftoken", "%61%63cess_token=x&", "&&access_token=%zz", "x#access_token=TOKEN&access_token",
    ])
    func besideTheFieldItIsRefusedToo(query: String) async throws {
        let miguel = try await server.newAccount()
        let boss = try await server.newOperator()
        let token = try await server.personalToken(of: miguel).token
        let query = query.replacing("TOKEN", with: token)
        for (header, isBearer) in [(bearer(token), true), (miguel.basic, false), (basic(token, ""), false)] {
            // From the second time on, the token itself is answered from memory.
            #expect(try await server.send("GET", "/api/resource", headers: [header]).status == 200)
            for path in ["/api/resource", "/api/me", "/api/me/tokens", "/api/users", "/api/token"] {
                let answer = try await server.send("GET", "\(path)?\(query)", headers: [header])
                #expect(answer.status == 400, "\(path)?\(query)")
                #expect(answer.code == "invalid_request", "\(path)?\(query)")
                #expect(!answer.body.contains(token))
                let challenge = #"Bearer realm="Authentication Required", error="invalid_request""#
                #expect(answer.all("WWW-Authenticate") == (isBearer ? [challenge] : []))
            }
        }
        // Where any unknown parameter is refused, this one is with its own code.
        for (method, path) in [("GET", "/api/operator/users"), ("DELETE", "/api/operator/throttle")] {
            let answer = try await server.send(method, "\(path)?\(query)", as: boss)
            #expect(answer.status == 400 && answer.code == "invalid_request", "\(path)")
        }
        let services = "/api/operator/service-accounts"
        let made = try await server.send("POST", "\(services)?\(query)", as: boss, json: ["id": miguel.name])
        #expect(made.status == 400 && made.code == "invalid_request")
        #expect(try await server.send("GET", "\(services)/\(miguel.name)", as: boss).status == 404)
    }

    /// The routes that read the field themselves.
    @Test(arguments: [("POST", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/step-up")])
    func nothingIsDoneWithASession(method: String, path: String) async throws {
        let miguel = try await server.newAccount()
        let session = try await server.signIn(miguel)
        let header = method == "POST" && path.isEmpty ? miguel.basic : bearer(session.access)
        let answer = try await server.send(
            method, "/api/tokens\(path)?access_token=x", headers: [header, "Content-Type: application/json"],
            body: "{\"refresh_token\":\"\(session.refresh)\"}")
        #expect(answer.status == 400 && answer.code == "invalid_request")
        #expect(try await server.send("GET", "/api/me", headers: [bearer(session.access)]).status == 200)
        let sessions = try await server.send("GET", "/api/me/sessions", headers: [bearer(session.access)])
        #expect(sessions.entries.count == 1)
    }

    /// Other names, and the query of another application, whose client a proxy asks about.
    @Test func otherParametersAreNoToken() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.personalToken(of: miguel).token
        for query in ["", "access_tokens=x", "Access_Token=x", "access-token=x", "a=access_token", "access%255Ftoken"] {
            let answer = try await server.send("GET", "/api/resource?\(query)", headers: [bearer(token)])
            #expect(answer.status == 200, "\(query)")
        }
        let path = "/api/verify/notes?access_token=\(token)"
        #expect(try await server.send("GET", path, headers: [miguel.basic]).status == 200)
        #expect(try await server.send("GET", path).status == 401)
        let own = try await server.send("GET", "/api/verify?access_token=\(token)", headers: [miguel.basic])
        #expect(own.status == 400 && own.code == "validation_failed")
        // Open to everyone, whoever asks.
        #expect(try await server.send("GET", "/health/live?access_token=x", headers: [bearer(token)]).status == 200)
    }
}

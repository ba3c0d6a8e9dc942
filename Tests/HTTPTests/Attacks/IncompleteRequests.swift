import Foundation
import Support
import Testing

/// Requests that end early, by an attacker or the network: an incomplete request changes nothing.
///
/// The timeouts are longer than a test waits, so that no answer and no end of a connection comes
/// from them.
@Suite(.server("--request-timeout", "600", "--idle-timeout", "600")) struct IncompleteRequests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    /// The missing part of a body.
    enum Lack: CaseIterable {
        case bytes, lastChunk, restOfChunk, trailers

        func request(_ line: String, _ fields: [String], _ body: String) -> String {
            let chunk = String(body.utf8.count, radix: 16)
            let (field, sent) =
                switch self {
                case .bytes: ("Content-Length: \(body.utf8.count + 10)", body)
                case .lastChunk: ("Transfer-Encoding: chunked", "\(chunk)\r\n\(body)\r\n")
                case .restOfChunk: ("Transfer-Encoding: chunked", "\(chunk)0\r\n\(body)")
                case .trailers: ("Transfer-Encoding: chunked", "\(chunk)\r\n\(body)\r\n0\r\nX-Trailer: x\r\n")
                }
            let head = ["\(line) HTTP/1.1", "Host: 127.0.0.1"] + fields + [field, "", ""]
            return head.joined(separator: "\r\n") + sent
        }
    }

    private static let json = "Content-Type: application/json"

    /// Sends the incomplete request and closes the sending side.
    private func send(_ line: String, _ fields: [String], _ body: String, lacking lack: Lack) async throws {
        let connection = try await server.connect()
        try await connection.write(lack.request(line, fields, body))
        connection.finishWriting()
        let answer = try await connection.readAnswer()
        #expect(answer.status == 400)
        #expect(answer.code == "bad_request")
        #expect(answer["Connection"] == "close")
        #expect(await connection.isEnded())
    }

    @Test(arguments: Lack.allCases)
    func nobodyIsRegistered(lack: Lack) async throws {
        for _ in 0..<5 {
            let name = RunningServer.newName()
            let body = Support.json(["username": name, "password": "python"])
            try await send("POST /api/users", [Self.json], body, lacking: lack)
            #expect(try await server.register(name, "python").status == 201)
        }
    }

    @Test(arguments: Lack.allCases)
    func noPasswordIsChanged(lack: Lack) async throws {
        let miguel = try await server.newAccount()
        let body = Support.json(["current_password": "python", "new_password": "cat"])
        try await send("PUT /api/me/password", [Self.json, miguel.basic], body, lacking: lack)
        #expect(try await server.send("GET", "/api/token", headers: [miguel.basic]).status == 200)
        #expect(
            try await server.send("GET", "/api/token", headers: [basic(miguel.name, "cat")]).status == 401)
    }

    @Test(arguments: Lack.allCases)
    func noSessionIsRenewedOrEnded(lack: Lack) async throws {
        let (miguel, gateway) = (try await server.newAccount(), RunningServer.newName("gateway"))
        let secret = try await server.addClient(gateway)
        let tokens = try await server.signIn(miguel)
        let body = Support.json(["refresh_token": tokens.refresh])
        for _ in 0..<3 {
            try await send("PUT /api/tokens", [Self.json], body, lacking: lack)
            try await send("DELETE /api/tokens", [Self.json], body, lacking: lack)
            try await send(
                "DELETE /api/me", [Self.json, bearer(tokens.access)], #"{"password":"python"}"#, lacking: lack)
            try await send(
                "POST /oauth/revoke",
                ["Content-Type: application/x-www-form-urlencoded", basic(gateway, secret)],
                "token=\(tokens.refresh)", lacking: lack)
        }
        #expect(try await server.sessions(miguel.basic).count == 1)
        // The refresh token is unused: a used one could not be traded again like this.
        #expect(try await server.refresh(tokens.refresh).status == 200)
    }

    /// Routes that read no body: it is still part of the request.
    @Test(arguments: Lack.allCases)
    func noSessionIsStarted(lack: Lack) async throws {
        let miguel = try await server.newAccount()
        for line in ["POST /api/tokens", "GET /api/token"] {
            try await send(line, [miguel.basic], "{}", lacking: lack)
        }
        let tokens = try await server.signIn(miguel)
        try await send("DELETE /api/me/sessions", [bearer(tokens.access)], "{}", lacking: lack)
        try await send("DELETE /api/me", [miguel.basic], "{}", lacking: lack)
        #expect(try await server.sessions(miguel.basic).count == 1)
    }

    /// Bodies of any size: a body that is too large is refused before the request is acted on.
    @Test(arguments: ["Content-Length: 10000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nfffff\r\n"])
    func whatIsTooLargeIsNotActedOnEither(rest: String) async throws {
        let miguel = try await server.newAccount()
        let tokens = try await server.signIn(miguel)
        for line in ["POST /api/tokens", "GET /api/token", "DELETE /api/me", "DELETE /api/me/sessions"] {
            let connection = try await server.connect()
            try await connection.write(
                "\(line) HTTP/1.1\r\nHost: a\r\n\(miguel.basic)\r\n\(rest)" + String(repeating: " ", count: 70_000))
            let answer = try await connection.readAnswer()
            #expect(answer.status == 413)
            #expect(answer.code == "content_too_large")
            #expect(answer["Connection"] == "close")
        }
        #expect(try await server.sessions(miguel.basic).count == 1)
        #expect(try await server.refresh(tokens.refresh).status == 200)
    }

    @Test func whatCameBeforeABodyThatIsTooLargeIsAnsweredFirst() async throws {
        for fields in ["", "Connection: close\r\n"] {
            let connection = try await server.connect()
            try await connection.write(
                "GET /api/users/999999999 HTTP/1.1\r\nHost: a\r\n\r\nGET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
                    + "POST /api/users HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: 10000000\r\n\r\n")
            #expect(try await connection.readAnswer().code == "user_not_found")
            #expect(try await connection.readAnswer().status == 200)
            #expect(try await connection.readAnswer().code == "content_too_large")
            connection.finishWriting()
            #expect(await connection.isEnded())
        }
    }

    /// The request before the incomplete one has arrived whole.
    @Test func theRequestBeforeItIsAnswered() async throws {
        let tokens = try await server.signIn(server.newAccount())
        let name = RunningServer.newName()
        let renewal = Support.json(["refresh_token": tokens.refresh])
        let connection = try await server.connect()
        try await connection.write(
            "PUT /api/tokens HTTP/1.1\r\nHost: a\r\nContent-Length: \(renewal.utf8.count)\r\n\r\n\(renewal)"
                + Lack.bytes.request(
                    "POST /api/users", [Self.json], Support.json(["username": name, "password": "python"])))
        connection.finishWriting()
        #expect(try await connection.readAnswer().status == 200)
        #expect(try await connection.readAnswer().code == "bad_request")
        #expect(await connection.isEnded())
        #expect(try await server.register(name, "python").status == 201)
    }

    /// A token that was valid when the head arrived and is refused when the end arrives.
    @Test(arguments: ["/api/resource", "/api/verify", "/api/me"])
    func credentialsAreJudgedWhenTheRequestIsWhole(path: String) async throws {
        let tokens = try await server.signIn(server.newAccount())
        #expect(try await server.send("GET", path, headers: [bearer(tokens.access)]).status == 200)
        let connection = try await server.connect()
        try await connection.write(
            "GET \(path) HTTP/1.1\r\nHost: a\r\n\(bearer(tokens.access))\r\nContent-Length: 2\r\n\r\n{")
        #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)]).status == 204)
        try await connection.write("}")
        #expect(try await connection.readAnswer().status == 401)
    }
}

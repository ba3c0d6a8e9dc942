import Foundation
import Support
import Testing

/// The original Flask server's contract, row by row, tested on the real binary.
@Suite(.server()) struct ContractTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test func registrationAnswers201WithTheNameAndALocation() async throws {
        let susan = RunningServer.newName("susan")
        let answer = try await server.register(susan, "cat")
        #expect(answer.status == 201)
        #expect(answer.json as? [String: String] == ["username": susan])
        #expect(answer["Content-Type"] == "application/json")
        let location = try #require(answer["Location"])
        let path = try #require(
            location.wholeMatch(of: /http:\/\/127\.0\.0\.1(\/api\/users\/[1-9][0-9]*)/)?.1, "\(location)")
        #expect(try await server.send("GET", String(path)).json as? [String: String] == ["username": susan])
    }

    @Test func locationNamesTheHostAsTheClientSawIt() async throws {
        let susan = RunningServer.newName("susan")
        let answer = try await server.send(
            "POST", "/api/users", headers: ["Host: auth.example.com:8080", "Content-Type: application/json"],
            body: json(["username": susan, "password": "cat"]))
        let location = try #require(answer["Location"])
        let path = try #require(
            location.wholeMatch(of: /http:\/\/auth\.example\.com:8080(\/api\/users\/[1-9][0-9]*)/)?.1, "\(location)")
        #expect(try await server.send("GET", String(path)).json as? [String: String] == ["username": susan])
    }

    /// Uses a server of its own, because it counts the registered users.
    @Test func aBadRegistrationAnswers400AndStoresNothing() async throws {
        let server = try await RunningServer(["--throttle", "no"])
        #expect(try await server.register("miguel", "python")["Location"] == "http://127.0.0.1/api/users/1")
        for body in [
            #"{"password":"python"}"#, #"{"username":"susan"}"#, #"{"username":null,"password":"python"}"#,
            #"{"username":"susan","password":null}"#, #"{"username":1,"password":"python"}"#,
            #"{"username":"susan","password":true}"#, #"{"username":["susan"],"password":"python"}"#,
            #"{"username":{"a":1},"password":"python"}"#, #"{"username":"","password":"python"}"#,
            #"{"username":"susan","password":""}"#, "{}", "[]", "null", "\"susan\"", "not JSON", "",
            #"{"username":"miguel","password":"other"}"#, #"{"username":"MIGUEL","password":"other"}"#,
        ] {
            let answer = try await server.send(
                "POST", "/api/users", headers: ["Content-Type: application/json"], body: body)
            #expect(answer.status == 400, "\(body)")
            #expect(answer.code != nil, "\(body)")
            #expect(try await server.send("GET", "/api/users/2").status == 400, "\(body)")
        }
        // Nor with a later number.
        let users = try await server.send("GET", "/api/users", headers: [basic("miguel", "python")])
        #expect((users.json["data"] as? [Any])?.count == 1)
    }

    @Test func theSecondVoicesWordsAreInTheDetail() async throws {
        let missing = try await server.send(
            "POST", "/api/users", headers: ["Content-Type: application/json"], body: #"{"username":"x"}"#)
        #expect((missing.json["detail"] as? String)?.contains("missing argument") == true)
        let miguel = try await server.newAccount()
        #expect(try await server.register(miguel.name, "x").json["detail"] as? String == "existing user")
        #expect(try await server.send("GET", "/api/users/999999999").json["detail"] as? String == "user not found")
    }

    @Test(arguments: ["/api/users", "/api/user"])
    func aUserIsPublicOnBothPaths(path: String) async throws {
        let miguel = try await server.newAccount()
        let answer = try await server.send("GET", "\(path)/\(miguel.id)")
        #expect(answer.status == 200)
        #expect(answer.json as? [String: String] == ["username": miguel.name])
    }

    @Test(arguments: [
        "/api/users/999999999", "/api/user/999999999", "/api/users/0", "/api/users/99999999999999999999999",
    ])
    func anUnknownUserAnswers400(path: String) async throws {
        let answer = try await server.send("GET", path)
        #expect(answer.status == 400)
        #expect(answer.code == "user_not_found")
    }

    @Test(arguments: [
        "/api/users/abc", "/api/users/1x", "/api/users/-1", "/api/users/+1", "/api/users/%31", "/api/users/1.0",
        "/api/user/x",
    ])
    func whatIsNoIntegerIsNoRoute(path: String) async throws {
        #expect(try await server.send("GET", path).status == 404)
    }

    @Test func aPasswordGivesATokenFor600Seconds() async throws {
        let miguel = try await server.newAccount()
        let answer = try await server.send("GET", "/api/token", headers: [miguel.basic])
        #expect(answer.status == 200)
        #expect(answer.json["duration"] as? Int == 600)
        #expect((answer.json["token"] as? String)?.split(separator: ".").count == 3)
        #expect(answer["Cache-Control"] == "no-store")
    }

    @Test func aTokenGivesAFreshToken() async throws {
        let token = try await server.token(server.newAccount())
        let answer = try await server.send("GET", "/api/token", headers: [basic(token, "anything")])
        #expect(answer.status == 200)
        let fresh = try #require(answer.json["token"] as? String)
        #expect(fresh != token)
        #expect(try await server.send("GET", "/api/resource", headers: [basic(fresh, "x")]).status == 200)
    }

    @Test func theResourceGreetsWhoGaveThePassword() async throws {
        let miguel = try await server.newAccount()
        let answer = try await server.send("GET", "/api/resource", headers: [miguel.basic])
        #expect(answer.status == 200)
        #expect(answer.json as? [String: String] == ["data": "Hello, \(miguel.name)!"])
    }

    @Test func theResourceGreetsWhoBroughtATokenWhateverThePassword() async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for header in [
            basic(token, "x"), basic(token, ""), basic(token, "a:b"), bearer(token), "authorization: bearer \(token)",
            "Authorization: BEARER  \(token)",
        ] {
            let answer = try await server.send("GET", "/api/resource", headers: [header])
            #expect(answer.status == 200)
            #expect(answer.json as? [String: String] == ["data": "Hello, \(miguel.name)!"])
        }
    }

    @Test(arguments: ["/api/token", "/api/resource"])
    func everyRefusalIs401WithTheChallengeAndTheWords(path: String) async throws {
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        let headers: [[String]] = [
            [], [basic(miguel.name, "wrong")], [basic("nobody", "python")], [basic(miguel.name, "")],
            [basic("", "python")], [basic("", "")], [basic(String(token.dropLast(4)) + "AAAA", "x")],
            [basic(token + "A", "x")], ["Authorization: Basic"], ["Authorization: Digest username=\(miguel.name)"],
            ["Authorization: Basic !!!"], ["Authorization: Basic " + Data(miguel.name.utf8).base64EncodedString()],
        ]
        for header in headers {
            let answer = try await server.send("GET", path, headers: header)
            #expect(answer.status == 401, "\(header)")
            #expect(answer.all("WWW-Authenticate") == [#"Basic realm="Authentication Required""#], "\(header)")
            #expect(answer.body.contains("Unauthorized Access"))
            #expect(answer.code != nil)
        }
    }

    @Test func aRefusedBearerTokenIsAnsweredWithTheBearerChallenge() async throws {
        let answer = try await server.send("GET", "/api/resource", headers: [bearer("nonsense")])
        #expect(answer.status == 401)
        #expect(
            answer.all("WWW-Authenticate") == [#"Bearer realm="Authentication Required", error="invalid_token""#])
    }

    /// Uses a server with settings of its own.
    @Test func aTokenExpires() async throws {
        let server = try await RunningServer(["--token-duration", "1"])
        let miguel = try await server.newAccount()
        var token = ""
        try await wait(for: "a token that is used in time") {
            token = try await server.token(miguel)
            return try await server.send("GET", "/api/resource", headers: [basic(token, "x")]).status == 200
        }
        try await wait(for: "the token to expire") {
            try await server.send("GET", "/api/resource", headers: [basic(token, "x")]).status == 401
        }
        #expect(try await server.send("GET", "/api/token", headers: [basic(token, "x")]).status == 401)
    }

    /// Uses servers of its own: both have the same user under the same id.
    @Test func aTokenOfAnotherInstanceIsRefused() async throws {
        async let starting = RunningServer()
        let (server, other) = try await (RunningServer(), starting)
        for instance in [server, other] { try await instance.register("miguel", "python") }
        let foreign = try await other.token("miguel", "python")
        #expect(try await other.send("GET", "/api/resource", headers: [basic(foreign, "x")]).status == 200)
        #expect(try await server.send("GET", "/api/resource", headers: [basic(foreign, "x")]).status == 401)
    }

    @Test func fiftyRacingRegistrationsOfOneNameGiveOne201() async throws {
        let race = RunningServer.newName("race")
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<50 {
                let name = index % 2 == 0 ? race : race.uppercased()
                group.addTask { try await server.register(name, "python").status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.filter { $0 == 201 }.count == 1)
        #expect(statuses.filter { $0 == 400 }.count == 49)
    }

    @Test func passwordsMayHoldColonsAndAnyScript() async throws {
        for (name, password) in [("colon", "a:b:c"), ("jürgen", "pässwörd"), ("日本語", "密码 😀"), ("blank", " ")] {
            let name = RunningServer.newName(name)
            #expect(try await server.register(name, password).status == 201)
            #expect(try await server.send("GET", "/api/resource", headers: [basic(name, password)]).status == 200)
        }
    }

    @Test func credentialsInLatin1AreUnderstood() async throws {
        let jürgen = try await server.newAccount("jürgen", password: "pässwörd")
        let text = "\(jürgen.name):\(jürgen.password)"
        let latin1 = try #require(text.data(using: .isoLatin1)).base64EncodedString()
        let answer = try await server.send("GET", "/api/resource", headers: ["Authorization: Basic \(latin1)"])
        #expect(answer.status == 200)
    }
}

import Foundation
import Support
import Testing

/// The ancestor's contract, row by row, through the real binary.
@Suite struct ContractTests {
    let server: RunningServer

    init() async throws {
        server = try await RunningServer()
        _ = try server.register("miguel", "python")
    }

    @Test func registrationAnswers201WithTheNameAndALocation() throws {
        let answer = try server.register("susan", "cat")
        #expect(answer.status == 201)
        #expect(answer.json as? [String: String] == ["username": "susan"])
        #expect(answer["Location"] == "http://127.0.0.1/api/users/2")
        #expect(answer["Content-Type"] == "application/json")
    }

    @Test func locationNamesTheHostAsTheClientSawIt() throws {
        let answer = try server.send(
            "POST", "/api/users", headers: ["Host: auth.example.com:8080", "Content-Type: application/json"],
            body: #"{"username":"susan","password":"cat"}"#)
        #expect(answer["Location"] == "http://auth.example.com:8080/api/users/2")
    }

    @Test(arguments: [
        #"{"password":"python"}"#, #"{"username":"susan"}"#, #"{"username":null,"password":"python"}"#,
        #"{"username":"susan","password":null}"#, #"{"username":1,"password":"python"}"#,
        #"{"username":"susan","password":true}"#,
        #"{"username":["susan"],"password":"python"}"#, #"{"username":{"a":1},"password":"python"}"#,
        #"{"username":"","password":"python"}"#, #"{"username":"susan","password":""}"#, "{}", "[]", "null",
        "\"susan\"", "not JSON", "",
        #"{"username":"miguel","password":"other"}"#, #"{"username":"MIGUEL","password":"other"}"#,
    ])
    func aBadRegistrationAnswers400AndStoresNothing(body: String) throws {
        let answer = try server.send("POST", "/api/users", headers: ["Content-Type: application/json"], body: body)
        #expect(answer.status == 400)
        #expect(answer.code != nil)
        #expect(try server.send("GET", "/api/users/2").status == 400)
    }

    @Test func theSecondVoicesWordsAreInTheDetail() throws {
        let missing = try server.send(
            "POST", "/api/users", headers: ["Content-Type: application/json"], body: #"{"username":"x"}"#)
        #expect((missing.json["detail"] as? String)?.contains("missing argument") == true)
        #expect(try server.register("miguel", "x").json["detail"] as? String == "existing user")
        #expect(try server.send("GET", "/api/users/99").json["detail"] as? String == "user not found")
    }

    @Test(arguments: ["/api/users/1", "/api/user/1"])
    func aUserIsPublicOnBothPaths(path: String) throws {
        let answer = try server.send("GET", path)
        #expect(answer.status == 200)
        #expect(answer.json as? [String: String] == ["username": "miguel"])
    }

    @Test(arguments: ["/api/users/99", "/api/user/99", "/api/users/0", "/api/users/99999999999999999999999"])
    func anUnknownUserAnswers400(path: String) throws {
        let answer = try server.send("GET", path)
        #expect(answer.status == 400)
        #expect(answer.code == "user_not_found")
    }

    @Test(arguments: [
        "/api/users/abc", "/api/users/1x", "/api/users/-1", "/api/users/+1", "/api/users/%31", "/api/users/1.0",
        "/api/user/x",
    ])
    func whatIsNoIntegerIsNoRoute(path: String) throws {
        #expect(try server.send("GET", path).status == 404)
    }

    @Test func aPasswordGivesATokenFor600Seconds() throws {
        let answer = try server.send("GET", "/api/token", headers: [basic("miguel", "python")])
        #expect(answer.status == 200)
        #expect(answer.json["duration"] as? Int == 600)
        #expect((answer.json["token"] as? String)?.split(separator: ".").count == 3)
        #expect(answer["Cache-Control"] == "no-store")
    }

    @Test func aTokenGivesAFreshToken() throws {
        let token = try server.token("miguel", "python")
        let answer = try server.send("GET", "/api/token", headers: [basic(token, "anything")])
        #expect(answer.status == 200)
        let fresh = try #require(answer.json["token"] as? String)
        #expect(fresh != token)
        #expect(try server.send("GET", "/api/resource", headers: [basic(fresh, "x")]).status == 200)
    }

    @Test func theResourceGreetsWhoGaveThePassword() throws {
        let answer = try server.send("GET", "/api/resource", headers: [basic("miguel", "python")])
        #expect(answer.status == 200)
        #expect(answer.json as? [String: String] == ["data": "Hello, miguel!"])
    }

    @Test func theResourceGreetsWhoBroughtATokenWhateverThePassword() throws {
        let token = try server.token("miguel", "python")
        for header in [
            basic(token, "x"), basic(token, ""), basic(token, "a:b"), bearer(token), "authorization: bearer \(token)",
            "Authorization: BEARER  \(token)",
        ] {
            let answer = try server.send("GET", "/api/resource", headers: [header])
            #expect(answer.status == 200)
            #expect(answer.json as? [String: String] == ["data": "Hello, miguel!"])
        }
    }

    @Test(arguments: ["/api/token", "/api/resource"])
    func everyRefusalIs401WithTheChallengeAndTheWords(path: String) throws {
        let token = try server.token("miguel", "python")
        let headers: [[String]] = [
            [], [basic("miguel", "wrong")], [basic("nobody", "python")], [basic("miguel", "")], [basic("", "python")],
            [basic("", "")],
            [basic(String(token.dropLast(4)) + "AAAA", "x")], [basic(token + "A", "x")], ["Authorization: Basic"],
            ["Authorization: Digest username=miguel"], ["Authorization: Basic !!!"],
            ["Authorization: Basic " + Data("miguel".utf8).base64EncodedString()],
        ]
        for header in headers {
            let answer = try server.send("GET", path, headers: header)
            #expect(answer.status == 401, "\(header)")
            #expect(answer.all("WWW-Authenticate") == [#"Basic realm="Authentication Required""#], "\(header)")
            #expect(answer.body.contains("Unauthorized Access"))
            #expect(answer.code != nil)
        }
    }

    @Test func aRefusedBearerTokenAddsTheBearerChallenge() throws {
        let answer = try server.send("GET", "/api/resource", headers: [bearer("nonsense")])
        #expect(answer.status == 401)
        #expect(
            answer.all("WWW-Authenticate") == [
                #"Basic realm="Authentication Required""#,
                #"Bearer realm="Authentication Required", error="invalid_token""#,
            ])
    }

    @Test func aTokenExpires() async throws {
        let server = try await RunningServer(["--token-duration", "1"])
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        #expect(try server.send("GET", "/api/resource", headers: [basic(token, "x")]).status == 200)
        try await wait(seconds: 5, for: "the token to expire") {
            try server.send("GET", "/api/resource", headers: [basic(token, "x")]).status == 401
        }
        #expect(try server.send("GET", "/api/token", headers: [basic(token, "x")]).status == 401)
    }

    @Test func aTokenOfAnotherInstanceIsRefused() async throws {
        let other = try await RunningServer()
        _ = try other.register("miguel", "python")
        let foreign = try other.token("miguel", "python")
        #expect(try server.send("GET", "/api/resource", headers: [basic(foreign, "x")]).status == 401)
    }

    @Test func fiftyRacingRegistrationsOfOneNameGiveOne201() async throws {
        let server = server
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<50 {
                let name = index % 2 == 0 ? "race" : "RACE"
                group.addTask { try server.register(name, "python").status }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.filter { $0 == 201 }.count == 1)
        #expect(statuses.filter { $0 == 400 }.count == 49)
    }

    @Test func passwordsMayHoldColonsAndAnyScript() throws {
        for (name, password) in [("colon", "a:b:c"), ("jürgen", "pässwörd"), ("日本語", "密码 😀"), ("blank", " ")] {
            #expect(try server.register(name, password).status == 201)
            #expect(try server.send("GET", "/api/resource", headers: [basic(name, password)]).status == 200)
        }
    }

    @Test func credentialsInLatin1AreUnderstood() throws {
        #expect(try server.register("jürgen", "pässwörd").status == 201)
        let latin1 = try #require("jürgen:pässwörd".data(using: .isoLatin1)).base64EncodedString()
        #expect(try server.send("GET", "/api/resource", headers: ["Authorization: Basic \(latin1)"]).status == 200)
    }
}

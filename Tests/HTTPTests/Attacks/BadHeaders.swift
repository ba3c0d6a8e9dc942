import Foundation
import Support
import Testing

/// Attacks by header fields that parsers read differently, that are too many or too long, or that
/// only a proxy may send.
@Suite(.server()) struct BadHeaders {
    let server: RunningServer
    /// The id of Aladdin, the user in the examples of the standard, whose base64 the tests use.
    let aladdin: Int

    private static let registered = Task {
        let server = try SharedServer.current()
        let answer = try await server.register("Aladdin", "open sesame")
        // Another suite on the same server may have registered the user already.
        try #require(answer.status == 201 || answer.code == "user_already_exists")
        let me = try await server.send("GET", "/api/me", headers: [basic("Aladdin", "open sesame")])
        return try #require(me.json["id"] as? Int)
    }

    init() async throws {
        server = try SharedServer.current()
        aladdin = try await Self.registered.value
    }

    // MARK: Basic

    @Test func credentialsOfAnyScriptAreUnderstood() async throws {
        // The names are fixed, and one has two passwords; a server accepts a name only once.
        var servers: [RunningServer] = []
        var count: [String: Int] = [:]
        for vector in try Vectors.basic().accept {
            let number = count[vector.user, default: 0]
            count[vector.user] = number + 1
            if number == servers.count { servers.append(try await RunningServer()) }
            let server = servers[number]
            #expect(try await server.register(vector.user, vector.password).status == 201, "\(vector)")
            let answer = try await server.send("GET", "/api/resource", headers: ["Authorization: \(vector.header)"])
            #expect(answer.json["data"] as? String == "Hello, \(vector.user)!", "\(vector)")
        }
    }

    @Test(arguments: try Vectors.basic().refuse)
    func whatIsNotBasicIsRefused(value: String) async throws {
        try await expectUnauthorized("Authorization: \(value)")
    }

    /// The right name and password in base64 that only a lenient decoder reads.
    @Test(arguments: [
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=", "QWxhZGRpbjpvcGVuIHNlc2FtZQ===",
        "QWxhZGRpbjpvcGVuIHNlc2FtZR==",
        "QWxhZGRpbjpvcGVuIHNlc2FtZf==", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==\t=", "QWxh ZGRpbjpvcGVuIHNlc2FtZQ==",
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ ==",
        "QWxhZGRp\tbjpvcGVuIHNlc2FtZQ==", "QWxh!ZGRpbjpvcGVuIHNlc2FtZQ==", "QWxh.ZGRpbjpvcGVuIHNlc2FtZQ==",
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ==,",
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ==QQ==", "QWxhZGRpbg==OnBhc3M=", "\"QWxhZGRpbjpvcGVuIHNlc2FtZQ==\"",
        "'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='",
        "=QWxhZGRpbjpvcGVuIHNlc2FtZQ=", "Aladdin:open sesame", "username=Aladdin,password=\"open sesame\"",
    ])
    func anotherSpellingOfTheRightCredentialsIsRefused(value: String) async throws {
        try await expectUnauthorized("Authorization: Basic \(value)")
    }

    /// The right name and password with a character at which a C string, a line or a shell word
    /// would end.
    @Test(arguments: ["\0", "\n", "\r\n", "\t", "\u{1}", "\u{7F}"])
    func aControlCharacterInTheCredentialsIsRefused(character: String) async throws {
        try await expectUnauthorized(basic("Aladdin", "open sesame" + character))
        try await expectUnauthorized(basic("Aladdin", "open sesame" + character + "x"))
        try await expectUnauthorized(basic("Aladdin" + character, "open sesame"))
        try await expectUnauthorized(basic(character + "Aladdin", "open sesame"))
    }

    @Test(arguments: [
        "Aladdin\u{200B}", "Aladdin ", " Aladdin", "Aladdin\u{AD}", "Al%61ddin", "Aladdin@127.0.0.1",
        "127.0.0.1\\Aladdin", "' OR '1'='1",
        "*", "ID",
    ])
    func whatOnlyLooksLikeTheNameIsNotIt(name: String) async throws {
        try await expectUnauthorized(basic(name.replacing("ID", with: "\(aladdin)"), "open sesame"))
    }

    @Test(arguments: [
        "Open sesame", "open sesame ", " open sesame", "open  sesame", "open+sesame", "open%20sesame", "open",
        "opensesame", "",
        "open sesame:", "*",
    ])
    func whatOnlyLooksLikeThePasswordIsNotIt(password: String) async throws {
        try await expectUnauthorized(basic("Aladdin", password))
    }

    @Test(arguments: ["Basic", "basic", "BASIC", "bAsIc", "Basic ", "Basic   "])
    func theSchemesCaseAndItsBlanksDoNotMatter(scheme: String) async throws {
        #expect(
            try await server.send("GET", "/api/resource", headers: ["Authorization: \(scheme) \(Self.good)"]).status
                == 200)
        #expect(
            try await server.send("GET", "/api/resource", headers: ["Authorization:\(scheme) \(Self.good)   \t"]).status
                == 200)
    }

    @Test(arguments: [
        "Basic\tGOOD", "Basic\t GOOD", "BasicGOOD", "Basic:GOOD", "Basic=GOOD", "Basic,GOOD", "Basic, GOOD", "GOOD",
        "Basi GOOD",
        "Basics GOOD", "Basic Basic GOOD",
        "X-Basic GOOD", "Basic/1 GOOD", "Bas\u{131}c GOOD", "Token GOOD", "Digest GOOD", "Negotiate GOOD",
        "Bearer GOOD", ", Basic GOOD",
        "Basic x, Basic GOOD",
        "Basic GOOD, Basic x", "Bearer Aladdin:open sesame", "Basic realm=\"x\" GOOD",
    ])
    func anotherSchemeIsRefused(value: String) async throws {
        try await expectUnauthorized("Authorization: " + value.replacing("GOOD", with: Self.good))
    }

    // MARK: Fields

    @Test func twoAuthorizationFieldsAreRefused() async throws {
        let token = try await server.token("Aladdin", "open sesame")
        let (right, wrong) = (basic("Aladdin", "open sesame"), basic("Aladdin", "wrong"))
        for pair in [
            [right, right], [right, wrong], [wrong, right], [right, bearer(token)], [bearer(token), right],
            [bearer(token), bearer(token)],
            ["Authorization:", right],
        ] {
            for path in ["/api/resource", "/api/token"] {
                let answer = try await server.send("GET", path, headers: pair)
                #expect(answer.status == 400, "\(pair)")
                #expect(answer.code == "invalid_request")
                #expect(!answer.body.contains("Hello") && !answer.body.contains("eyJ"))
            }
        }
    }

    @Test(arguments: ["\0", "\u{1}", "\u{8}", "\u{B}", "\u{1B}", "\u{7F}", "\r", "\n"])
    func aControlCharacterInTheFieldIsRefused(character: String) async throws {
        for value in [
            "Basic \(Self.good)\(character)", "Basic\(character)\(Self.good)", "\(character)Basic \(Self.good)",
            "Basic \(character)\(Self.good)",
        ] {
            let answer = try await server.send("GET", "/api/resource", headers: ["Authorization: \(value)x"])
            #expect([400, 401].contains(answer.status), "\(value.debugDescription)")
            #expect(answer.code != nil)
        }
    }

    @Test func anAuthorizationFieldOf64KiBIsRefused() async throws {
        for value in [
            String(repeating: "A", count: 65536), Self.good + String(repeating: "=", count: 65536),
            String(repeating: " ", count: 65536) + Self.good,
        ] {
            try await expectTooLarge(["Authorization: Basic \(value)"])
        }
    }

    @Test func aHundredAndOneFieldsAreRefusedAndAHundredAreNot() async throws {
        #expect(
            try await server.send("GET", "/health/live", headers: Array(repeating: "X-Field: x", count: 99)).status
                == 200)
        try await expectTooLarge(Array(repeating: "X-Field: x", count: 100))
        try await expectTooLarge((0..<5000).map { "X-\($0): x" })
    }

    @Test func aHeadOf20KiBIsRefused() async throws {
        try await expectTooLarge((0..<10).map { "X-\($0): " + String(repeating: "x", count: 2048) })
        try await expectTooLarge(["X-\(String(repeating: "x", count: 20 << 10)): x"])
        try await expectTooLarge(["Cookie: " + String(repeating: "x", count: 20 << 10)])
    }

    // MARK: Tokens elsewhere

    @Test func aTokenOutsideTheAuthorizationFieldIsIgnored() async throws {
        let token = try await server.token("Aladdin", "open sesame")
        for path in ["/api/resource?token=\(token)", "/api/resource?Authorization=Bearer%20\(token)"] {
            let answer = try await server.send("GET", path)
            #expect(answer.status == 401)
            #expect(answer.code != nil)
        }
        let named = try await server.send("GET", "/api/resource?access_token=\(token)")
        #expect(named.status == 400 && named.code == "invalid_request")
        let fields = [
            "Cookie: token=\(token); access_token=\(token); session=\(token)", "X-Authorization: Bearer \(token)",
            "Proxy-Authorization: Bearer \(token)",
            "X-Access-Token: \(token)", "X-Auth-Token: \(token)", "X-API-Key: \(token)", "Token: \(token)",
            "Authorization2: Bearer \(token)",
            "Authentication: Bearer \(token)", "X-Forwarded-Authorization: Bearer \(token)",
        ]
        for field in fields { try await expectUnauthorized(field, challenges: [Self.challenge]) }
        try await expectUnauthorized(fields.joined(separator: "\r\n"), challenges: [Self.challenge])
    }

    @Test(arguments: [
        "X-Forwarded-User: Aladdin", "Remote-User: Aladdin", "X-Remote-User: Aladdin", "REMOTE_USER: Aladdin",
        "X-User-Id: ID",
        "From: Aladdin",
        "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;by=127.0.0.1",
        "X-Original-URL: /health/live",
        "X-Rewrite-URL: /health/live", "X-Middleware-Subrequest: middleware:middleware:middleware",
        "X-HTTP-Method-Override: OPTIONS",
        "X-Forwarded-Method: OPTIONS", "X-Client-Cert: Aladdin", "X-SSL-Client-Verify: SUCCESS", "Origin: null",
        "X-Debug: 1",
    ])
    func aFieldThatOnlyAProxyMaySetOpensNothing(field: String) async throws {
        try await expectUnauthorized(field.replacing(": ID", with: ": \(aladdin)"))
    }

    @Test func credentialsInTheRequestTargetAreIgnored() async throws {
        #expect(try await server.send("GET", "http://Aladdin:open%20sesame@127.0.0.1/api/resource").status == 401)
    }

    // MARK: -

    private static let good = Data("Aladdin:open sesame".utf8).base64EncodedString()
    private static let challenge = #"Basic realm="Authentication Required""#

    private func expectUnauthorized(
        _ field: String, challenges: [String]? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for path in ["/api/resource", "/api/token"] {
            let answer = try await server.send("GET", path, headers: [field])
            #expect(answer.status == 401, "\(field.debugDescription)", sourceLocation: sourceLocation)
            #expect(answer.code != nil, sourceLocation: sourceLocation)
            let isBearer = field.lowercased().hasPrefix("authorization: bearer ")
            let bearer = #"Bearer realm="Authentication Required", error="invalid_token""#
            // A request with an origin comes from a script.
            let isScript = field.hasPrefix("Origin: ")
            let script = #"Bearer realm="Authentication Required""#
            let challenge = isBearer ? bearer : isScript ? script : Self.challenge
            #expect(answer.all("WWW-Authenticate") == [challenge], sourceLocation: sourceLocation)
            if let challenges { #expect(answer.all("WWW-Authenticate") == challenges, sourceLocation: sourceLocation) }
        }
    }

    private func expectTooLarge(_ headers: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let answer = try await server.send("GET", "/api/resource", headers: headers)
        #expect(answer.status == 431, sourceLocation: sourceLocation)
        #expect(answer.code == "request_header_fields_too_large", sourceLocation: sourceLocation)
        #expect(answer["Connection"] == "close", sourceLocation: sourceLocation)
    }
}

import Foundation
import Support
import Testing

/// Attacks by bodies that break parsers, or that two parsers would read differently, to crash the
/// server or to register a forbidden user.
///
/// No test here registers a user, so a body that was stored in spite of its refusal would be
/// noticed: no other suite may use a server with these settings. The body limit is the default. The
/// timeouts are longer than a test waits, so that no answer and no end of a connection comes from
/// them.
@Suite(.server("--body-limit", "65536", "--request-timeout", "600", "--idle-timeout", "600")) struct BadBodies {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test func aBodyThatIsAbsentIsRefused() async throws {
        for head in [
            "Content-Type: application/json\r\n", "", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n",
        ] {
            let connection = try await server.connect()
            let body = head.contains("chunked") ? "0\r\n\r\n" : ""
            try await connection.write("POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\n\(head)\r\n\(body)")
            try await expectRefusal(400, connection.readAnswer(), on: connection)
        }
    }

    @Test(arguments: [
        " ", "\n", "not JSON", "username=miguel&password=python", "<user><username>miguel</username></user>",
        "username: miguel\npassword: python",
        "{", "}", "{]", #"{"username"}"#, #"{"username":}"#, #"{"username":"miguel","password":"python""#,
        #"{"username":"miguel","password":"python}"#,
        #"{"username":"miguel","password":"python",}"#, #"{,"username":"miguel","password":"python"}"#,
        #"{"username":"miguel" "password":"python"}"#,
        #"{'username':'miguel','password':'python'}"#, #"{username:"miguel",password:"python"}"#,
        #"{"username":"miguel","password":"python"/**/}"#,
        "{\"username\":\"miguel\",\"password\":\"python\"} // no comment",
        #"{"username":"miguel","password":"pyth\on"}"#,
        #"{"username":"miguel","password":"\x70ython"}"#, #"{"username":"miguel","password":"\u00"}"#,
        #"{"username":"miguel","password":"\u00gg"}"#,
        "{\"username\":\"miguel\",\"password\":\"py\nthon\"}", "{\"username\":\"miguel\",\"password\":\"py\tthon\"}",
    ])
    func whatIsNotJSONIsRefused(body: String) async throws {
        try await expectRefusal(400, body)
    }

    @Test(arguments: [
        "[]", "null", "true", "0", #""miguel""#, #"["miguel","python"]"#,
        #"[{"username":"miguel","password":"python"}]"#, "{}",
        #"{"user":{"username":"miguel","password":"python"}}"#, #"{"username":"miguel"}"#, #"{"password":"python"}"#,
        #"{"Username":"miguel","Password":"python"}"#, #"{"username ":"miguel","password":"python"}"#,
        #"{"user":"miguel","pass":"python"}"#,
    ])
    func anotherShapeIsRefused(body: String) async throws {
        try await expectRefusal(400, body)
    }

    @Test(arguments: [
        "null", "true", "false", "0", "-1", "1.5", "[]", #"["miguel"]"#, "{}", #"{"$ne":null}"#,
        #"{"miguel":"miguel"}"#, #""""#,
    ])
    func aFieldOfAnotherTypeIsRefused(value: String) async throws {
        try await expectRefusal(400, "{\"username\":\(value),\"password\":\"python\"}")
        try await expectRefusal(400, "{\"username\":\"miguel\",\"password\":\(value)}")
    }

    @Test(arguments: [
        #"{"username":"miguel","username":"susan","password":"python"}"#,
        #"{"username":"miguel","username":"miguel","password":"python"}"#,
        #"{"username":"miguel","password":"python","username":"susan"}"#,
        #"{"username":"miguel","password":"python","password":"cat"}"#,
        #"{"username":"miguel","user\u006eame":"susan","password":"python"}"#,
        #"{"\u0075sername":"miguel","username":"susan","password":"python"}"#,
        #"{"username":"miguel","password":"python","\u0070assword":"cat"}"#,
        #"{"username":"miguel","password":"python","x":1,"x":1}"#,
        #"{"username":"miguel","password":"python","x":{"y":1,"y":2}}"#,
    ])
    func aNameThatIsThereTwiceIsRefused(body: String) async throws {
        try await expectRefusal(400, body)
    }

    @Test(
        arguments: [
            [0xFF], [0xFE, 0xFF], [0x80], [0xC0, 0xAF], [0xC0, 0x80], [0xC3], [0xE2, 0x82], [0xE0, 0x80, 0xAF],
            [0xED, 0xA0, 0x80],
            [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]])
    func whatIsNotUTF8IsRefused(bytes: [UInt8]) async throws {
        try await expectRefusal(
            400, Array("{\"username\":\"miguel".utf8) + bytes + Array("\",\"password\":\"python\"}".utf8))
        try await expectRefusal(
            400, Array("{\"username\":\"miguel\",\"password\":\"python".utf8) + bytes + Array("\"}".utf8))
        try await expectRefusal(
            400, Array("{\"username\":\"miguel\",\"password\":\"python\",\"x".utf8) + bytes + Array("\":1}".utf8))
        try await expectRefusal(400, bytes + Array(Self.good.utf8))
        try await expectRefusal(400, Array(Self.good.utf8) + bytes)
    }

    @Test(
        arguments: [.utf16, .utf16LittleEndian, .utf16BigEndian, .utf32, .utf32LittleEndian, .utf32BigEndian]
            as [String.Encoding])
    func anotherUnicodeEncodingIsRefused(encoding: String.Encoding) async throws {
        let body = Array(try #require(Self.good.data(using: encoding)))
        try await expectRefusal(400, body)
        try await expectRefusal(400, body, headers: ["Content-Type: application/json; charset=utf-16"])
    }

    @Test func aByteOrderMarkIsRefusedButForOneAtTheBeginning() async throws {
        for body in ["\u{FEFF}\u{FEFF}" + Self.good, " \u{FEFF}" + Self.good, Self.good + "\u{FEFF}", "\u{FEFF}"] {
            try await expectRefusal(400, body)
        }
    }

    @Test(arguments: [
        #"\ud800"#, #"\udc00"#, #"\udfff"#, #"\ud800x"#, #"\ud800\ud800"#, #"\udc00\ud800"#, #"\ud83d\u0041"#,
        #"\ud83d\n"#,
        #"\uD83D\uDE0"#,
    ])
    func aLoneSurrogateIsRefused(escape: String) async throws {
        try await expectRefusal(400, "{\"username\":\"miguel\(escape)\",\"password\":\"python\"}")
        try await expectRefusal(400, "{\"username\":\"miguel\",\"password\":\"python\(escape)\"}")
        try await expectRefusal(400, "{\"username\":\"miguel\",\"password\":\"python\",\"\(escape)\":1}")
    }

    @Test(arguments: [
        #"\u0000"#, #"\u0001"#, #"\b"#, #"\t"#, #"\n"#, #"\r"#, #"\u001b"#, #"\u001f"#, #"\u007f"#, #"\u0080"#,
        #"\u0085"#, #"\u009f"#,
    ])
    func aControlCharacterIsRefused(escape: String) async throws {
        for place in ["miguel\(escape)", "\(escape)miguel", "mig\(escape)uel", escape] {
            try await expectRefusal(400, "{\"username\":\"\(place)\",\"password\":\"python\"}")
            try await expectRefusal(400, "{\"username\":\"miguel\",\"password\":\"\(place)\"}")
        }
    }

    @Test(arguments: [0x00, 0x01, 0x08, 0x09, 0x0A, 0x0D, 0x1B, 0x1F] as [UInt8])
    func aControlCharacterThatIsNotEscapedIsRefused(byte: UInt8) async throws {
        try await expectRefusal(
            400, Array("{\"username\":\"mig".utf8) + [byte] + Array("uel\",\"password\":\"python\"}".utf8))
        try await expectRefusal(
            400, Array("{\"username\":\"miguel\",\"password\":\"py".utf8) + [byte] + Array("thon\"}".utf8))
    }

    @Test(arguments: [10_000, 30_000])
    func deepNestingIsRefused(depth: Int) async throws {
        let (opened, closed) = (String(repeating: "[", count: depth), String(repeating: "]", count: depth))
        for body in [
            opened, opened + closed, #"{"username":"# + opened + closed + #","password":"python"}"#,
            String(Self.good.dropLast()) + ",\"x\":\(opened + closed)}",
            String(repeating: "{\"a\":", count: depth / 5),
            String(repeating: "{\"a\":", count: depth / 6) + "1" + String(repeating: "}", count: depth / 6),
        ] { try await expectRefusal(400, body) }
    }

    @Test(arguments: ["x", "{}", ",", "]", "}", "\0", "null", #"{"username":"susan","password":"cat"}"#, "\n\u{1E}{}"])
    func whatStandsBehindTheObjectIsRefused(garbage: String) async throws {
        try await expectRefusal(400, Self.good + garbage)
        try await expectRefusal(400, garbage + Self.good)
    }

    @Test(arguments: [
        "1e999", "-1e999", "NaN", "Infinity", "-", "+1", "01", "-01", ".5", "1.", "1e", "0x10", "1_000", "1e+", "٣",
    ])
    func whatIsNoNumberIsRefused(number: String) async throws {
        try await expectRefusal(400, Self.good.dropLast() + ",\"age\":\(number)}")
        try await expectRefusal(400, "{\"username\":\(number),\"password\":\"python\"}")
    }

    @Test(arguments: [
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJhbGciOiJub25lIn0.e30.", "eyJ..", "eyj..", "EYJ..",
        "eyJhbGciOiJkaXIifQ....x",
        "ｅｙＪ．．",
    ])
    func aNameThatLooksLikeATokenIsRefused(name: String) async throws {
        try await expectRefusal(400, json(["username": name, "password": "python"]))
    }

    @Test(arguments: [
        "'", "''", "' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE users; --", "miguel'--", "miguel' #", "miguel';",
        "a' UNION SELECT 1, 2 --",
        "\" OR \"\"=\"", "\"; DROP TABLE users; --", "\\'; DROP TABLE users; --", "1; DELETE FROM users", "`users`",
        "%' OR '1'='1",
        "x' AND 1=0 --",
        "<script>alert(1)</script>", "a\\b", "a:b", ":",
    ])
    func aNameThatLooksLikeSQLOrMarkupIsRefused(name: String) async throws {
        try await expectRefusal(400, json(["username": name, "password": "python"]))
    }

    /// Invisible, unassigned, private-use and bidirectional characters, and characters that look
    /// like others.
    @Test(arguments: [
        #"mi\u200bguel"#, #"mi\u200dguel"#, #"mi\u00adguel"#, #"\ufeffmiguel"#, #"miguel\u202e"#, #"\u2066miguel"#,
        #"mi\ue000guel"#,
        #"mi\ufffeguel"#,
        #"mi\ufdd0guel"#, #"mi\udbff\udfffguel"#, #"mi\u0378guel"#, #"mi\u2028guel"#, #"mi\u00a0guel"#,
        #"mi\u3000guel"#, #"mi\ufffdguel"#,
        #"\ud83d\ude00"#,
        #"\ufb01sh"#, #"mi\u034fguel"#, #"\ud835\uddba"#, " miguel", "miguel ", " ",
    ])
    func aNameThatIsNotWhatItLooksLikeIsRefused(name: String) async throws {
        try await expectRefusal(400, "{\"username\":\"\(name)\",\"password\":\"python\"}")
    }

    @Test(arguments: [(255, "a"), (85, "日"), (1000, "a"), (60_000, "a")])
    func aNameThatIsTooLongIsRefused(count: Int, character: String) async throws {
        try await expectRefusal(
            400, json(["username": String(repeating: character, count: count), "password": "python"]))
    }

    @Test(arguments: [(1025, "x"), (513, "ü"), (257, "😀"), (60_000, "x")])
    func aPasswordThatIsTooLongIsRefused(count: Int, character: String) async throws {
        try await expectRefusal(
            400, json(["username": "miguel", "password": String(repeating: character, count: count)]))
    }

    // MARK: Size

    @Test func aBodyOfTenMegabytesIsRefused() async throws {
        let body = json(["username": "miguel", "password": String(repeating: "x", count: 10 << 20)])
        try await expectRefusal(413, body)
    }

    @Test func aBodyOfTenMegabytesInChunksIsRefused() async throws {
        let chunk = "10000\r\n" + String(repeating: "x", count: 65536) + "\r\n"
        let connection = try await server.connect()
        try await connection.write(
            "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n"
                + String(repeating: chunk, count: 160) + "0\r\n\r\n")
        try await expectRefusal(413, connection.readAnswer(), on: connection)
    }

    @Test(arguments: [
        "65537", "10485760", "2147483648", "4294967297", "9223372036854775807", "9223372036854775808",
        "18446744073709551615",
    ])
    func aBodyThatIsAnnouncedAsTooLargeIsRefusedBeforeItComes(length: String) async throws {
        let connection = try await server.connect()
        try await connection.write(
            "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(length)\r\n\r\n"
        )
        let answer = try await connection.readAnswer()
        #expect([400, 413].contains(answer.status))
        try await expectRefusal(answer.status, answer, on: connection)
    }

    @Test func oneByteOverTheLimitIsRefused() async throws {
        try await expectRefusal(413, Self.good + String(repeating: " ", count: 65537 - Self.good.utf8.count))
    }

    /// The answer comes before the body has been read. The rest of the body may end the connection,
    /// but must not stop answers on it.
    @Test(arguments: ["POST /nothing", "PUT /api/users", "GET /api/token", "GET /health/live"])
    func aLargeBodyThatNobodyReadsDoesNotMakeTheConnectionMute(line: String) async throws {
        let connection = try await server.connect()
        try await connection.write(
            "\(line) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10485760\r\n\r\n"
                + String(repeating: "x", count: 10 << 20))
        #expect(try await connection.readAnswer().status < 500)
        do {
            #expect(try await connection.send("GET", "/api/users/1").code == "user_not_found")
        } catch is ConnectionEnded {}
    }

    // MARK: Type and coding

    @Test(arguments: [
        "text/plain", "text/json", "text/html", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/xml", "application/jsonp", "application/json5", "application/x-ndjson", "json", "*/*",
        "application/*", "application/",
        "application/json, text/plain", "text/plain, application/json", "text/plain; a=application/json",
        "appli cation/json",
        "x-application/json",
        "application/json\r\nContent-Type: text/plain", "text/plain\r\nContent-Type: application/json",
    ])
    func anotherMediaTypeIsRefused(type: String) async throws {
        try await expectRefusal(415, Self.good, headers: ["Content-Type: \(type)"])
    }

    @Test(arguments: [
        "gzip", "deflate", "br", "zstd", "compress", "x-gzip", "gzip, gzip", "identity, gzip", "nonsense",
    ])
    func aContentCodingIsRefused(coding: String) async throws {
        try await expectRefusal(
            415, Self.good, headers: ["Content-Type: application/json", "Content-Encoding: \(coding)"])
    }

    // MARK: -

    private static let good = #"{"username":"miguel","password":"python"}"#

    private func expectRefusal(
        _ status: Int, _ body: some StringProtocol, headers: [String] = ["Content-Type: application/json"],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await expectRefusal(status, Array(body.utf8), headers: headers, sourceLocation: sourceLocation)
    }

    private func expectRefusal(
        _ status: Int, _ body: [UInt8], headers: [String] = ["Content-Type: application/json"],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let connection = try await server.connect()
        let head =
            ["POST /api/users HTTP/1.1", "Host: 127.0.0.1"] + headers + ["Content-Length: \(body.count)", "", ""]
        try await connection.write(Array(head.joined(separator: "\r\n").utf8) + body)
        let answer = try await connection.readAnswer()
        #expect(
            answer.status == status, "\(String(decoding: body.prefix(200), as: UTF8.self))",
            sourceLocation: sourceLocation)
        try await expectRefusal(answer.status, answer, on: connection, sourceLocation: sourceLocation)
    }

    /// Expects a problem document, a connection that still works unless the answer said otherwise,
    /// and no stored user.
    private func expectRefusal(
        _ status: Int, _ answer: HTTPAnswer, on connection: HTTPConnection,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        #expect(answer.status == status, sourceLocation: sourceLocation)
        #expect(answer.code != nil, sourceLocation: sourceLocation)
        let next = answer["Connection"] == "close" ? try await server.connect() : connection
        let nobody = try await next.send("GET", "/api/users/1")
        #expect(nobody.code == "user_not_found", sourceLocation: sourceLocation)
    }
}

/// Bodies just inside the limits: they show that the refusals above are not refusals of everything.
@Suite(.server()) struct UnusualBodies {
    let server: RunningServer
    let name = RunningServer.newName("miguel")

    init() throws { server = try SharedServer.current() }

    @Test(arguments: [
        "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8",
        #"application/json; charset="utf-8""#,
        "APPLICATION/JSON", "application/vnd.api+json", "application/json ; a=b",
    ])
    func theMediaTypeMayBeSpelledInEveryWay(type: String) async throws {
        try await expectRegistration(#"{"username":"\#(name)","password":"python"}"#, as: name, type: type)
    }

    @Test(arguments: [
        #"{"\u0075sername":"mi\u0067uel-NUMBER","password":"python"}"#,
        "\u{FEFF}{\"username\":\"miguel-NUMBER\",\"password\":\"python\"}",
        " \t\r\n{ \"username\" : \"miguel-NUMBER\" ,\n \"password\" : \"python\" } \r\n",
        #"{"username":"miguel-NUMBER","password":"\ud83d\ude00"}"#,
        #"{"username":"miguel-NUMBER","password":"python","x":[[[[1e3,-0.5,null]]]],"":""}"#,
        #"{"password":"python","username":"miguel-NUMBER","__proto__":{"admin":true},"id":7,"is_admin":true}"#,
    ])
    func anythingThatIsStrictlyJSONIsRead(body: String) async throws {
        try await expectRegistration(
            body.replacing("miguel-NUMBER", with: name).replacing(
                "mi\\u0067uel-NUMBER", with: "mi\\u0067" + name.dropFirst(3)), as: name)
    }

    @Test func theLimitsThemselvesAreAllowed() async throws {
        // No other test uses this name.
        let longest = "限" + String(repeating: "日", count: 83) + "ab"
        try await expectRegistration(
            json(["username": longest, "password": String(repeating: "x", count: 1024)]), as: longest)
        let body = json(["username": name, "password": "python"])
        try await expectRegistration(body + String(repeating: " ", count: 65536 - body.utf8.count), as: name)
    }

    @Test func aBodyMayComeInChunks() async throws {
        let first = #"{"username":"\#(name)","#
        let connection = try await server.connect()
        try await connection.write(
            "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "\(String(first.utf8.count, radix: 16));name=value\r\n\(first)\r\n"
                + "15\r\n\"password\":\"python\"} \r\n0\r\nX-Trailer: x\r\n\r\n")
        let answer = try await connection.readAnswer()
        #expect(answer.status == 201)
        #expect(try await connection.send("GET", path(of: answer)).json["username"] as? String == name)
    }

    private func expectRegistration(_ body: String, as name: String, type: String = "application/json") async throws {
        let answer = try await server.send("POST", "/api/users", headers: ["Content-Type: \(type)"], body: body)
        #expect(answer.status == 201, "\(body.prefix(200))")
        #expect(try await server.send("GET", path(of: answer)).json["username"] as? String == name)
    }

    /// The path of the user that the answer names.
    private func path(of answer: HTTPAnswer) throws -> String {
        "/api/users/\(try #require(answer["Location"]?.split(separator: "/").last))"
    }
}

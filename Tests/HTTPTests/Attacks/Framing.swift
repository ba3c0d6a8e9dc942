import Foundation
import Support
import Testing

/// Attacks by bytes that a proxy and this server could split into different requests, to smuggle
/// one past the proxy (RFC 9112 sections 2.2, 3, 5, 6, 7 and 11.2).
///
/// Every attack is followed by a good request. An ambiguous request is refused and the connection
/// closed: the good request is never answered.
///
/// The timeouts are longer than a test waits, so that no answer and no end of a connection comes
/// from them.
@Suite(.server("--request-timeout", "600", "--idle-timeout", "600")) struct Framing {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    // MARK: End of the body

    @Test(arguments: [
        "Content-Length: 2\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "Content-Length: 2\r\ntransfer-encoding: CHUNKED", "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 2\r\nContent-Length: 3", "Content-Length: 2\r\nContent-Length: 0",
        "Content-Length: 2\r\ncontent-length: 22",
        "Content-Length: 2, 3", "Content-Length: 2,", "Content-Length: 0x2", "Content-Length: 2x",
        "Content-Length: two",
        "Content-Length: 1 2",
        "Content-Length: 2.0", "Content-Length: 2e0", "Content-Length: \"2\"", "Content-Length: 2;",
        "Content-Length: ٢",
        "Content-Length: -2",
        "Content-Length: -0", "Content-Length: +2", "Content-Length:", "Content-Length: 99999999999999999999999",
        "Content-Length : 2",
        "Content-Length\t: 2", " Content-Length: 2", "Content-Length: 2\r\n\tContent-Length: 3",
        "Content-Length:\r\n 2",
    ])
    func aLengthThatIsNotOneNumberIsRefused(fields: String) async throws {
        try await expectRefusal("POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\n\(fields)\r\n\r\n{}")
    }

    @Test(arguments: [
        "gzip", "identity", "deflate", "xchunked", "chunkedx", "chunked, gzip", "gzip, chunked", "deflate, chunked",
        "identity, chunked",
        "x, chunked",
        "chunked, chunked", "chunked, identity", "chunked;q=1", "\"chunked\"", "'chunked'", "\u{B}chunked", "chunk ed",
        "chunked\r\n ,gzip",
        "\r\n chunked",
        "chunked\r\nTransfer-Encoding: gzip", "gzip\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: chunked", "", ",",
        "ch\u{1}unked",
    ])
    func aTransferCodingOtherThanChunkedIsRefused(coding: String) async throws {
        try await expectRefusal(
            "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: \(coding)\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    }

    @Test(arguments: [
        "", "Connection: keep-alive\r\n", "Content-Length: 2\r\n", "Content-Length: 2\r\nConnection: keep-alive\r\n",
    ])
    func anOldClientCannotSendChunks(fields: String) async throws {
        try await expectOneAnswerThenTheEnd(
            "POST /api/users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\(fields)\r\n2\r\n{}\r\n0\r\n\r\n",
            statuses: 400..<500)
    }

    @Test(arguments: [
        "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func aCodingOfNothingIsRefused(request: String) async throws {
        try await expectRefusal(request)
    }

    // MARK: Chunks

    @Test(arguments: [
        "zz\r\n{}\r\n0\r\n\r\n", "0x2\r\n{}\r\n0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n", "+2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "2 \r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n", "2.\r\n{}\r\n0\r\n\r\n", "2_0\r\n{}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "100000000000000000000000000000002\r\n{}\r\n0\r\n\r\n", "2\n{}\r\n0\r\n\r\n", "2\r{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}\r0\r\n\r\n", "2\r\n{}0\r\n\r\n",
        "2\r\n{}xx0\r\n\r\n", "1\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\n\r\n", "2\r\n{}\r\n0\r\n\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
        "2;a\rb\r\n{}\r\n0\r\n\r\n",
        "2;a\0b\r\n{}\r\n0\r\n\r\n", "2,a\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nX: y\n\r\n",
        "2\r\n{}\r\n0\r\nX : y\r\n\r\n",
        "2\r\n{}\r\n0\r\nX\r\n\r\n",
        "2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n", "2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func aChunkThatIsNoneIsRefused(body: String) async throws {
        try await expectRefusal(Self.chunked + body)
    }

    @Test(arguments: ["ffffffffffffffff", "7fffffffffffffff", "fffffffffffffffe", "80000000", "10001"])
    func aChunkLargerThanTheLimitIsRefused(size: String) async throws {
        try await expectRefusal(Self.chunked + "\(size)\r\n" + String(repeating: " ", count: 70_000))
    }

    /// Data around the chunks must not exceed the limit of a body.
    @Test func aFloodBetweenTheChunksIsRefused() async throws {
        let flood = String(repeating: "a", count: 1_000_000)
        try await expectRefusal(Self.chunked + "2;\(flood)\r\n{}\r\n0\r\n\r\n")
        try await expectRefusal(Self.chunked + "2;a=\"\(flood)\"\r\n{}\r\n0\r\n\r\n")
        try await expectRefusal(
            Self.chunked + String(repeating: "1;\(flood.prefix(900))\r\n \r\n", count: 1000) + "0\r\n\r\n")
        try await expectRefusal(Self.chunked + String(repeating: "0", count: 1_000_000) + "2\r\n{}\r\n0\r\n\r\n")
    }

    @Test func aFloodOfTrailersIsRefused() async throws {
        try await expectRefusal(Self.chunked + "2\r\n{}\r\n0\r\nX: \(String(repeating: "a", count: 1_000_000))\r\n\r\n")
        try await expectRefusal(Self.chunked + "2\r\n{}\r\n0\r\n\(String(repeating: "X: y\r\n", count: 10_000))\r\n")
    }

    // MARK: Lines and fields

    @Test(arguments: [
        "X: a\r\n b", "X: a\r\n\tb", "X: a\r\n ", "X : a", "X\t: a", "X", ": a", "X: a\0b", "X: a\u{1}b", "X: a\u{7F}b",
        "X\0: a",
        "X\u{1}: a", "X\u{FC}: a", "X(: a",
        "X Y: a", "\"X\": a", "X: a\nY: b", "X: a\rY: b", "X: a\n", "X: a\r", "\nX: a", "\rX: a", "X: a\r\r",
        "X: a\n\nGET /health/ready HTTP/1.1\nHost: 127.0.0.1\n",
    ])
    func aFieldThatIsNoneIsRefused(field: String) async throws {
        try await expectRefusal("GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\(field)\r\n\r\n")
        try await expectRefusal("GET /health/live HTTP/1.1\r\n\(field)\r\nHost: 127.0.0.1\r\n\r\n")
    }

    @Test(arguments: [
        "GET /health/live HTTP/1.1\nHost: 127.0.0.1\n\n", "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\n",
        "GET /health/live HTTP/1.1\rHost: 127.0.0.1\r\r",
        "GET /health/live HTTP/1.1\r\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n",
        "GET /health/live\r\n\r\n",
        "GET /health/live HTTP/1.1 \r\nHost: 127.0.0.1\r\n\r\n",
        "GET\t/health/live\tHTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/live x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/\0live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/\u{1}live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/l\u{FC}ve HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "G\u{1}T /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "get /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET /health/live HTTP/1.2\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/live HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n", "GET /health/live HTTP/1.10\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/live HTTP/11\r\nHost: 127.0.0.1\r\n\r\n", "GET /health/live http/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/live XTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /health/live HTTP/1.1, HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{7C}\u{3}\u{3}\r\n\r\n", "hello\r\n\r\n",
    ])
    func aRequestLineThatIsNoneIsRefused(request: String) async throws {
        try await expectRefusal(request)
    }

    @Test(arguments: [9 << 10, 20 << 10, 1 << 20])
    func aLongTargetIsRefused(length: Int) async throws {
        let long = String(repeating: "a", count: length)
        for line in [
            "GET /\(long) HTTP/1.1", "GET /health/live?\(long) HTTP/1.1", "GET http://127.0.0.1/\(long) HTTP/1.1",
            "\(long) / HTTP/1.1",
        ] {
            try await expectRefusal("\(line)\r\nHost: 127.0.0.1\r\n\r\n")
        }
    }

    /// The answer is made without a request, but has all fields that every answer has.
    @Test(arguments: [
        "garbage\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n\(String(repeating: "X: y\r\n", count: 101))\r\n",
    ])
    func aRefusalIsAnAnswerLikeAnyOther(request: String) async throws {
        let connection = try await server.connect()
        try await connection.write(request)
        let refusal = try await connection.readAnswer()
        let other = try await server.send("GET", Self.nobody)
        for name in ["Date", "Content-Type", "Cache-Control", "X-Content-Type-Options"] {
            #expect((refusal[name] == nil) == (other[name] == nil), "\(name)")
        }
    }

    // MARK: Host

    @Test(arguments: [
        "X: y", "Host: 127.0.0.1\r\nHost: evil.example", "Host: 127.0.0.1\r\nhost: 127.0.0.1",
        "Host: 127.0.0.1, evil.example", "Host: a b",
        "Host: a/b", "Host: a\\b",
        "Host: user@a", "Host: a?b", "Host: a#b", "Host: <script>", "Host: \"a\"", "Host: a;b", "Host: http://a",
        "Host: a:b",
        "Host: a:99999999",
        "Host: a:-1", "Host: [::1", "Host: [::1]x", "Host: a\u{FC}", "Host: %00",
        "Host: \(String(repeating: "a", count: 300))",
    ])
    func aHostThatIsNotOneHostIsRefused(fields: String) async throws {
        try await expectRefusal("GET /health/live HTTP/1.1\r\n\(fields)\r\n\r\n")
        try await expectRefusal("POST /api/users HTTP/1.1\r\n\(fields)\r\nContent-Length: 2\r\n\r\n{}")
    }

    @Test(arguments: [
        "127.0.0.1", "127.0.0.1:5000", "localhost", "auth.example.com:8080", "[::1]:5000", "under_score.example",
        "xn--bcher-kva.example.",
    ])
    func aHostIsANameOrAnAddressWithOrWithoutAPort(host: String) async throws {
        #expect(try await server.send("GET", "/health/live", headers: ["Host: \(host)"]).status == 200)
    }

    // MARK: Pipelining

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let paths = (0..<50).flatMap { _ in ["/health/live", Self.nobody, "/nothing", "/api/resource"] }
        let connection = try await server.connect()
        try await connection.write(paths.map { "GET \($0) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" }.joined())
        var answers: [HTTPAnswer] = []
        for _ in paths { answers.append(try await connection.readAnswer()) }
        #expect(answers.map(\.status) == (0..<50).flatMap { _ in [200, 400, 404, 401] })
        #expect(answers.allSatisfy { $0.status == 200 || $0.code != nil })
        connection.finishWriting()
        #expect(await connection.isEnded())
    }

    /// A request is read the same way byte by byte as in one piece.
    @Test func aRequestMayComeByteByByte() async throws {
        let connection = try await server.connect()
        let head = "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        for byte in (head + "2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n").utf8 { try await connection.write([byte]) }
        #expect(try await connection.readAnswer().code == "validation_failed")
        #expect(try await connection.send("GET", "/health/live").status == 200)
    }

    @Test(arguments: [
        "garbage\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "\0\0\0\0",
    ])
    func whatCameBeforeABadRequestIsAnsweredFirst(bad: String) async throws {
        let connection = try await server.connect()
        try await connection.write("GET \(Self.nobody) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + bad)
        try #require(await connection.readAnswer().code == "user_not_found")
        let refusal = try await connection.readAnswer()
        #expect(refusal.status == 400)
        #expect(refusal["Connection"] == "close")
        #expect(await connection.isEnded())
    }

    @Test func aRegistrationBeforeABadRequestIsNotStoredInSilence() async throws {
        let body = json(["username": RunningServer.newName(), "password": "python"])
        let connection = try await server.connect()
        try await connection.write(
            "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                + "\(body)garbage\r\n\r\n"
        )
        #expect(try await connection.readAnswer().status == 201)
    }

    @Test(arguments: [
        "close", "Close", "CLOSE", "close, x", "x, close", "x,close", "keep-alive, close", "x\r\nConnection: close",
    ])
    func afterCloseNothingMoreIsAnswered(value: String) async throws {
        try await expectOneAnswerThenTheEnd(
            "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: \(value)\r\n\r\n")
    }

    @Test(arguments: ["", "Host: 127.0.0.1\r\n", "Connection: close\r\n", "Connection: x\r\n"])
    func anOldClientIsAnsweredOnce(fields: String) async throws {
        try await expectOneAnswerThenTheEnd("GET /health/live HTTP/1.0\r\n\(fields)\r\n")
    }

    @Test func aClientThatHasSaidAllIsStillAnswered() async throws {
        let connection = try await server.connect()
        try await connection.write(
            "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        connection.finishWriting()
        #expect(try await connection.readAnswer().status == 200)
        #expect(try await connection.readAnswer().status == 404)
        #expect(await connection.isEnded())
    }

    /// Clients that would like HTTP/2 send this to every server; it must not stop answers on the
    /// connection.
    @Test(arguments: [
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings",
        "Upgrade: websocket\r\nConnection: Upgrade",
    ])
    func anUpgradeThatIsNotOfferedIsIgnored(fields: String) async throws {
        let connection = try await server.connect()
        #expect(
            try await connection.send("GET", "/health/live", headers: fields.components(separatedBy: "\r\n")).status
                == 200)
        #expect(await connection.isEnded())
    }

    @Test func aBodyIsInvitedWhenItWouldBeRead() async throws {
        let body = json(["username": RunningServer.newName("invited"), "password": "python"])
        func head(_ version: String, _ expectation: String, length: Int) -> String {
            "POST /api/users HTTP/\(version)\r\nHost: a\r\nContent-Type: application/json\r\nExpect: \(expectation)\r\n"
                + "Content-Length: \(length)\r\n\r\n"
        }
        let invited = try await server.connect()
        try await invited.write(head("1.1", "100-Continue", length: body.utf8.count))
        #expect(try await invited.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
        try await invited.write(body)
        #expect(try await invited.readAnswer().status == 201)
        // A client is not invited to send a body that will be refused, nor with an unknown
        // expectation, nor under HTTP/1.0.
        for (version, expectation, length, status) in [
            ("1.1", "100-continue", 10 << 20, 413), ("1.1", "fish", body.utf8.count, 400),
            ("1.0", "100-continue", body.utf8.count, 400),
        ] {
            let connection = try await server.connect()
            try await connection.write(head(version, expectation, length: length) + (length < 1000 ? body : ""))
            #expect(try await connection.read(until: "\r\n").hasPrefix("HTTP/1.1 \(status) "))
        }
    }

    /// A client that reads to the end must not have to wait for the two seconds that the server
    /// gives clients that still send.
    ///
    /// An end that comes at once may take that long on a slow machine, but not each time.
    @Test func aRefusalEndsOurHalfAtOnce() async throws {
        try await wait(for: "an end before the patience is over") {
            let connection = try await server.connect()
            let start = ContinuousClock.now
            try await connection.write("garbage\r\n\r\n")
            _ = try await connection.readAnswer()
            #expect(await connection.isEnded())
            return ContinuousClock.now - start < .seconds(1)
        }
    }

    @Test func aTunnelIsRefusedAndTheConnectionIsNotLeftMute() async throws {
        let connection = try await server.connect()
        let answer = try await connection.send("CONNECT", "evil.example:443")
        #expect((400..<500).contains(answer.status))
        #expect(answer.code != nil)
        if answer["Connection"] == "close" {
            #expect(await connection.isEnded())
        } else {
            #expect(try await connection.send("GET", "/health/live").status == 200)
        }
    }

    // MARK: -

    private static let nobody = "/api/users/999999999"
    private static let chunked =
        "POST /api/users HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        + "Transfer-Encoding: chunked\r\n\r\n"
    private static let smuggled = "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    /// Expects one problem document that announces the end of the connection, then that end, and no
    /// answer to the request after it.
    private func expectRefusal(_ request: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let connection = try await server.connect()
        try await connection.write(request + Self.smuggled)
        let answer = try await connection.readAnswer()
        #expect(
            (400..<500).contains(answer.status), "\(request.prefix(300).debugDescription)",
            sourceLocation: sourceLocation)
        #expect(answer.code != nil, sourceLocation: sourceLocation)
        #expect(answer["Connection"] == "close", sourceLocation: sourceLocation)
        connection.finishWriting()
        await #expect(throws: ConnectionEnded.self, sourceLocation: sourceLocation) {
            try await connection.readAnswer()
        }
    }

    private func expectOneAnswerThenTheEnd(
        _ request: String, statuses: Range<Int> = 200..<300, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for behind in ["", Self.smuggled] {
            let connection = try await server.connect()
            try await connection.write(request + behind)
            let answer = try await connection.readAnswer()
            #expect(statuses.contains(answer.status), sourceLocation: sourceLocation)
            #expect(answer["Connection"] == "close", sourceLocation: sourceLocation)
            await #expect(throws: ConnectionEnded.self, sourceLocation: sourceLocation) {
                try await connection.readAnswer()
            }
        }
    }
}

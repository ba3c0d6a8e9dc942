import Foundation
import Support
import Testing
import Yams

/// `HEAD` has the fields of `GET`, but for a length that is not known (RFC 9110 section 9.3.2).
@Suite(.server()) struct HeadTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../openapi.yaml").standardizedFileURL

    private let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test func theLengthIsThatOfGetOrMissing() async throws {
        let boss = try await server.newOperator()
        let document = try #require(Yams.load(yaml: String(contentsOf: Self.file, encoding: .utf8)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        for (path, operations) in paths where operations["get"] != nil {
            let path = path.replacing("{path}", with: "x").replacing(/\{\w+\}/, with: "\(boss.id)")
            let get = try await server.connect()
            try await get.write("GET \(path) HTTP/1.1\r\nHost: x\r\n\(boss.basic)\r\n\r\n")
            let answer = try await get.readAnswer(isHead: true)
            let head = try await server.connect()
            // Whatever came behind the head would be the beginning of the second answer.
            let request = "HEAD \(path) HTTP/1.1\r\nHost: x\r\n\(boss.basic)\r\n\r\n"
            try await head.write(request + request)
            for _ in 0..<2 {
                let other = try await head.readAnswer(isHead: true)
                #expect(other.status == answer.status, "\(path)")
                #expect((other["Content-Length"] == nil) == (answer["Content-Length"] == nil), "\(path)")
                #expect(other["Content-Type"] == answer["Content-Type"], "\(path)")
            }
            try await head.write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await head.readAnswer().status == 200, "\(path)")
        }
    }

    @Test func aStreamHasNoLength() async throws {
        let boss = try await server.newOperator()
        let answer = try await server.send("HEAD", "/api/operator/users/export", as: boss)
        #expect(answer.status == 200 && answer["Content-Length"] == nil)
        #expect(answer["Content-Type"] == "application/x-ndjson")
        // For nobody it is a problem document, whose length is known.
        let refused = try await server.send("HEAD", "/api/operator/users/export")
        #expect(refused.status == 401 && refused["Content-Length"].flatMap(Int.init) ?? 0 > 0)
    }

    @Test func itIsTheSameOverHTTP2() async throws {
        let server = try await RunningServer(["--http2-cleartext", "yes"])
        let boss = try await server.newOperator()
        let curl = try ExternalProcess(
            ExternalProcess.program("curl"),
            [
                "-sSI", "--http2-prior-knowledge", "-u", "\(boss.name):\(boss.password)",
                "http://127.0.0.1:\(server.port)/api/operator/users/export",
            ], directory: server.directory)
        #expect(try await curl.exitStatus() == 0)
        let head = curl.outputText.lowercased()
        #expect(head.hasPrefix("http/2 200") && !head.contains("content-length"), "\(head)")
    }
}

import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import Support
import Testing

/// The list of revocations when it is long, and when many clients read it.
@Suite struct RevocationListTests {
    let storage: SQLiteStorage
    let auth: Auth

    init() async throws {
        storage = try await SQLiteStorage()
        auth = try await Auth(storage: storage)
        _ = try await auth.users.register("miguel", password: "python")
    }

    private func write(_ count: Int) async throws {
        for _ in 0..<count { try await auth.users.disable(1) }
    }

    private struct Answer {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let body: Data

        init(_ response: TestResponse) {
            (status, headers, body) = (response.status, response.headers, Data(response.body.readableBytesView))
        }

        var json: [String: Any] { (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:] }
        var numbers: [Int] { (json["revocations"] as? [[String: Any]] ?? []).compactMap { $0["number"] as? Int } }
    }

    /// Calls the same routes repeatedly.
    private func asking(
        _ body: @Sendable (_ ask: (Int, HTTPFields) async throws -> Answer) async throws -> Void
    ) async throws {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        try await Application(router: router).test(.router) { client in
            try await body { since, headers in
                try await client.execute(uri: "/api/revocations?since=\(since)", method: .get, headers: headers) {
                    Answer($0)
                }
            }
        }
    }

    @Test func everyLineIsOnOnePageWhereverTheReadingBegins() async throws {
        try await write(2500)
        try await asking { ask in
            for start in [0, 1, 999, 1000, 1001, 1700, 2499, 2500] {
                var (read, since, isMore) = ([] as [Int], start, true)
                while isMore {
                    let page = try await ask(since, [:])
                    #expect(page.numbers.count <= 1000)
                    read += page.numbers
                    since = try #require(page.json["last"] as? Int)
                    isMore = try #require(page.json["more"] as? Bool)
                }
                #expect(read == Array(start..<2500).map { $0 + 1 })
                #expect(since == 2500)
            }
        }
    }

    /// Includes entries that another process has just written.
    @Test func whoAsksIsToldEveryLineThatWasThereBefore() async throws {
        try await asking { ask in
            for number in 1...30 {
                try await write(1)
                #expect(try await ask(0, [:]).numbers == Array(1...number))
                #expect(try await ask(number - 1, [:]).numbers == [number])
                let nothing = try await ask(number, [:])
                #expect(nothing.numbers.isEmpty && nothing.json["last"] as? Int == number)
                #expect(nothing.json["more"] as? Bool == false)
            }
        }
    }

    @Test func whoAsksAtTheSameTimeIsToldTheSame() async throws {
        let router = Router(context: BasicRequestContext.self)
        auth.addRoutes(to: router)
        try await Application(router: router).test(.router) { client in
            for number in 1...20 {
                try await write(1)
                try await withThrowingTaskGroup(of: [Int].self) { group in
                    for _ in 0..<50 {
                        group.addTask {
                            try await client.execute(uri: "/api/revocations", method: .get) { Answer($0).numbers }
                        }
                    }
                    for try await numbers in group { #expect(numbers == Array(1...number)) }
                }
            }
        }
    }

    @Test func linesThatWereSweptAreGoneAndTheirNumbersAreNot() async throws {
        try await write(3)
        try await asking { ask in
            #expect(try await ask(0, [:]).numbers == [1, 2, 3])
            _ = try await storage.deleteRevocations(expiredBefore: .distantFuture, limit: 10)
            #expect(try await ask(0, [:]).numbers.isEmpty)
            #expect(try await ask(3, [:]).json["last"] as? Int == 3)
            #expect(try await ask(9, [:]).json["last"] as? Int == 3)
            try await write(1)
            #expect(try await ask(0, [:]).numbers == [4])
            #expect(try await ask(3, [:]).numbers == [4])
        }
    }

    // MARK: Conditional requests

    @Test func whoHasThePageIsToldSoAndNothingElse() async throws {
        try await write(3)
        try await asking { ask in
            let first = try await ask(0, [:])
            let tag = try #require(first.headers[.eTag])
            let opaque = tag.replacing("W/", with: "")
            for known in [tag, opaque, "*", "\"x\", \(tag)", "W/\"x\" ,\t\(opaque) , \"y\""] {
                let answer = try await ask(0, [.ifNoneMatch: known])
                #expect(answer.status == .notModified, "\(known)")
                #expect(answer.body.isEmpty)
                #expect(answer.headers[.eTag] == tag)
                #expect(answer.headers[.vary] == "Accept-Encoding")
                #expect(answer.headers[.cacheControl] == "no-cache")
            }
            for other in [
                "", "x", "\"x\"", String(opaque.dropLast()), "x" + opaque, opaque + "x", opaque + "\u{301}",
                "w/" + opaque, "\"x\(opaque)\"", "*x", "\"*\"",
            ] {
                #expect(try await ask(0, [.ifNoneMatch: other]).status == .ok, "\(other)")
            }
            // Another page has another state.
            for since in [1, 2, 3] { #expect(try await ask(since, [.ifNoneMatch: tag]).status == .ok) }
            try await write(1)
            #expect(try await ask(0, [.ifNoneMatch: tag]).status == .ok)
        }
    }

    // MARK: Content coding (RFC 9110 section 12.5.3)

    @Test(arguments: ["gzip", "GZip", "x-gzip", "*", "br, gzip;q=0.5", "gzip ; q=1.000 , *;q=0", "identity;q=0,*"])
    func aLongPageIsCompressedForWhoTakesIt(accepted: String) async throws {
        try await write(1200)
        let directory = try TemporaryDirectory()
        try await asking { ask in
            for since in [0, 1000] {
                let plain = try await ask(since, [:])
                let answer = try await ask(since, [.acceptEncoding: accepted])
                #expect(answer.headers[.contentEncoding] == "gzip")
                #expect(answer.headers[.vary] == "Accept-Encoding")
                #expect(answer.body.count < plain.body.count / 3)
                let file = URL(fileURLWithPath: directory.path + "/page.gz")
                try answer.body.write(to: file)
                let unpacked = try ExternalProcess(
                    ExternalProcess.program("gzip"), ["-dc", file.path], directory: directory)
                #expect(try await unpacked.exitStatus() == 0)
                #expect(unpacked.outputText == String(decoding: plain.body, as: UTF8.self))
            }
        }
    }

    @Test(arguments: [
        "", "identity", "br", "gzip;q=0", "gzip;q=0.000", "gzip; Q=0.0", "*;q=0", "gzip;q=0, *", "*, gzip;q=0",
        "gzipped", "\"gzip\"", "gzip\u{301}",
    ])
    func aLongPageIsPlainForWhoDoesNot(accepted: String) async throws {
        try await write(100)
        try await asking { ask in
            let answer = try await ask(0, [.acceptEncoding: accepted])
            #expect(answer.headers[.contentEncoding] == nil)
            #expect(answer.headers[.vary] == "Accept-Encoding")
            #expect(answer.numbers.count == 100)
        }
    }

    @Test func aCompressedPageHasTheNewestLines() async throws {
        try await asking { ask in
            var tags: Set<String> = []
            for _ in 0..<3 {
                try await write(100)
                let answer = try await ask(0, [.acceptEncoding: "gzip"])
                #expect(answer.headers[.contentEncoding] == "gzip")
                tags.insert(try #require(answer.headers[.eTag]))
                // The last four bytes are the uncompressed length (RFC 1952 section 2.3.1).
                let length = answer.body.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
                #expect(try await ask(0, [:]).body.count == length)
            }
            #expect(tags.count == 3)
        }
    }
}

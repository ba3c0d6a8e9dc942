import Foundation
import Support
import Testing

/// Attacks by characters beside a separator that combine with it, or are equal to it, where text is
/// read as Swift characters.
///
/// Before the separator: characters that join what follows (Prepend). After it: characters that
/// join what precedes (Extend, SpacingMark, joiner), and bytes that are not UTF-8.
private enum Mark {
    static let before = ["\u{600}", "\u{6DD}", "\u{70F}", "\u{8E2}", "\u{110BD}", "\u{D4E}"].map { Array($0.utf8) }
    static let after =
        ["\u{301}", "\u{20DD}", "\u{200D}", "\u{FE0F}", "\u{903}", "\u{E0020}"].map { Array($0.utf8) }
        + [[0xFF], [0xC2], [0xE2, 0x80], [0xF0, 0x9F, 0x98]]
}

/// Sends header fields as raw bytes.
extension RunningServer {
    fileprivate func send(
        _ method: String, _ path: String, _ fields: [[UInt8]], body: String = ""
    ) async throws -> HTTPAnswer {
        let connection = try await connect()
        let head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \(body.utf8.count)\r\n"
        try await connection.write(
            Array(head.utf8) + fields.flatMap { $0 + Array("\r\n".utf8) } + Array(("\r\n" + body).utf8))
        return try await connection.readAnswer(isHead: method == "HEAD")
    }
}

@Suite(.server("--refresh-token-in-cookie", "yes", "--refresh-token-in-body", "yes"))
struct CharactersInCookies {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    /// Puts `his` before the separator, with a mark beside it, and `hers` after it.
    private func cookies(_ his: String, _ hers: String) -> [[UInt8]] {
        let (start, end) = (Array("Cookie: refresh_token=\(his); x=".utf8), Array("refresh_token=\(hers)".utf8))
        let semicolon = Array(";".utf8), blank = Array(" ".utf8)
        return Mark.before.map { start + $0 + semicolon + blank + end }
            + Mark.before.map { start + $0 + semicolon + end }
            + Mark.after.map { start + $0 + semicolon + blank + end }
    }

    @Test func twoCookiesOfTheNameAreTwoWhateverStandsBetween() async throws {
        let (mallory, susan) = (try await server.newAccount("mallory"), try await server.newAccount("susan"))
        let his = try await server.signIn(mallory).refresh
        let hers = try await server.signIn(susan).refresh
        for cookie in cookies(his, hers) {
            let answer = try await server.send("PUT", "/api/tokens", [cookie])
            #expect(answer.status == 400, "\(cookie)")
            #expect(answer.code == "invalid_request")
        }
        #expect(try await server.refresh(hers).status == 200)
    }

    @Test func signingOutEndsTheSessionsOfAllOfThem() async throws {
        let (mallory, susan) = (try await server.newAccount("mallory"), try await server.newAccount("susan"))
        let his = try await server.signIn(mallory).refresh
        let count = cookies("", "").count
        for index in 0..<count {
            let hers = try await server.signIn(susan).refresh
            let cookie = cookies(his, hers)[index]
            #expect(try await server.send("DELETE", "/api/tokens", [cookie]).status == 204)
            #expect(try await server.refresh(hers).code == "invalid_grant", "\(cookie)")
        }
    }

    @Test func aNameWithAnythingBesideItIsAnotherName() async throws {
        let token = try await server.signIn(server.newAccount()).refresh
        for mark in Mark.before + Mark.after {
            for cookie in [
                Array("Cookie: ".utf8) + mark + Array("refresh_token=\(token)".utf8),
                Array("Cookie: refresh_token".utf8) + mark + Array("=\(token)".utf8),
            ] {
                #expect(try await server.send("PUT", "/api/tokens", [cookie]).code == "validation_failed")
            }
            let value = Array("Cookie: refresh_token=".utf8) + mark + Array(token.utf8)
            #expect(try await server.send("PUT", "/api/tokens", [value]).code == "invalid_grant")
        }
        #expect(try await server.refresh(token).status == 200)
    }
}

/// Tests behind a proxy that appends the address of its client, as most do.
@Suite(.server("--trusted-proxies", "127.0.0.1,10.0.0.0/8")) struct CharactersInForwardedFields {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private func address(_ field: [UInt8], _ account: Account) async throws -> String? {
        let answer = try await server.send("POST", "/api/tokens", [Array(account.basic.utf8), field])
        let token = try #require(answer.json["access_token"] as? String)
        return try await server.sessions(bearer(token)).first?["address"] as? String
    }

    @Test func theAddressThatAProxyAppendsIsTheClients() async throws {
        let miguel = try await server.newAccount()
        for mark in Mark.before + Mark.after {
            for (start, end) in [
                ("", ", 198.51.100.7"), ("203.0.113.9", ",198.51.100.7"), ("203.0.113.9, ", ", 198.51.100.7"),
                ("", ", 198.51.100.7, 10.1.1.1"), ("", ",\t198.51.100.7 , 10.1.1.1 "),
            ] {
                let field = Array("X-Forwarded-For: \(start)".utf8) + mark + Array(end.utf8)
                #expect(try await address(field, miguel) == "198.51.100.7", "\(field)")
            }
        }
    }

    @Test func whatIsNoAddressIsNobodys() async throws {
        let miguel = try await server.newAccount()
        for mark in Mark.before + Mark.after {
            let field = Array("X-Forwarded-For: 198.51.100.7".utf8) + mark
            #expect(try await address(field, miguel) == "127.0.0.1")
            // The last address that a trusted proxy can have written.
            #expect(try await address(field + Array(", 10.1.1.1".utf8), miguel) == "10.1.1.1")
        }
        for hop in [
            "192.0.2.1:12\u{301}34", "[2001:db8::1\u{301}]:443", "[2001:db8::1]\u{301}", "unknown", "_hidden",
            "١٩٢.0.2.1", "192.0.2.1:٤٤٣", "192.0.2.1%eth0",
        ] {
            #expect(try await address(Array("X-Forwarded-For: \(hop)".utf8), miguel) == "127.0.0.1")
        }
    }
}

@Suite(.server()) struct CharactersInFields {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    @Test func aMediaTypeEndsAtTheSemicolonAndIsOneToTheByte() async throws {
        let account = try await server.newAccount()
        let body = json(["username": account.name, "password": account.password])
        func status(_ type: [UInt8]) async throws -> Int {
            try await server.send("POST", "/api/tokens", [Array("Content-Type: ".utf8) + type], body: body).status
        }
        for mark in Mark.before + Mark.after {
            #expect(try await status(Array("application/json;".utf8) + mark) == 200)
            #expect(try await status(Array("application/json ; x=".utf8) + mark) == 200)
            for type in [
                Array("application/json".utf8) + mark, Array("application/json".utf8) + mark + Array(";".utf8),
                mark + Array("application/json".utf8), Array("application/".utf8) + mark + Array("x+json".utf8),
                Array("application/x".utf8) + mark + Array("+json".utf8),
                Array("application/x+json".utf8) + mark,
            ] {
                #expect(try await status(type) == 415, "\(type)")
            }
        }
        for type in ["application/+json\u{301}", "application/;+json", "application/x y+json", "application/x/y+json"] {
            #expect(try await status(Array(type.utf8)) == 415, "\(type)")
        }
        #expect(try await status(Array("APPLICATION/Vnd.X+JSON;charset=utf-8".utf8)) == 200)
    }

    @Test func anETagIsOneToTheByte() async throws {
        let account = try await server.newAccount()
        #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(server.token(account))]).status == 204)
        func present() async throws -> String {
            let field = try #require(try await server.send("GET", "/api/revocations")["ETag"])
            return String(field.drop { $0 != "\"" })
        }
        let tag = try await present()
        func status(_ value: [UInt8]) async throws -> Int {
            try await server.send("GET", "/api/revocations?since=0", [Array("If-None-Match: ".utf8) + value]).status
        }
        // Another test may have written an entry meanwhile.
        var isNotModified = false
        for mark in Mark.before + Mark.after {
            let known = try await present()
            isNotModified = try await status(mark + Array(", W/\(known)".utf8)) == 304 || isNotModified
            #expect(try await status(Array("\"x".utf8) + Array(tag.utf8) + mark) == 200)
            #expect(try await status(mark + Array(tag.utf8)) == 200)
            #expect(try await status(Array("*".utf8) + mark) == 200)
        }
        #expect(isNotModified)
        #expect(try await status(Array("*".utf8)) == 304)
    }

    @Test func aNumberInAQueryIsDigits() async throws {
        let account = try await server.newAccount()
        for number in ["+5", "%2B5", "-0", "5%CC%81", "%D9%A5", "5%D8%80", "%EF%BC%95"] {
            for path in ["/api/me/sessions?limit=", "/api/users?after=", "/api/revocations?since="] {
                let answer = try await server.send("GET", path + number, headers: [account.basic])
                #expect(answer.code == "validation_failed", "\(path)\(number)")
            }
        }
    }

    @Test func aFormsNamesAreNamesToTheByte() async throws {
        let secret = try await server.addClient(RunningServer.newName("client"))
        for form in [
            "token%CC%81=x", "%D8%80token=x", "token=x&token=x", "t%C3%A9=1&te%CC%81=1",
        ] {
            let answer = try await server.send(
                "POST", "/oauth/introspect",
                headers: ["Content-Type: application/x-www-form-urlencoded", basic("nobody", secret)], body: form)
            #expect(answer.status == (form.contains("token=x&token") ? 400 : 401), "\(form)")
        }
    }
}

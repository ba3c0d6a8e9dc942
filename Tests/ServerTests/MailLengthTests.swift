import Foundation
import Support
import Testing

/// Names as long as mail addresses may be, and texts as Windows writes them.
@Suite(.server()) struct MailLengthTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    /// A name of exactly that many bytes.
    private func name(octets: Int, of letter: String = "x") -> String {
        let start = RunningServer.newName("somebody.with.a.long.name") + "@department.university.example."
        let rest = octets - start.utf8.count
        return start + String(repeating: letter, count: rest / letter.utf8.count)
            + String(repeating: "x", count: rest % letter.utf8.count)
    }

    @Test(arguments: [65, 100, 254])
    func aNameOfMailLengthRegistersAndSignsIn(octets: Int) async throws {
        let name = name(octets: octets)
        #expect(try await server.register(name, "python").status == 201)
        #expect(try await server.register(name.uppercased(), "python").status == 400)
        let token = try await server.token(name, "python")
        let answer = try await server.send("GET", "/api/verify", headers: [bearer(token)])
        #expect(answer.status == 200)
        #expect(answer["Remote-User"] == name)
        let session = try await server.send(
            "POST", "/api/tokens", headers: ["Content-Type: application/json"],
            body: json(["username": name, "password": "python"]))
        #expect(session.status == 200)
        #expect(try await server.send("GET", "/api/resource", headers: [basic(name, "x")]).status == 401)
        let cleared = try await server.run(["throttle", "clear", "--user", name])
        #expect(cleared.status == 0, "\(cleared.error)")
        let outcome = try await server.run(["users", "show", name])
        #expect(outcome.status == 0)
    }

    @Test func theLimitIsInOctets() async throws {
        let fits = name(octets: 254, of: "ü")
        #expect(fits.utf8.count == 254)
        #expect(try await server.register(fits, "python").status == 201)
        for long in [fits + "x", name(octets: 255), String(repeating: "日", count: 85)] {
            let answer = try await server.register(long, "python")
            #expect(answer.status == 400)
            #expect(answer.body.contains("254"), "\(answer.body)")
        }
    }

    @Test(arguments: [
        ("a:b", "U+003A (:)"), ("a\u{200B}b", "U+200B"), ("a😀", "U+1F600 (😀)"), ("a：b", "U+FF1A (：)"),
        ("a\u{9}b", "U+0009"), ("a|b", "U+007C (|)"), ("a\u{202E}b", "U+202E"), ("“a", "U+201C (“)"),
    ])
    func theCharacterThatIsNotAllowedIsNamed(name: String, character: String) async throws {
        let answer = try await server.register(name, "python")
        #expect(answer.status == 400)
        let detail = answer.json["detail"] as? String ?? ""
        #expect(detail.contains(character), "\(answer.body)")
        let isVisible = character.contains("(")
        #expect(detail.contains("(") == isVisible)
    }

    // MARK: Byte order marks

    @Test func aBodyWithAMarkBeforeItIsRead() async throws {
        let name = RunningServer.newName()
        let answer = try await server.send(
            "POST", "/api/users", headers: ["Content-Type: application/json; charset=utf-8"],
            body: "\u{FEFF}" + json(["username": name, "password": "python"]))
        #expect(answer.status == 201, "\(answer.body)")
        let session = try await server.send(
            "POST", "/api/tokens", headers: ["Content-Type: application/json"],
            body: "\u{FEFF}" + json(["username": name, "password": "python"]))
        #expect(session.status == 200, "\(session.body)")
        for body in ["\u{FEFF}", "\u{FEFF}\u{FEFF}{}", " \u{FEFF}{}", "{\u{FEFF}}"] {
            let refused = try await server.send(
                "POST", "/api/users", headers: ["Content-Type: application/json"], body: body)
            #expect(refused.status == 400)
        }
    }

    private static let password = "pässwörd €"

    private static let spellings: [[UInt8]] = [
        Array("\(password)\n".utf8), Array("\(password)\r\n".utf8), Array(password.utf8),
        [0xEF, 0xBB, 0xBF] + Array("\(password)\r\n".utf8),
        [0xFF, 0xFE] + utf16("\(password)\r\n"), utf16("\(password)\r\n"),
        [0xFE, 0xFF] + utf16("\(password)\r\n", isBigEndian: true),
    ]

    @Test(arguments: spellings)
    func aPasswordFromPowerShellIsTheOneThatWasMeant(bytes: [UInt8]) async throws {
        let name = RunningServer.newName()
        let added = try await server.run(["users", "add", name, "--password-stdin"], bytes: bytes)
        #expect(added.status == 0, "\(added.error)")
        #expect(try await server.send("GET", "/api/resource", headers: [basic(name, Self.password)]).status == 200)
        let other = try await server.newAccount()
        let set = try await server.run(["users", "set-password", other.name, "--password-stdin"], bytes: bytes)
        #expect(set.status == 0, "\(set.error)")
        let answer = try await server.send("GET", "/api/resource", headers: [basic(other.name, Self.password)])
        #expect(answer.status == 200)
    }

    @Test(arguments: [
        [0x70, 0xE4, 0x73, 0x0A], [0xFF, 0xFE, 0x70], [0x70, 0x00, 0x71, 0x0A], [0xFF, 0xFE, 0x00, 0xD8],
    ])
    func whatIsNoTextIsNoPassword(bytes: [UInt8]) async throws {
        let name = RunningServer.newName()
        let added = try await server.run(["users", "add", name, "--password-stdin"], bytes: bytes)
        #expect(added.status == 1)
        #expect(added.error.split(separator: "\n").count == 1)
        #expect(try await server.run(["users", "show", name]).status == 1)
    }
}

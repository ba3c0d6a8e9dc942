import Foundation
import Support
import Synchronization
import Testing

/// Tokens verified by programs that do not use this package: the unchanged examples of
/// `Examples/Verifying`, and joserfc; also with another audience and another `typ`.
@Suite struct ForeignVerifierTests {
    static let algorithms = ["ES256", "EdDSA", "RS256"]

    // MARK: Signatures

    @Test(arguments: algorithms)
    func aTokenIsGoodAsItWasSignedAndInNoOtherForm(algorithm: String) async throws {
        let (server, verifiers) = try await Verification.shared(algorithm)
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        let another = try await server.token(miguel)
        let (header, payload, signature) = try parts(of: token)
        let kid = try #require(try decoded(header)["kid"])
        func forged(_ members: [String: Any]) -> String {
            encoded(members.merging(["typ": "at+jwt", "kid": kid]) { $1 })
        }
        var claims = try decoded(payload)
        #expect(try decoded(header)["alg"] as? String == algorithm)
        claims["sub"] = "\(miguel.id + 1)"
        let refused = [
            "\(header).\(encoded(claims)).\(signature)", "\(header).\(payload).\(try parts(of: another).signature)",
            "\(header).\(payload).\(signature.dropLast(8))AAAAAAAA", "\(header).\(payload).", "\(header).\(payload)",
            "\(forged(["alg": "none"])).\(payload).", "\(forged(["alg": "HS256"])).\(payload).\(signature)",
            "\(forged(["alg": algorithm, "crit": ["x"], "x": 1])).\(payload).\(signature)",
            "\(encoded(["alg": algorithm, "typ": "at+jwt", "kid": "another"])).\(payload).\(signature)",
            "\(encoded(["alg": algorithm, "typ": [String](), "kid": kid])).\(payload).\(signature)",
            "\(encoded(["alg": [algorithm], "typ": "at+jwt", "kid": [kid]])).\(payload).\(signature)",
            "\(encoded(["alg": algorithm, "typ": "at+jwt"])).\(payload).\(signature)", "nonsense", "", "..", "ü.ü.ü",
            String(repeating: "A", count: 5000),
        ]
        for verifier in verifiers {
            let accepted = try await verifier.verify(token)
            #expect(accepted["sub"] as? String == "\(miguel.id)", "\(verifier.kind): \(accepted)")
            #expect(accepted["preferred_username"] as? String == miguel.name)
            for token in refused {
                let answer = try await verifier.verify(token)
                #expect(answer["error"] is String && answer["sub"] == nil, "\(verifier.kind) took \(token)")
            }
            #expect(try await verifier.accepts(another, of: miguel))
        }
    }

    /// Rotates a key, and uses verifiers that have not looked up unknown keys meanwhile: they do so
    /// only every few seconds, and a key is published some seconds before it signs.
    @Test(arguments: algorithms)
    func tokensFromBeforeAndAfterARotationAreGood(algorithm: String) async throws {
        let (server, verifiers) = try await Verification.start(["--signing-algorithm", algorithm])
        let miguel = try await server.newAccount()
        let old = try await server.token(miguel)
        for verifier in verifiers { #expect(try await verifier.accepts(old, of: miguel)) }
        try await server.command("keys", "rotate", "--now", "--signing-algorithm", algorithm)
        var new = old
        try await wait(for: "the new key to sign") {
            let answer = try await server.send("GET", "/api/token", headers: [bearer(old)])
            new = answer.json["token"] as? String ?? old
            return try parts(of: new).header != parts(of: old).header
        }
        for verifier in verifiers {
            #expect(try await verifier.accepts(new, of: miguel), "\(verifier.kind)")
            #expect(try await verifier.accepts(old, of: miguel), "\(verifier.kind)")
        }
    }

    // MARK: Claims

    /// Uses a server with settings of its own.
    @Test func anExpiredTokenIsRefused() async throws {
        let (server, verifiers) = try await Verification.start(["--token-duration", "2"])
        let miguel = try await server.newAccount()
        try await withThrowingTaskGroup { group in
            for verifier in verifiers {
                group.addTask {
                    var token = ""
                    // The token may have expired before the verifier sees it.
                    try await wait(for: "\(verifier.kind) to take a token") {
                        token = try await server.token(miguel)
                        return try await verifier.accepts(token, of: miguel)
                    }
                    try await wait(for: "the end of the token") { try await verifier.verify(token)["error"] is String }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Uses two servers, one after the other, with settings of their own.
    @Test func aTokenOfAnotherIssuerIsRefusedThoughItsKeyIsKnown() async throws {
        let former = try await RunningServer(["--public-url", "https://former.example.com"])
        let miguel = try await former.newAccount()
        let old = try await former.token(miguel)
        #expect(try await former.stop() == 0)
        let server = try await RunningServer(["--public-url", "https://auth.example.com"], directory: former.directory)
        let new = try await server.token(miguel)
        #expect(try parts(of: old).header == parts(of: new).header)
        for kind in ForeignVerifier.Kind.allCases {
            let verifier = try ForeignVerifier(kind, server: server)
            #expect(try await verifier.verify(new)["iss"] as? String == "https://auth.example.com")
            #expect(try await verifier.verify(old)["error"] is String, "\(kind)")
        }
    }

    /// Uses a server with settings of its own.
    @Test func aTokenIsForItsAudienceWhateverItsHeaderCallsIt() async throws {
        let server = try await RunningServer([
            "--token-audience", "https://api.example.com,notes", "--token-type", "JWT",
        ])
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for kind in ForeignVerifier.Kind.allCases where kind != .joserfc {
            let notes = try ForeignVerifier(kind, server: server, environment: ["VERIFIER_AUDIENCE": "notes"])
            #expect(try await notes.accepts(token, of: miguel), "\(kind)")
            for environment in [["VERIFIER_AUDIENCE": "other"], [:]] {
                let other = try ForeignVerifier(kind, server: server, environment: environment)
                #expect(try await other.verify(token)["error"] is String, "\(kind)")
            }
        }
    }

    // MARK: Revocations

    @Test(arguments: algorithms) func theTokensOfAnEndedSessionAreRefused(algorithm: String) async throws {
        let (server, verifiers) = try await Verification.shared(algorithm)
        let miguel = try await server.newAccount()
        for verifier in verifiers where verifier.kind.readsRevocations {
            let (ended, other) = (try await server.token(miguel), try await server.token(miguel))
            for token in [ended, other] { #expect(try await verifier.accepts(token, of: miguel)) }
            #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(ended)]).status == 204)
            try await verifier.waitForRefusal(of: ended)
            #expect(try await verifier.accepts(other, of: miguel))
        }
    }

    @Test func usersAndRolesAreRefusedAndAdmittedAgain() async throws {
        let (server, verifiers) = try await Verification.shared("ES256")
        let (user, other) = (try await server.newAccount(), try await server.newAccount("susan"))
        let plain = try await server.token(user)
        try await server.command("users", "grant", user.name, "admin")
        try await server.command("users", "grant", other.name, "admin")
        let (admin, susan) = (try await server.token(user), try await server.token(other))
        for verifier in verifiers where verifier.kind.readsRevocations {
            // This verifier may not have read the previous change yet.
            try await wait(for: "the role") { try await verifier.verify(admin)["roles"] as? [String] == ["admin"] }
            try await server.command("users", "revoke", user.name, "admin")
            try await verifier.waitForRefusal(of: admin)
            #expect(try await !verifier.refuses(plain))
            try await server.command("users", "disable", user.name)
            try await verifier.waitForRefusal(of: plain)
            try await server.command("users", "enable", user.name)
            try await wait(for: "the user's return") { try await !verifier.refuses(plain) }
            #expect(try await verifier.refuses(admin))
            try await server.command("users", "grant", user.name, "admin")
            try await wait(for: "the role's return") { try await !verifier.refuses(admin) }
            #expect(try await !verifier.refuses(susan))
        }
    }

    @Test func aVerifierThatStartsLaterReadsWhatWasRevokedBefore() async throws {
        let server = try await Verification.shared("ES256").server
        let token = try await server.token(server.newAccount())
        #expect(try await server.send("DELETE", "/api/tokens", headers: [bearer(token)]).status == 204)
        for kind in ForeignVerifier.Kind.allCases where kind.readsRevocations {
            #expect(try await ForeignVerifier(kind, server: server).verify(token)["error"] as? String == "revoked")
        }
    }

    /// Stops the server for a while.
    @Test func whoCannotReadTheRevocationsStopsAcceptingAndRecovers() async throws {
        let (server, all) = try await Verification.start()
        let verifiers = all.filter { $0.kind.readsRevocations }
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for verifier in verifiers { #expect(try await verifier.accepts(token, of: miguel)) }
        server.pause()
        for verifier in verifiers {
            try await wait(for: "the list to be too old") {
                let answer = try await verifier.answer(to: token)
                #expect(answer["error"] == nil || answer["error"] as? String == ForeignVerifier.tooOld)
                return answer["error"] != nil
            }
        }
        server.resume()
        for verifier in verifiers {
            try await wait(for: "the list to be read again") {
                try await verifier.answer(to: token)["sub"] as? String == "\(miguel.id)"
            }
        }
    }

    /// Stops the server.
    @Test func withoutAServerNothingIsAccepted() async throws {
        let server = try await RunningServer()
        let token = try await server.token(server.newAccount())
        #expect(try await server.stop() == 0)
        for kind in ForeignVerifier.Kind.allCases where kind.readsRevocations {
            let answer = try await ForeignVerifier(kind, server: server).answer(to: token)
            #expect(answer["error"] as? String == ForeignVerifier.tooOld)
        }
    }

    // MARK: Exit status

    @Test(arguments: ForeignVerifier.Kind.allCases.filter(\.readsRevocations))
    func theExitStatusSaysWhetherAllWereGood(kind: ForeignVerifier.Kind) async throws {
        let server = try await Verification.shared("ES256").server
        let token = try await server.token(server.newAccount())
        for (input, status, lines) in [
            (token, 0, 1), (token + "\n" + token + "\n", 0, 2), (token + "x\n" + token, 1, 2), ("", 0, 0),
        ] {
            try await wait(for: "\(kind) to read all in time") {
                let process = try kind.process(
                    ["http://127.0.0.1:\(server.port)"], input: .text(input), directory: server.directory)
                let ended = try await process.exitStatus()
                // The verifier treats a slow server as missing.
                guard !process.errorText.contains("could not be read"),
                    !process.outputText.contains("could not be read")
                else { return false }
                #expect(ended == status, "\(kind): \(process.errorText)")
                #expect(process.outputLines.count == lines)
                return true
            }
        }
        #expect(try await kind.process([], input: .nothing, directory: server.directory).exitStatus() == 2)
    }
}

// MARK: - Verifiers

/// A server, and all programs that verify its tokens.
private enum Verification {
    typealias All = (server: RunningServer, verifiers: [ForeignVerifier])

    private static let started = Mutex<[String: Task<All, any Error>]>([:])

    /// One server for each algorithm, for the tests that change neither its keys nor its settings.
    static func shared(_ algorithm: String) async throws -> All {
        let starting = started.withLock { started in
            let starting = started[algorithm] ?? Task { try await start(["--signing-algorithm", algorithm]) }
            started[algorithm] = starting
            return starting
        }
        return try await starting.value
    }

    /// Starts it with a long hashing queue, because many verifiers are started beside the server.
    static func start(_ arguments: [String] = []) async throws -> All {
        let server = try await RunningServer(["--throttle", "no", "--hashing-patience", "600"] + arguments)
        return (server, try ForeignVerifier.Kind.allCases.map { try ForeignVerifier($0, server: server) })
    }
}

/// A program that reads a token from each line of its input and answers with a line.
final class ForeignVerifier: Sendable {
    enum Kind: String, CaseIterable {
        case pyJWT, joserfc, node, go, php, java

        /// Kept between runs: without it Go compiles its library for each process.
        private static let goCache = ExternalProcess.repository.appendingPathComponent(".build/go-cache").path

        /// Whether it reads the list of revocations; the others only check signatures and claims.
        var readsRevocations: Bool { self == .pyJWT || self == .node }

        func process(
            _ arguments: [String], input: ExternalProcess.Input, directory: TemporaryDirectory,
            environment: [String: String] = [:]
        ) throws -> ExternalProcess {
            let (executable, options, script): (URL, [String], String) =
                switch self {
                case .pyJWT: (try ExternalProcess.testPython(), [], "Examples/Verifying/verify.py")
                case .joserfc: (try ExternalProcess.testPython(), [], "Tests/Scripts/joserfc_verify.py")
                case .node: (try ExternalProcess.program("node"), [], "Examples/Verifying/verify.mjs")
                case .go: (try ExternalProcess.program("go"), ["run"], "Examples/Verifying/verify.go")
                case .php: (try ExternalProcess.program("php"), [], "Examples/Verifying/verify.php")
                case .java:
                    (
                        try ExternalProcess.program("java"), ["-cp", "/usr/share/java/gson.jar"],
                        "Examples/Verifying/Verify.java"
                    )
                }
            return try ExternalProcess(
                executable, options + [ExternalProcess.repository.appendingPathComponent(script).path] + arguments,
                environment: ["PYTHONDONTWRITEBYTECODE": "1", "GOCACHE": Self.goCache].merging(environment) { $1 },
                directory: directory, input: input)
        }
    }

    static let tooOld = "the revocations have not been read for too long"
    /// The time for which a verifier trusts the list that it has read.
    private static let bound = Duration.seconds(5)

    let kind: Kind
    private let process: AnsweringProcess

    init(_ kind: Kind, server: RunningServer, environment: [String: String] = [:]) throws {
        self.kind = kind
        process = AnsweringProcess(
            try kind.process(
                ["http://127.0.0.1:\(server.port)"], input: .lines, directory: server.directory,
                environment: environment),
            in: server.directory)
    }

    /// The answer about that token: its claims, or `error`.
    func answer(to token: String) async throws -> [String: Any] {
        let line = try await process.answer(to: token)
        return try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    /// The decision about that token, asked for again while the verifier cannot tell: it treats a
    /// slow server as missing.
    func verify(_ token: String) async throws -> [String: Any] {
        var answer: [String: Any] = [:]
        try await wait(for: "\(kind) to decide") {
            answer = try await self.answer(to: token)
            return ![Self.tooOld, "the keys could not be read"].contains(answer["error"] as? String)
        }
        return answer
    }

    /// Whether the token is accepted, and belongs to that user.
    func accepts(_ token: String, of account: Account) async throws -> Bool {
        try await verify(token)["sub"] as? String == "\(account.id)"
    }

    /// Whether the token, which was valid, has been revoked.
    func refuses(_ token: String) async throws -> Bool {
        let error = try await verify(token)["error"]
        #expect(error == nil || error as? String == "revoked")
        return error != nil
    }

    /// Waits until a token that has just been revoked is refused.
    ///
    /// However slow the machine is, a verifier trusts no list older than ``bound``.
    func waitForRefusal(of token: String) async throws {
        let end = ContinuousClock.now
        try await wait(for: "the refusal") {
            let asked = ContinuousClock.now
            if try await refuses(token) { return true }
            try #require(asked - end <= Self.bound, "\(self.kind) believes an old list")
            return false
        }
    }
}

// MARK: - Parts of tokens

private func parts(of token: String) throws -> (header: String, payload: String, signature: String) {
    let parts = token.components(separatedBy: ".")
    try #require(parts.count == 3)
    return (parts[0], parts[1], parts[2])
}

private func decoded(_ part: String) throws -> [String: Any] {
    let text = part.replacing("-", with: "+").replacing("_", with: "/")
    let data = try #require(Data(base64Encoded: text + String(repeating: "=", count: (4 - text.count % 4) % 4)))
    return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
}

private func encoded(_ members: [String: Any]) -> String {
    let text = Data(json(members).utf8).base64EncodedString()
    return text.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}

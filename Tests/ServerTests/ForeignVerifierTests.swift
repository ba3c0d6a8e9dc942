import Foundation
import Support
import Testing

/// Tokens verified by programs that know nothing of this package: the examples of
/// `Examples/Verifying`, as they are, and joserfc.
@Suite struct ForeignVerifierTests {
    static let algorithms = ["ES256", "EdDSA", "RS256"]

    /// A server with a user, and everyone who verifies its tokens.
    private static func start(_ arguments: [String] = []) async throws -> (
        server: RunningServer, verifiers: [ForeignVerifier]
    ) {
        let server = try await RunningServer(arguments)
        _ = try server.register("miguel", "python")
        return (server, try ForeignVerifier.Kind.allCases.map { try ForeignVerifier($0, server: server) })
    }

    // MARK: Signatures

    @Test(arguments: algorithms) func aTokenIsGoodAsItWasSignedAndInNoOtherForm(algorithm: String) async throws {
        let (server, verifiers) = try await Self.start(["--signing-algorithm", algorithm])
        let token = try server.token("miguel", "python")
        let another = try server.token("miguel", "python")
        let (header, payload, signature) = try parts(of: token)
        let kid = try #require(try decoded(header)["kid"])
        func forged(_ members: [String: Any]) -> String {
            encoded(members.merging(["typ": "at+jwt", "kid": kid]) { $1 })
        }
        var claims = try decoded(payload)
        #expect(try decoded(header)["alg"] as? String == algorithm)
        claims["sub"] = "2"
        let refused = [
            "\(header).\(encoded(claims)).\(signature)", "\(header).\(payload).\(try parts(of: another).signature)",
            "\(header).\(payload).\(signature.dropLast(8))AAAAAAAA", "\(header).\(payload).", "\(header).\(payload)",
            "\(forged(["alg": "none"])).\(payload).", "\(forged(["alg": "HS256"])).\(payload).\(signature)",
            "\(forged(["alg": algorithm, "crit": ["x"], "x": 1])).\(payload).\(signature)",
            "\(encoded(["alg": algorithm, "typ": "at+jwt", "kid": "another"])).\(payload).\(signature)",
            "\(encoded(["alg": algorithm, "typ": "at+jwt"])).\(payload).\(signature)", "nonsense", "", "..", "ü.ü.ü",
            String(repeating: "A", count: 5000),
        ]
        for verifier in verifiers {
            let accepted = try await verifier.verify(token)
            #expect(accepted["sub"] as? String == "1", "\(verifier.kind): \(accepted)")
            #expect(accepted["preferred_username"] as? String == "miguel")
            for token in refused {
                let answer = try await verifier.verify(token)
                #expect(answer["error"] is String && answer["sub"] == nil, "\(verifier.kind) took \(token)")
            }
            #expect(try await verifier.verify(another)["sub"] as? String == "1")
        }
    }

    @Test(arguments: algorithms) func tokensFromBeforeAndAfterARotationAreGood(algorithm: String) async throws {
        let (server, verifiers) = try await Self.start(["--signing-algorithm", algorithm])
        let old = try server.token("miguel", "python")
        for verifier in verifiers { #expect(try await verifier.verify(old)["sub"] as? String == "1") }
        try await server.command("keys", "rotate", "--now", "--signing-algorithm", algorithm)
        var new = old
        try await wait(seconds: 20, for: "the new key to sign") {
            new = try server.send("GET", "/api/token", headers: [bearer(old)]).json["token"] as? String ?? old
            return try parts(of: new).header != parts(of: old).header
        }
        for verifier in verifiers {
            #expect(try await verifier.verify(new)["sub"] as? String == "1", "\(verifier.kind)")
            #expect(try await verifier.verify(old)["sub"] as? String == "1", "\(verifier.kind)")
        }
    }

    // MARK: Claims

    @Test func anExpiredTokenIsRefused() async throws {
        let (server, verifiers) = try await Self.start(["--token-duration", "3"])
        for verifier in verifiers {
            // So that starting it does not count.
            #expect(try await verifier.verify("nonsense")["error"] is String)
            let token = try server.token("miguel", "python")
            #expect(try await verifier.verify(token)["sub"] as? String == "1")
            try await wait(seconds: 5, for: "the end of the token") {
                try await verifier.verify(token)["error"] is String
            }
        }
    }

    @Test func aTokenOfAnotherIssuerIsRefusedThoughItsKeyIsKnown() async throws {
        let former = try await RunningServer(["--public-url", "https://former.example.com"])
        _ = try former.register("miguel", "python")
        let old = try former.token("miguel", "python")
        #expect(try await former.stop() == 0)
        let server = try await RunningServer(["--public-url", "https://auth.example.com"], directory: former.directory)
        let new = try server.token("miguel", "python")
        #expect(try parts(of: old).header == parts(of: new).header)
        for kind in ForeignVerifier.Kind.allCases {
            let verifier = try ForeignVerifier(kind, server: server)
            #expect(try await verifier.verify(new)["iss"] as? String == "https://auth.example.com")
            #expect(try await verifier.verify(old)["error"] is String, "\(kind)")
        }
    }

    // MARK: Revocations

    /// What the documentation promises of the examples, in seconds: the interval of the reading and
    /// one more.
    private static let bound = 2.0

    @Test(arguments: algorithms) func theTokensOfAnEndedSessionAreRefusedWithinTheBound(algorithm: String) async throws
    {
        let (server, verifiers) = try await Self.start(["--signing-algorithm", algorithm])
        for verifier in verifiers where verifier.kind.readsRevocations {
            let (ended, other) = (try server.token("miguel", "python"), try server.token("miguel", "python"))
            for token in [ended, other] { #expect(try await verifier.verify(token)["sub"] as? String == "1") }
            #expect(try server.send("DELETE", "/api/tokens", headers: [bearer(ended)]).status == 204)
            try await wait(seconds: Self.bound, for: "the refusal") {
                try await verifier.verify(ended)["error"] as? String == "revoked"
            }
            #expect(try await verifier.verify(other)["sub"] as? String == "1")
        }
    }

    @Test func usersAndRolesAreRefusedAndAdmittedAgain() async throws {
        let (server, verifiers) = try await Self.start()
        _ = try server.register("susan", "python")
        let plain = try server.token("miguel", "python")
        try await server.command("users", "grant", "miguel", "admin")
        try await server.command("users", "grant", "susan", "admin")
        let (admin, susan) = (try server.token("miguel", "python"), try server.token("susan", "python"))
        for verifier in verifiers where verifier.kind.readsRevocations {
            func isRefused(_ token: String) async throws -> Bool {
                let answer = try await verifier.verify(token)
                #expect(answer["error"] == nil || answer["error"] as? String == "revoked")
                return answer["error"] != nil
            }
            // What was done for the verifier before this one may not have been read here yet.
            try await wait(seconds: Self.bound, for: "the role") {
                try await verifier.verify(admin)["roles"] as? [String] == ["admin"]
            }
            try await server.command("users", "revoke", "miguel", "admin")
            try await wait(seconds: Self.bound, for: "the role's end") { try await isRefused(admin) }
            #expect(try await !isRefused(plain))
            try await server.command("users", "disable", "miguel")
            try await wait(seconds: Self.bound, for: "the user's refusal") { try await isRefused(plain) }
            try await server.command("users", "enable", "miguel")
            try await wait(seconds: Self.bound, for: "the user's return") { try await !isRefused(plain) }
            #expect(try await isRefused(admin))
            try await server.command("users", "grant", "miguel", "admin")
            try await wait(seconds: Self.bound, for: "the role's return") { try await !isRefused(admin) }
            #expect(try await !isRefused(susan))
        }
    }

    @Test func aVerifierThatStartsLaterReadsWhatWasRevokedBefore() async throws {
        let server = try await RunningServer()
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        #expect(try server.send("DELETE", "/api/tokens", headers: [bearer(token)]).status == 204)
        for kind in ForeignVerifier.Kind.allCases where kind.readsRevocations {
            #expect(try await ForeignVerifier(kind, server: server).verify(token)["error"] as? String == "revoked")
        }
    }

    @Test func whoCannotReadTheRevocationsStopsAcceptingAndRecovers() async throws {
        let (server, all) = try await Self.start()
        let verifiers = all.filter { $0.kind.readsRevocations }
        let token = try server.token("miguel", "python")
        for verifier in verifiers { #expect(try await verifier.verify(token)["sub"] as? String == "1") }
        server.pause()
        for verifier in verifiers {
            try await wait(seconds: 20, for: "the list to be too old") {
                let answer = try await verifier.verify(token)
                #expect(
                    answer["error"] == nil
                        || answer["error"] as? String == "the revocations have not been read for too long")
                return answer["error"] != nil
            }
        }
        server.resume()
        for verifier in verifiers {
            try await wait(seconds: 10, for: "the list to be read again") {
                try await verifier.verify(token)["sub"] as? String == "1"
            }
        }
    }

    @Test func withoutAServerNothingIsAccepted() async throws {
        let server = try await RunningServer()
        _ = try server.register("miguel", "python")
        let token = try server.token("miguel", "python")
        #expect(try await server.stop() == 0)
        for kind in ForeignVerifier.Kind.allCases where kind.readsRevocations {
            let answer = try await ForeignVerifier(kind, server: server).verify(token)
            #expect(answer["error"] as? String == "the revocations have not been read for too long")
        }
    }

    // MARK: As commands

    @Test func theExitStatusSaysWhetherAllWereGood() async throws {
        let (server, _) = try await Self.start()
        let token = try server.token("miguel", "python")
        for kind in ForeignVerifier.Kind.allCases where kind.readsRevocations {
            for (input, status, lines) in [
                (token, 0, 1), (token + "\n" + token + "\n", 0, 2), (token + "x\n" + token, 1, 2), ("", 0, 0),
            ] {
                let process = try kind.process(
                    ["http://127.0.0.1:\(server.port)"], input: .text(input), directory: server.directory)
                #expect(try await process.exitStatus() == status, "\(kind): \(process.errorText)")
                #expect(process.outputLines.count == lines)
            }
            #expect(try await kind.process([], input: .nothing, directory: server.directory).exitStatus() == 2)
        }
    }
}

// MARK: - Verifiers

/// A program that reads a token from each line of its input and answers with a line.
private final class ForeignVerifier {
    enum Kind: String, CaseIterable {
        case pyJWT, joserfc, node

        /// joserfc is there for its signatures and claims.
        var readsRevocations: Bool { self != .joserfc }

        func process(_ arguments: [String], input: ExternalProcess.Input, directory: TemporaryDirectory) throws
            -> ExternalProcess
        {
            let (executable, script) =
                switch self {
                case .pyJWT: (try ExternalProcess.testPython(), "Examples/Verifying/verify.py")
                case .joserfc: (try ExternalProcess.testPython(), "Tests/Scripts/joserfc_verify.py")
                case .node: (try ExternalProcess.program("node"), "Examples/Verifying/verify.mjs")
                }
            return try ExternalProcess(
                executable, [ExternalProcess.repository.appendingPathComponent(script).path] + arguments,
                environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: directory, input: input)
        }
    }

    let kind: Kind
    private let process: ExternalProcess

    init(_ kind: Kind, server: RunningServer) throws {
        self.kind = kind
        process = try kind.process(["http://127.0.0.1:\(server.port)"], input: .lines, directory: server.directory)
    }

    deinit { process.kill() }

    /// What it says of that token: its claims, or `error`.
    func verify(_ token: String) async throws -> [String: Any] {
        let count = process.outputLines.count
        process.send(line: token)
        try await wait(seconds: 20, for: "\(kind) to answer") {
            guard process.isRunning else { throw VerifierEnded(text: process.errorText) }
            return process.outputLines.count > count
        }
        return try #require(JSONSerialization.jsonObject(with: Data(process.outputLines[count].utf8)) as? [String: Any])
    }

    struct VerifierEnded: Error {
        let text: String
    }
}

// MARK: - Tokens taken apart

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
    Data(json(members).utf8).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
        "=", with: "")
}

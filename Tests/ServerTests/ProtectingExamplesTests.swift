import Foundation
import Support
import Testing

/// The services in the documents, unchanged except for the ports.
@Suite(.server()) struct ProtectingExamplesTests {
    let server: RunningServer

    init() throws { server = try SharedServer.current() }

    private static let page = "Protecting-an-API"
    private static let asking = "### Ask for each request"

    /// A service that runs in its own directory, until it is no longer referenced.
    private final class Service: Sendable {
        let port: Int
        private let directory: TemporaryDirectory
        private let process: ExternalProcess

        /// - Parameter files: the files of its directory.
        init(_ program: URL, _ arguments: [String], _ files: [String: String] = [:], port: Int) async throws {
            self.port = port
            directory = try TemporaryDirectory()
            for (name, text) in files {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/\(name)"))
            }
            process = try ExternalProcess(
                program, arguments, environment: ["PYTHONDONTWRITEBYTECODE": "1"], directory: directory)
            try await process.answers(on: port)
        }

        deinit { process.kill() }

        func get(_ path: String, _ headers: [String]) async throws -> HTTPAnswer {
            try await HTTPConnection(port: port).send("GET", path, headers: headers)
        }
    }

    /// The code with the ports of this test.
    private func placed(_ code: String, at server: RunningServer? = nil) -> String {
        code.replacing("http://127.0.0.1:5000", with: "http://127.0.0.1:\((server ?? self.server).port)")
    }

    private func flask(_ code: String, at server: RunningServer? = nil) async throws -> Service {
        let port = try FreePort.next()
        return try await Service(
            ExternalProcess.testPython(), ["-m", "flask", "--app", "app.py", "run", "--port", "\(port)"],
            ["app.py": placed(code, at: server)], port: port)
    }

    /// The application of the README.
    private func readme(at server: RunningServer? = nil) async throws -> Service {
        let blocks = try Document("README.md").blocks("python", under: "## Protect your API")
        return try await flask(#require(blocks.first), at: server)
    }

    /// The page's decorator, with a route that uses it.
    private func decorated(at server: RunningServer? = nil) async throws -> Service {
        let blocks = try Document(page: Self.page).blocks("python", under: Self.asking)
        return try await flask(#require(blocks.first), at: server)
    }

    private func node(at server: RunningServer? = nil) async throws -> Service {
        let port = try FreePort.next()
        let block = try #require(try Document(page: Self.page).blocks("javascript", under: Self.asking).first)
        let code = placed(block, at: server).replacing("listen(3000)", with: "listen(\(port), '127.0.0.1')")
        return try await Service(
            ExternalProcess.program("node"), ["service.mjs"], ["service.mjs": code], port: port)
    }

    // MARK: Asking the server

    @Test func theREADMEsApplicationIsGuarded() async throws {
        try await expectGuarded("/api/notes", by: readme())
    }

    @Test func theDecoratorForFlaskGuardsARoute() async throws {
        try await expectGuarded("/api/notes", by: decorated())
    }

    @Test func theHandlerForNodeGuardsAService() async throws {
        try await expectGuarded("/", by: node())
    }

    private func expectGuarded(_ path: String, by service: Service) async throws {
        func send(_ headers: [String]) async throws -> HTTPAnswer { try await service.get(path, headers) }
        let miguel = try await server.newAccount("Zoë")
        let tokens = try await server.signIn(miguel)
        for header in [miguel.basic, bearer(tokens.access), basic(tokens.access, "")] {
            let answer = try await send([header])
            #expect(answer.status == 200)
            #expect(answer.json["notes_of"] as? Int == miguel.id, "\(answer.body)")
        }
        for headers in [
            [], [basic(miguel.name, "wrong")], [bearer(tokens.access + "x")], [bearer(tokens.refresh)],
            ["Remote-User-Id: \(miguel.id)"],
        ] {
            let answer = try await send(headers)
            #expect(answer.status == 401, "\(headers)")
            // The scheme depends on the client: fetch of Node says that it is a script.
            #expect(answer["WWW-Authenticate"]?.contains("realm=") == true, "\(headers)")
            #expect(answer.code != nil)
            #expect(!answer.body.contains("notes_of"))
        }
        // From the next request on.
        try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        #expect(try await send([bearer(tokens.access)]).status == 401)
    }

    /// Uses its own server, because it stops it.
    @Test func withoutAServerNobodyIsLetIn() async throws {
        let server = try await RunningServer()
        let miguel = try await server.newAccount()
        let services = [
            ("/", try await node(at: server)), ("/api/notes", try await decorated(at: server)),
            ("/api/notes", try await readme(at: server)),
        ]
        try await server.kill()
        for (path, service) in services { #expect(try await service.get(path, [miguel.basic]).status == 503) }
    }

    /// The five lines of the page about moving, in an existing Flask application: the rows of its
    /// own table are found by the ids that rest-auth returns.
    @Test func theRoutesOfAFlaskApplicationGoOnWithItsOwnRows() async throws {
        let miguel = try await server.newAccount("Zoë")
        let block = try #require(
            try Document(page: "Moving-from-Flask").blocks("python", under: "### Your other routes").first)
        let service = try await flask(
            """
            import requests
            from flask import Flask, g
            from flask_httpauth import HTTPBasicAuth

            app = Flask(__name__)
            auth = HTTPBasicAuth()
            User = "users"


            class db:
                class session:
                    @staticmethod
                    def get(table, id):
                        return {\(miguel.id): "the row of miguel"}.get(id)


            \(block)

            @app.get("/api/todos")
            @auth.login_required
            def todos():
                return {"todos_of": g.user}

            """)
        func todos(_ headers: [String]) async throws -> HTTPAnswer { try await service.get("/api/todos", headers) }
        let tokens = try await server.signIn(miguel)
        for header in [miguel.basic, basic(tokens.access, "unused"), basic(tokens.access, "")] {
            let answer = try await todos([header])
            #expect(answer.status == 200)
            #expect(answer.json["todos_of"] as? String == "the row of miguel")
        }
        let other = try await server.newAccount("susan")
        for headers in [[], [basic(miguel.name, "wrong")], [basic(tokens.access + "x", "")], [other.basic]] {
            #expect(try await todos(headers).status == 401)
        }
        try await server.send("DELETE", "/api/tokens", headers: [bearer(tokens.access)])
        #expect(try await todos([basic(tokens.access, "")]).status == 401)
    }

    // MARK: Verifying tokens

    @Test(arguments: [[], ["--public-url", "https://auth.example.com"]])
    func sixLinesOfPyJWTVerifyAToken(arguments: [String]) async throws {
        let server = try await RunningServer(arguments)
        let blocks = try Document(page: Self.page).blocks("python", under: "### Verify without asking")
        let block = placed(try #require(blocks.first), at: server)
            .replacing("\"rest-auth\"", with: "\"\(arguments.last ?? "rest-auth")\"")
        let code = block + "\nimport sys\n\nprint(claims(sys.stdin.readline().strip())[\"sub\"])\n"
        let directory = server.directory
        try Data(code.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/claims.py"))
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        for (token, output, status) in [(token, "\(miguel.id)\n", 0), (token + "x", "", 1)] as [(String, String, Int32)]
        {
            let process = try ExternalProcess(
                ExternalProcess.testPython(), ["claims.py"], directory: directory, input: .text(token + "\n"))
            #expect(try await process.exitStatus() == status, "\(process.errorText)")
            #expect(process.outputText == output)
        }
    }

    /// The lines for `jose` on the page about verifying elsewhere, with Debian's version of the
    /// package.
    @Test(arguments: ForeignVerifierTests.algorithms) func theLinesForJoseVerifyAToken(algorithm: String) async throws {
        let issuer = "https://auth.example.com"
        let server = try await RunningServer(["--public-url", issuer, "--signing-algorithm", algorithm])
        let blocks = try Document(page: "Verifying-elsewhere").blocks("javascript", under: "### What to write where")
        let lines = try #require(blocks.first).replacing("\(issuer)/", with: "http://127.0.0.1:\(server.port)/")
        let code = """
            import { createRequire } from 'node:module'
            const { createRemoteJWKSet, jwtVerify } = createRequire(import.meta.url)('/usr/share/nodejs/jose')
            const token = process.argv[2]
            \(lines)
            console.log(payload.sub)

            """
        let directory = server.directory
        try Data(code.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/claims.mjs"))
        let miguel = try await server.newAccount()
        let token = try await server.token(miguel)
        // This version ignores spare bits of base64url, so the forgery uses another token's
        // signature.
        let parts = try await [token, server.token(miguel)].map { $0.components(separatedBy: ".") }
        let forged = "\(parts[0][0]).\(parts[0][1]).\(parts[1][2])"
        for (token, output, status) in [(token, "\(miguel.id)\n", 0), (forged, "", 1)] as [(String, String, Int32)] {
            let process = try ExternalProcess(
                ExternalProcess.program("node"), ["claims.mjs", token], directory: directory)
            #expect(try await process.exitStatus() == status, "\(process.errorText)")
            #expect(process.outputText == output)
        }
    }

    /// An nginx with the files of `Examples/Verifying/njs`.
    private func nginx(auth: Int, application: Int) async throws -> Service {
        let port = try FreePort.next()
        func text(_ name: String) throws -> String {
            try Document("Examples/Verifying/njs/\(name)").text.replacing("127.0.0.1:8080", with: "127.0.0.1:\(port)")
                .replacing("127.0.0.1:5000", with: "127.0.0.1:\(auth)")
                .replacing("127.0.0.1:3000", with: "127.0.0.1:\(application)")
        }
        // The second directive is for tests that run as root: nginx's workers would run as a user
        // who cannot enter the directory.
        return try await Service(
            ExternalProcess.program("nginx"),
            ["-e", "stderr", "-p", "./", "-c", "nginx.conf", "-g", "daemon off; user root;"],
            ["nginx.conf": text("nginx.conf"), "verify.js": text("verify.js")], port: port)
    }

    /// Runs in front of an application that answers with the request.
    @Test func nginxVerifiesWithoutAsking() async throws {
        let server = try await RunningServer()
        let applicationPort = try FreePort.next()
        let echo = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/echo_server.py").path
        let application = try await Service(
            ExternalProcess.testPython(), [echo, "\(applicationPort)", "Echo"], port: applicationPort)
        let proxy = try await nginx(auth: server.port, application: application.port)
        let miguel = try await server.newAccount()
        try await server.command("users", "grant", miguel.name, "editor", "admin")
        let token = try await server.token(miguel)
        let another = try await server.token(miguel)
        for forged in [[], ["Remote-User: eve", "Remote-User-Id: 99", "Remote-Groups: root"]] {
            let answer = try await proxy.get("/notes", [bearer(token)] + forged)
            #expect(answer.status == 200)
            let fields = (answer.json["headers"] as? [[String]] ?? []).filter { $0.first?.hasPrefix("remote-") == true }
            #expect(Set(fields) == [["remote-user-id", "\(miguel.id)"], ["remote-groups", "admin,editor"]])
            #expect(!answer.body.contains(token))
        }
        let parts = token.components(separatedBy: ".")
        let signature = another.components(separatedBy: ".")[2]
        for refused in [
            "", "x", "..", token + "x", "\(parts[0]).\(parts[1]).\(signature)", "\(parts[0]).\(parts[1]).",
            "\(parts[0]).\(parts[1])", "eyJhbGciOiJub25lIn0.\(parts[1]).", String(repeating: "a", count: 5000),
        ] {
            let answer = try await proxy.get("/notes", [bearer(refused)])
            #expect(answer.status == 401, "\(refused)")
            #expect(answer["WWW-Authenticate"] == "Bearer realm=\"Authentication Required\"")
        }
        for headers in [[], [miguel.basic], [basic(token, "")], ["Remote-User-Id: 1"]] {
            #expect(try await proxy.get("/notes", headers).status == 401)
        }
        // The proxy keeps the keys for a while.
        try await server.kill()
        #expect(try await proxy.get("/notes", [bearer(another)]).status == 200)
    }

    /// A proxy that never had keys cannot tell a good token from a bad one.
    @Test func withoutKeysNginxTellsNobodyThatATokenIsBad() async throws {
        let server = try await RunningServer()
        let token = try await server.token(server.newAccount())
        let proxy = try await nginx(auth: server.port, application: server.port)
        try await server.kill()
        let answer = try await proxy.get("/notes", [bearer(token)])
        #expect(answer.status == 503)
        #expect(answer["Retry-After"] == "1")
    }
}

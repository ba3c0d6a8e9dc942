import Foundation
import Support
import Testing
import Yams

/// No answer may be cached unless the description says otherwise.
@Suite(.server()) struct CachingTests {
    /// The description of one method of one path in `openapi.yaml`.
    private struct Operation {
        let method: String
        let path: String
        /// Names of its security schemes.
        let credentials: Set<String>
    }

    private let server: RunningServer
    private let operations: [Operation]

    init() throws {
        server = try SharedServer.current()
        let file = ExternalProcess.repository.appendingPathComponent("openapi.yaml")
        let document = try #require(Yams.load(yaml: String(contentsOf: file, encoding: .utf8)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        operations = paths.flatMap { path, operations in
            operations.compactMap { method, operation in
                let security = (operation as? [String: Any])?["security"] as? [[String: Any]]
                return security.map {
                    Operation(method: method.uppercased(), path: path, credentials: Set($0.flatMap(\.keys)))
                }
            }
        }
    }

    /// Uses a new account for each operation, because some end what others need.
    @Test func nobodyKeepsWhatIsForWhoSignsIn() async throws {
        let secret = try await server.addClient("gateway")
        let operations = operations.filter { !$0.credentials.isEmpty }
        #expect(operations.count >= 13)
        let bodies: [String: [String: String]] = [
            "PATCH /api/me": ["name": "Miguel"],
            "PUT /api/me/username": ["username": RunningServer.newName("other")],
            "PUT /api/me/password": ["current_password": "python", "new_password": "more python"],
            "POST /api/me/factors": ["type": "totp", "name": "phone"],
            "POST /api/tokens/step-up": ["password": "python"],
            "POST /api/operator/clients": ["client_id": RunningServer.newName("gateway")],
        ]
        // What takes a code, a passkey, or the id of something that this user does not have.
        let refused = [
            "PUT /api/me/factors/{id}", "DELETE /api/me/factors/{id}", "POST /api/me/recovery-codes",
            "DELETE /api/me/devices/{id}", "POST /api/me/passkeys", "PATCH /api/me/passkeys/{id}",
            "DELETE /api/me/passkeys/{id}", "POST /api/passkeys/options", "POST /api/me/tokens",
            "GET /api/me/tokens/{id}", "DELETE /api/me/tokens/{id}", "POST /api/me/tokens/{id}/rotate",
            "PUT /api/tokens/reset",
        ]
        for operation in operations {
            let isForOperators = operation.path.hasPrefix("/api/operator/")
            let miguel = try await isForOperators ? server.newOperator() : server.newAccount()
            let tokens = try await server.signIn(miguel)
            let session = try #require(try await server.sessions(miguel.basic).first?["id"] as? String)
            let path = operation.path.replacing(/\{\w+\}/, with: session)
            var (headers, body) = ([bearer(tokens.access)], String?.none)
            if operation.credentials.contains("client") {
                headers = [basic("gateway", secret), "Content-Type: application/x-www-form-urlencoded"]
                body = "token=\(tokens.access)"
            } else if let fields = bodies["\(operation.method) \(operation.path)"] {
                headers.append("Content-Type: application/json")
                body = json(fields)
            } else if operation.credentials.contains("basic") {
                headers = [miguel.basic]
            }
            // An operator who changes what is not there is refused by some operations and not by
            // others.
            let isRefused = isForOperators ? nil : refused.contains("\(operation.method) \(operation.path)")
            try await expectNotStored(operation.method, path, headers, body, isRefused: isRefused)
            guard operation.method == "GET" else { continue }
            // From the second time on, a token is answered from memory.
            for method in ["HEAD", "GET", "GET", "HEAD"] {
                try await expectNotStored(method, path, [bearer(tokens.access)], nil, isRefused: isRefused)
            }
        }
    }

    private func expectNotStored(
        _ method: String, _ path: String, _ headers: [String], _ body: String?, isRefused: Bool? = false
    ) async throws {
        let answer = try await server.send(method, path, headers: headers, body: body)
        if let isRefused {
            #expect((200..<300).contains(answer.status) != isRefused, "\(method) \(path): \(answer.body)")
        }
        #expect(answer.all("Cache-Control") == ["no-store"], "\(method) \(path)")
    }

    @Test func nobodyKeepsARefusal() async throws {
        for operation in operations {
            for method in operation.method == "GET" ? ["GET", "HEAD"] : [operation.method] {
                let path = operation.path.replacing(/\{\w+\}/, with: "0")
                let answer = try await server.send(method, path, headers: [basic("nobody", "wrong")])
                guard answer.status >= 400 else { continue }
                #expect(answer.all("Cache-Control") == ["no-store"], "\(method) \(path)")
            }
        }
    }

    /// The name of a user can disappear.
    @Test func nobodyKeepsTheNameOfAUser() async throws {
        let miguel = try await server.newAccount()
        for (method, path) in [("GET", "/api/users"), ("HEAD", "/api/users"), ("GET", "/api/user")] {
            try await expectNotStored(method, "\(path)/\(miguel.id)", [], nil)
        }
        let answer = try await server.register(RunningServer.newName(), "python")
        #expect(answer.all("Cache-Control") == ["no-store"])
    }

    @Test(arguments: [
        ("/.well-known/jwks.json", "public, max-age=300"), ("/openapi.yaml", "public, max-age=300"),
        ("/api/revocations", "no-cache"), ("/.well-known/oauth-authorization-server", "no-store"),
        ("/health/live", "no-store"), ("/health/ready", "no-store"),
    ])
    func whatIsForAllSaysHowLongItIsGood(path: String, value: String) async throws {
        for method in ["GET", "HEAD"] {
            try await wait(for: "200 to \(method) \(path)") {
                let answer = try await server.send(method, path)
                guard answer.status == 200 else { return false }
                #expect(answer.all("Cache-Control") == [value], "\(method) \(path)")
                return true
            }
        }
    }
}

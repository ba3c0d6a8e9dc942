import Foundation
import HTTPTypes
import RESTAuth
import RESTAuthHummingbird
import RESTAuthSQLite
import RESTAuthServer
import Support
import Testing
import Yams

/// `openapi.yaml` is served, and describes exactly the routes.
@Suite(.server()) struct DescriptionTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../openapi.yaml").standardizedFileURL

    let server: RunningServer
    let paths: [String: [String: Any]]

    init() throws {
        server = try SharedServer.current()
        let document = try #require(Yams.load(yaml: String(contentsOf: Self.file, encoding: .utf8)) as? [String: Any])
        paths = try #require(document["paths"] as? [String: [String: Any]])
    }

    @Test func theServedTextIsTheFile() async throws {
        let answer = try await server.send("GET", "/openapi.yaml")
        #expect(answer.status == 200)
        #expect(answer["Content-Type"] == "application/yaml")
        #expect(try answer.bodyBytes == Array(Data(contentsOf: Self.file)))
    }

    @Test func everyReferenceLeadsSomewhere() throws {
        let text = try String(contentsOf: Self.file, encoding: .utf8)
        let document = try Yams.load(yaml: text)
        let references = Set(text.matches(of: /\$ref: '#\/([\w\/-]+)'/).map { String($0.output.1) })
        #expect(references.count > 100)
        for reference in references {
            let target = reference.split(separator: "/").reduce(document) { node, name in
                (node as? [String: Any])?[String(name)]
            }
            #expect(target != nil, "\(reference)")
        }
    }

    @Test func everyDescribedPathAllowsWhatIsDescribed() async throws {
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        #expect(paths.count >= 8)
        // Requests from proxies are answered alike for all methods, without Allow
        // (VerifyRoutesTests).
        for (path, operations) in paths where !path.hasPrefix("/api/verify") {
            let sample = path.replacing("{path}", with: "x").replacing(/\{\w+\}/, with: "1")
            let answer = try await server.send("OPTIONS", sample)
            #expect(answer.status == (path == "/" ? 200 : 204), "\(path)")
            let allowed = Set((answer["Allow"] ?? "").components(separatedBy: ", "))
            let described = Set(operations.keys.map { $0.uppercased() }.filter { methods.contains($0) })
            #expect(allowed.subtracting(["HEAD", "OPTIONS"]) == described, "\(path)")
        }
    }

    /// The methods that a description can contain; `HEAD` goes with `GET`.
    private static let methods = ["get", "post", "put", "patch", "delete", "options", "trace"]

    /// A method on a path, with its name and who may call it.
    private struct Operation: Hashable, CustomStringConvertible {
        let description: String
    }

    private var described: [Operation] {
        paths.flatMap { path, operations in
            operations.compactMap { method, operation -> Operation? in
                guard Self.methods.contains(method), let operation = operation as? [String: Any] else { return nil }
                let name = operation["operationId"] as? String ?? "-"
                let schemes = (operation["security"] as? [[String: Any]] ?? []).flatMap {
                    $0.isEmpty ? ["-"] : Array($0.keys)
                }
                let audience =
                    switch schemes {
                    case ["client"]: "client"
                    case ["basic", "bearer"]: "user"
                    case let schemes where schemes.isEmpty || schemes.contains("-"): "anyone"
                    default: "?"
                    }
                return Operation(description: "\(method) \(path) \(name) \(audience)")
            }
        }
    }

    /// The codes of the core's errors, the codes in the sources, and the phrases of statuses.
    @Test func everyCodeIsDescribedAndNoOther() throws {
        let document = try String(contentsOf: Self.file, encoding: .utf8)
        let list = try #require(document.firstMatch(of: /\n    ProblemCode:\n(?:.*\n)*?      enum:\n((?: +- \w+\n)+)/))
        let described = Set(list.output.1.matches(of: /- (\w+)/).map { String($0.output.1) })
        let kinds = Set(AuthError.Kind.allCases.filter { $0.answer != nil }.map(\.rawValue))
        let sources = Self.file.deletingLastPathComponent().appendingPathComponent("Sources")
        let written = try ["RESTAuthHummingbird", "RESTAuthServer/HTTP"].flatMap { directory in
            let directory = sources.appendingPathComponent(directory)
            return try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
                .filter { $0.pathExtension == "swift" }
                .flatMap { try String(contentsOf: $0, encoding: .utf8).matches(of: /code: "(\w+)"/) }
                .map { String($0.output.1) }
        }
        let statuses = Set(
            (400..<600).map { HTTPResponse.Status(code: $0).reasonPhrase.lowercased().replacing(" ", with: "_") })
        #expect(written.count > 10)
        #expect(kinds.union(written).subtracting(described).isEmpty)
        #expect(described.subtracting(kinds).subtracting(written).subtracting(statuses).isEmpty)
    }

    /// A route without an operation fails here, and so does an operation without a route.
    @Test func theRoutesAreTheOperations() async throws {
        let routes = ServerRoutes(try await Auth(storage: SQLiteStorage()), configuration: .init()).all
        let operations = routes.compactMap { route -> Operation? in
            let method = route.method.rawValue.lowercased()
            guard Self.methods.contains(method) else { return nil }
            let path = route.path.replacing("**", with: "{path}")
            let audience =
                switch route.audience {
                case .anyone, .everyPage: "anyone"
                case .client: "client"
                case .user: "user"
                }
            return Operation(description: "\(method) \(path) \(route.operationID) \(audience)")
        }
        #expect(Set(operations).subtracting(described) == [])
        #expect(Set(described).subtracting(operations) == [])
        #expect(Set(routes.map(\.operationID)).count == routes.count)
        #expect(operations.count == described.count)
    }

    /// Uses a server of its own, because it reads the whole log.
    @Test func everyRouteInTheLogIsDescribed() async throws {
        let server = try await RunningServer()
        try await server.register("miguel", "python")
        for path in paths.keys {
            try await server.send("GET", path.replacing("{path}", with: "x").replacing(/\{\w+\}/, with: "1"))
        }
        var routes: Set<String> = []
        try await wait(for: "the lines") {
            let found = server.log.matches(of: /route=(\S+)/)
            routes = Set(found.map { String($0.1.replacing("**", with: "{path}")) })
            return routes.isSuperset(of: paths.keys)
        }
        #expect(routes == Set(paths.keys))
    }
}

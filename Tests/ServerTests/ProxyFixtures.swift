import Foundation
import Support
import Synchronization
import Testing

// MARK: - Proxies and applications

enum Proxy: String, CaseIterable, CustomTestStringConvertible {
    case nginx, caddy, haproxy

    var testDescription: String { rawValue }

    /// Names of the proxy's file, and of the files that it includes.
    var examples: [String] {
        switch self {
        case .nginx: ["nginx.conf"]
        case .caddy: ["Caddyfile"]
        case .haproxy: ["haproxy.cfg", "verify.lua"]
        }
    }

    func arguments(_ file: String, in directory: TemporaryDirectory) -> [String] {
        switch self {
        // The second directive is for tests that run as root: nginx's workers would run as a user
        // who cannot enter the directory.
        case .nginx: ["-e", "stderr", "-p", directory.path, "-c", file, "-g", "daemon off; user root;"]
        case .caddy: ["run", "--config", file, "--adapter", "caddyfile"]
        case .haproxy: ["-db", "-f", file]
        }
    }
}

/// The client of one proxy in one test: every request has a mark, by which those that reach the
/// application are found.
struct Visitor {
    /// The header line with the mark.
    let mark = "Test: \(UUID())"
    private let front: Front

    init(_ front: Front) { self.front = front }

    init(_ proxy: Proxy, auth: RunningServer) async throws { front = try await .shared(proxy, auth: auth.port) }
    init(_ proxy: Proxy, auth: EchoServer) async throws { front = try await .shared(proxy, auth: auth.port) }

    /// A connection, on which the mark has to be sent.
    func connect() async throws -> HTTPConnection { try await HTTPConnection(port: front.port) }

    /// Sends one request on a new connection.
    func send(
        _ method: String, _ path: String, headers: [String] = [], body: String? = nil
    ) async throws -> HTTPAnswer {
        try await connect().send(method, path, headers: headers + [mark], body: body)
    }

    /// The requests that reached the application.
    var requests: [[String: Any]] { front.application.requests(with: mark) }
    var logs: String { front.logs }
}

/// One of the proxies with an application behind it.
final class Front: Sendable {
    let application: EchoServer
    let port: Int
    private let directory: TemporaryDirectory
    private let process: ExternalProcess

    struct Place: Hashable {
        let proxy: Proxy
        let auth: Int
    }

    private static let started = Mutex<[Place: Task<Front, any Error>]>([:])

    /// The proxy in front of that port, shared by all tests.
    static func shared(_ proxy: Proxy, auth: Int) async throws -> Front {
        let place = Place(proxy: proxy, auth: auth)
        let starting = started.withLock { started in
            let starting = started[place] ?? Task { try await Front(proxy, auth: auth) }
            started[place] = starting
            return starting
        }
        return try await starting.value
    }

    /// - Parameters:
    ///   - port: the port of the proxy.
    ///   - isUnderPrefix: whether to use the lines for a prefix, which are comments in the file,
    ///     instead of those above them.
    init(_ proxy: Proxy, auth: Int, port: Int? = nil, isUnderPrefix: Bool = false) async throws {
        directory = try TemporaryDirectory()
        application = try await EchoServer.application.value
        self.port = try port ?? FreePort.next()
        let port = self.port
        let ports = ["8080": port, "5000": auth, "3000": application.port]
        for example in proxy.examples {
            let file = ExternalProcess.repository.appendingPathComponent("Examples/Proxies/\(example)")
            let original = try String(contentsOf: file, encoding: .utf8)
            let text = (isUnderPrefix ? Self.underPrefix(original) : original)
                .replacing(/127\.0\.0\.1:(8080|5000|3000)/) { "127.0.0.1:\(ports[String($0.1)] ?? 0)" }
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory.path)/\(example)"))
        }
        let file = "\(directory.path)/\(proxy.examples.first ?? "")"
        process = try ExternalProcess(
            ExternalProcess.program(proxy.rawValue), proxy.arguments(file, in: directory),
            environment: ["HOME": directory.path], directory: directory)
        try await process.answers(on: port, path: "/.well-known/jwks.json")
    }

    deinit { process.kill() }

    /// The file with the commented lines for a prefix in place of those for single paths.
    private static func underPrefix(_ text: String) -> String {
        text.replacing(
            /(?m)^[ \t]+acl is-rest-auth path -m reg .*\n/, with: ""
        )
        .replacing(
            /(?m)^(?<blank>[ \t]+)(location ~|@rest-auth path_regexp) [^$]*\$( \{)?\n(.+\n)*?\k<blank>\}\n/, with: ""
        )
        .replacing(/(?m)^(?<blank>[ \t]+)#(?! \S)/) { String($0.blank) }
    }

    /// Everything that the proxy has logged.
    var logs: String {
        let files = ["access.log", "error.log"].map {
            try? String(contentsOfFile: "\(directory.path)/\($0)", encoding: .utf8)
        }
        return files.compactMap(\.self).joined() + process.outputText + process.errorText
    }
}

/// `Tests/Scripts/echo_server.py`, which answers with the request.
final class EchoServer: Sendable {
    /// The application behind every proxy.
    static let application = Task { try await EchoServer("Application") }
    /// A server in place of rest-auth.
    static let auth = Task { try await EchoServer("Auth") }

    let port: Int
    private let directory: TemporaryDirectory
    private let process: ExternalProcess

    private init(_ name: String) async throws {
        directory = try TemporaryDirectory()
        port = try FreePort.next()
        let script = ExternalProcess.repository.appendingPathComponent("Tests/Scripts/echo_server.py")
        process = try ExternalProcess(
            ExternalProcess.program("python3"), [script.path, "\(port)", name], directory: directory)
        try await process.answers(on: port)
    }

    deinit { process.kill() }

    /// The requests with this mark.
    func requests(with mark: String) -> [[String: Any]] {
        process.outputLines.filter { $0.contains(mark.dropFirst("Test: ".count)) }
            .compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
    }
}

/// A request as the application received it.
struct Seen {
    let path: String
    /// All values of each field, by its name in lower case.
    let fields: [String: [String]]

    init(_ json: [String: Any]) {
        path = json["path"] as? String ?? ""
        let pairs = (json["headers"] as? [[String]] ?? []).map { ($0[0], [$0[1]]) }
        fields = Dictionary(pairs, uniquingKeysWith: +)
    }

    /// Every field with the identity, also in the spellings that many applications treat as the
    /// same. Empty fields are left out.
    var identity: [String: String] {
        fields.filter { $0.key.hasPrefix("remote") }.mapValues { $0.joined(separator: " and ") }
            .filter { !$0.value.isEmpty }
    }
}

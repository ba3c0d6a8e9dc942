import Foundation
import RESTAuth
import RESTAuthServer
import Support
import Testing

/// Debian's Prometheus reads the metrics of the real binary, with the files of
/// `Examples/Prometheus`.
@Suite struct PrometheusTests {
    private static let examples = ExternalProcess.repository.appendingPathComponent("Examples/Prometheus")

    private func promtool(_ arguments: [String], input: String? = nil) async throws -> CommandOutcome {
        let directory = try TemporaryDirectory()
        let process = try ExternalProcess(
            ExternalProcess.program("promtool"), arguments, directory: directory,
            input: input.map { .text($0) } ?? .nothing)
        return try await process.outcome()
    }

    private func text(_ name: String) throws -> String {
        try String(contentsOf: Self.examples.appendingPathComponent(name), encoding: .utf8)
    }

    // MARK: The files by themselves

    @Test(arguments: [["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"]])
    func promtoolTakesTheFile(arguments: [String]) async throws {
        let file = Self.examples.appendingPathComponent(arguments[2]).path
        let outcome = try await promtool(arguments.prefix(2) + [file])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.error)")
    }

    /// The test file has a case in which each alert fires, and one in which it does not.
    @Test func everyAlertFiresWhenItShouldAndNotOtherwise() async throws {
        let outcome = try await promtool([
            "test", "rules", Self.examples.appendingPathComponent("alerts.test.yml").path,
        ])
        #expect(outcome.status == 0, "\(outcome.output) \(outcome.error)")
        let tests = try text("alerts.test.yml")
        let alerts = try text("alerts.yml").matches(of: /- alert: (\w+)/).map(\.output.1)
        #expect(alerts.count > 10)
        for alert in alerts {
            #expect(tests.contains("  - name: \(alert) fires\n"), "\(alert)")
            #expect(tests.contains("  - name: \(alert) does not fire\n"), "\(alert)")
        }
    }

    /// Every event that a rule or a panel names exists in the server, and is at zero before it
    /// happens.
    @Test func everyEventThatIsNamedIsThere() async throws {
        let files = try text("alerts.yml") + text("dashboard.json").replacing("\\\"", with: "\"")
        let names = Set(
            files.matches(of: /event=~?"([a-z_|.*\[\]]+)"/).flatMap { $0.output.1.split(separator: "|") }
                .filter { !$0.contains("*") })
        #expect(names.count > 3)
        let recorded = Set(AuthEvent.Name.allCases.map(\.rawValue))
        let metrics = MetricRegistry().text()
        for name in names {
            #expect(recorded.contains(String(name)), "\(name)")
            #expect(metrics.contains("{event=\"\(name)\"} 0\n"), "\(name)")
        }
    }

    // MARK: With a server

    /// A server that has answered all kinds of requests, and continues to.
    private final class BusyServer {
        let server: RunningServer
        let port: Int
        private var refresh = ""

        init() async throws {
            port = try FreePort.next()
            // One hash at a time, and one that waits: of more, some are refused with 503.
            server = try await RunningServer([
                "--metrics-port", "\(port)", "--hashing-threads", "1", "--hashing-queue", "1", "--throttle", "no",
            ])
            try await server.register("susan", "cat")
        }

        /// Sends one request of each kind that a panel shows.
        func work() async throws {
            let token = try await server.token("susan", "cat")
            try await server.send("GET", "/api/resource", headers: [bearer(token)])
            try await server.send("GET", "/api/resource", headers: [bearer(token)])
            try await server.send("GET", "/api/token", headers: [basic("susan", "dog")])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask { [server] in
                        try await server.send("GET", "/api/token", headers: [basic("susan", "cat")])
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func promtoolFindsNothingWrongWithTheMetrics() async throws {
        let busy = try await BusyServer()
        try await busy.work()
        let metrics = try await HTTPConnection(port: busy.port).send("GET", "/metrics").body
        let outcome = try await promtool(["check", "metrics"], input: metrics)
        #expect(outcome.status == 0)
        #expect(outcome.output + outcome.error == "")
    }

    /// The query of a rule without its threshold has a result: the rule fires only when something
    /// is wrong.
    @Test func everyQueryHasAResult() async throws {
        let busy = try await BusyServer()
        let prometheus = try await RunningPrometheus(target: busy.port)
        let queries = try ruleQueries() + panelQueries()
        #expect(queries.count > 40)
        var waiting = queries
        try await wait(for: "a result of every query") {
            try await busy.work()
            for query in waiting {
                let outcome = try await promtool([
                    "query", "instant", "-o", "json", "http://127.0.0.1:\(prometheus.port)", query,
                ])
                // A query that cannot be parsed now cannot be parsed later.
                try #require(outcome.status == 0, "\(query): \(outcome.error)")
                let results = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [Any]
                if results?.isEmpty == false { waiting.removeAll { $0 == query } }
            }
            return waiting.isEmpty
        }
        #expect(waiting == [])
        // The state of a rule is known after its first evaluation.
        try await wait(for: "every rule to have run") { try await !prometheus.rules().contains(#""health":"unknown""#) }
        let rules = try await prometheus.rules()
        #expect(rules.contains(#""health":"ok""#))
        #expect(!rules.contains(#""health":"err""#), "\(rules)")
    }

    private func ruleQueries() throws -> [String] {
        let rules = try text("alerts.yml").components(separatedBy: "- alert: ").dropFirst()
        return try rules.map { rule in
            let end = try #require(rule.firstRange(of: /\n +(for|labels):/))
            let query = rule[..<end.lowerBound].components(separatedBy: "expr:").last?.replacing(">-", with: "")
                .components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
            return try #require(query).components(separatedBy: " and ").map { condition in
                let compared = try #require(condition.wholeMatch(of: /(.*) (==|>|<) [0-9.]+ */), "\(rule)")
                return compared.output.1.trimmingCharacters(in: .whitespaces)
            }
        }.flatMap(\.self)
    }

    private struct Dashboard: Decodable {
        struct Panel: Decodable {
            struct Target: Decodable { let expr: String }

            let title: String
            let type: String
            let targets: [Target]?
        }

        let panels: [Panel]
    }

    /// The queries of all panels, with values for Grafana's variables.
    private func panelQueries() throws -> [String] {
        let dashboard = try JSONDecoder().decode(Dashboard.self, from: Data(text("dashboard.json").utf8))
        for panel in dashboard.panels {
            #expect(panel.type == "row" || panel.targets?.isEmpty == false, "\(panel.title)")
        }
        return dashboard.panels.flatMap { $0.targets ?? [] }.map {
            $0.expr.replacing("$instance", with: ".*").replacing("$__rate_interval", with: "1m")
        }
    }
}

/// A Prometheus with the example's settings, reading one server five times a second.
private final class RunningPrometheus {
    let port: Int
    private let process: ExternalProcess
    private let directory: TemporaryDirectory

    init(target: Int) async throws {
        (directory, port) = (try TemporaryDirectory(), try FreePort.next())
        let examples = ExternalProcess.repository.appendingPathComponent("Examples/Prometheus")
        for name in ["prometheus.yml", "alerts.yml"] {
            let text = try String(contentsOf: examples.appendingPathComponent(name), encoding: .utf8)
                .replacing("127.0.0.1:9464", with: "127.0.0.1:\(target)").replacing(
                    "_interval: 15s", with: "_interval: 200ms")
            try text.write(toFile: "\(directory.path)/\(name)", atomically: true, encoding: .utf8)
        }
        process = try ExternalProcess(
            ExternalProcess.program("prometheus"),
            [
                "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                "--web.listen-address=127.0.0.1:\(port)",
            ], directory: directory)
        try await process.answers(on: port, path: "/-/ready")
    }

    deinit { process.kill() }

    /// The rules with their states, as JSON; empty while Prometheus does not answer.
    func rules() async throws -> String {
        let curl = try ExternalProcess(
            ExternalProcess.program("curl"), ["-s", "http://127.0.0.1:\(port)/api/v1/rules"], directory: directory)
        return try await curl.outcome().output
    }
}

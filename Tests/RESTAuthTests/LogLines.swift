import Logging
import Synchronization

/// Messages of a log, of level notice and above.
final class LogLines: Sendable {
    private let kept = Mutex<[String]>([])

    /// But for how late the events of the test are, by their own times.
    var texts: [String] { kept.withLock { $0.filter { $0 != "events wait for their seal" } } }

    /// Runs `body` with this log.
    func take<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        try await withLogger(Logger(label: "test") { _ in Handler(lines: self) }) { _ in try await body() }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.notice

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { lines.kept.withLock { $0.append(event.message.description) } }
    }
}

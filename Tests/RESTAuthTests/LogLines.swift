import Logging
import Synchronization

/// Messages of a log, of level notice and above or of another one.
final class LogLines: Sendable {
    private let kept = Mutex<[String]>([])
    private let givenReasons = Mutex<[String]>([])
    private let level: Logger.Level

    init(level: Logger.Level = .notice) { self.level = level }

    /// The reasons that messages give.
    var reasons: [String] { givenReasons.withLock { $0 } }

    /// But for how late the events of the test are, by their own times.
    var texts: [String] { kept.withLock { $0.filter { $0 != "events wait for their seal" } } }

    /// Runs `body` with this log.
    func take<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        let logger = Logger(label: "test") { _ in Handler(lines: self, logLevel: level) }
        return try await withLogger(logger) { _ in try await body() }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.kept.withLock { $0.append(event.message.description) }
            guard let reason = event.metadata?["reason"] else { return }
            lines.givenReasons.withLock { $0.append("\(reason)") }
        }
    }
}

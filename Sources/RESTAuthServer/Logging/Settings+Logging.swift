import Logging

extension Settings {
    /// Sends log messages to standard error, in the configured form.
    /// - Parameter level: the lowest level that is written.
    func startLogging(level: Logger.Level) -> LogSink {
        let sink = LogSink(format: logFormat, level: level)
        LoggingSystem.bootstrap { _ in SinkLogHandler(sink: sink) }
        return sink
    }

    /// Runs a command with a log. Core messages are written for a server's log: only warnings are
    /// shown here, unless another level is set.
    func withLog<Value>(_ body: () async throws -> Value) async throws -> Value {
        let sink = startLogging(level: logLevel ?? .warning)
        defer { sink.flush() }
        return try await body()
    }
}

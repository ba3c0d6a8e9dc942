import Logging

extension Settings {
    /// Sends what is logged to standard error, in the configured form.
    /// - Parameter level: the least that is written.
    func startLogging(level: Logger.Level) -> LogSink {
        let sink = LogSink(format: logFormat, level: level)
        LoggingSystem.bootstrap { _ in SinkLogHandler(sink: sink) }
        return sink
    }

    /// Runs a command with its log. What the core logs is for a server's log: here only warnings
    /// are shown, unless asked for.
    func withLog<Value>(_ body: () async throws -> Value) async throws -> Value {
        let sink = startLogging(level: logLevel ?? .warning)
        defer { sink.flush() }
        return try await body()
    }
}

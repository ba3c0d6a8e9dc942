import Logging
import Metrics

extension AuthEvent {
    /// Writes the log line and counts the event. The request id and address of the line come from
    /// the task's current logger.
    func record() {
        Logger.current.log(level: Logger.Level(name.level), "\(name.logName)", metadata: metadata)
        Counter(label: "rest_auth_events_total", dimensions: [("event", name.rawValue)]).increment()
    }

    private var metadata: Logger.Metadata {
        var metadata = details.mapValues { Logger.MetadataValue.string($0) }
        metadata["event"] = .string(name.rawValue)
        if let userID { metadata["user_id"] = .stringConvertible(userID) }
        if let sessionID { metadata["session_id"] = .stringConvertible(sessionID) }
        return metadata
    }
}

extension Logger.Level {
    fileprivate init(_ level: AuthEvent.Name.Level) {
        self =
            switch level {
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            }
    }
}

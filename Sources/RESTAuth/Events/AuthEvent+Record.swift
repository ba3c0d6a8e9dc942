import Logging
import Metrics

extension AuthEvent {
    /// Writes the log line and counts the event. The line takes its request id and address from the
    /// task's current logger.
    func record() {
        var metadata = details.mapValues { Logger.MetadataValue.string($0) }
        metadata["event"] = .string(name.rawValue)
        if let userID { metadata["user_id"] = .stringConvertible(userID) }
        if let sessionID { metadata["session_id"] = .stringConvertible(sessionID) }
        Logger.current.log(level: name.level, "\(name.logName)", metadata: metadata)
        Counter(label: "rest_auth_events_total", dimensions: [("event", name.rawValue)]).increment()
    }
}

extension AuthEvent.Name {
    fileprivate var level: Logger.Level {
        switch self {
        case .registrationRefused, .loginFailed, .clientRefused, .signingKeyRevoked, .secretRotated, .secretDropped,
            .hashingOverloaded, .loginThrottled, .registrationThrottled, .sessionThrottled, .refreshTokenRepeated:
            .notice
        case .refreshTokenReused, .refreshTokenExhausted, .loginStuffed: .warning
        default: .info
        }
    }
}

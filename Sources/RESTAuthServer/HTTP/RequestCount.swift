import NIOCore

/// Tells the connection's ``ConnectionLifetime`` when a request begins and when its answer has been
/// written, whether on the connection itself or on one of its streams.
struct RequestCount {
    private let lifetime: ConnectionLifetime?
    private let isStream: Bool
    private var openRequests = 0

    init(_ channel: any Channel) {
        let own = try? channel.pipeline.syncOperations.handler(type: ConnectionLifetime.self)
        isStream = own == nil
        // A stream has its own pipeline, on the thread of its connection.
        lifetime =
            own ?? (try? channel.parent?.pipeline.syncOperations.handler(type: ConnectionLifetime.self)) ?? nil
    }

    /// Whether the answer that begins is the last one of its connection.
    var isStopping: Bool { !isStream && lifetime?.isStopping == true }

    mutating func requestBegan() {
        openRequests += 1
        lifetime?.requestBegan(isStream: isStream)
    }

    mutating func requestEnded() {
        guard openRequests > 0 else { return }
        openRequests -= 1
        lifetime?.requestEnded()
    }

    /// Ends all open requests, for a stream that was reset or refused and so ends without an
    /// answer.
    mutating func allEnded() {
        while openRequests > 0 { requestEnded() }
    }
}

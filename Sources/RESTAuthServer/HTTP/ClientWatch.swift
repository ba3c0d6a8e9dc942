import NIOCore
import RESTAuth

/// An event that asks the ``ConnectionGuard`` whether the client is still connected, with the
/// action to run when it is not.
struct ClientWatch: Sendable {
    let gone: @Sendable () -> Void
}

extension Departure {
    /// Watches the client of a channel.
    init(of channel: any Channel) {
        self.init { gone in
            let promise = channel.eventLoop.makePromise(of: Void.self)
            // A connection that has ended has no handler left to take the event.
            promise.futureResult.whenFailure { _ in gone() }
            channel.triggerUserOutboundEvent(ClientWatch(gone: gone), promise: promise)
        }
    }
}

import NIOCore
import RESTAuth

/// An event for the ``ConnectionGuard``, which knows whether the client is still connected: the
/// action for when it is not.
struct ClientWatch: Sendable {
    let gone: @Sendable () -> Void
}

extension Departure {
    /// A watch of the client of a channel.
    init(of channel: any Channel) {
        self.init { gone in
            let promise = channel.eventLoop.makePromise(of: Void.self)
            // A connection that has ended has nobody left to take the event.
            promise.futureResult.whenFailure { _ in gone() }
            channel.triggerUserOutboundEvent(ClientWatch(gone: gone), promise: promise)
        }
    }
}

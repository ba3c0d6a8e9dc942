import NIOCore
import RESTAuth

/// An event on its way to the ``ConnectionGuard``, which alone knows whether the client is still
/// there: what to do when it is not.
struct ClientWatch: Sendable {
    let gone: @Sendable () -> Void
}

extension Departure {
    /// That of the client at the other end.
    init(of channel: any Channel) {
        self.init { gone in
            let promise = channel.eventLoop.makePromise(of: Void.self)
            // A connection that has ended has nobody left to take the event.
            promise.futureResult.whenFailure { _ in gone() }
            channel.triggerUserOutboundEvent(ClientWatch(gone: gone), promise: promise)
        }
    }
}

import Synchronization

/// The body of a request that may be larger, and take longer to come, than the server allows
/// others, once its route has admitted who sends it. Until then nothing of it is read. It consists
/// of lines, none of which may take longer than another request as a whole.
package final class LongBody: Sendable {
    /// The body of the request that the current task answers; `nil` where the server sets no limits
    /// of its own, and for other requests.
    @TaskLocal package static var current: LongBody?

    private let lift: @Sendable (LongBody) -> Void
    private let isWhole = Atomic(false)

    /// - Parameter lift: lifts the limits of the connection for this one body.
    package init(lift: @escaping @Sendable (LongBody) -> Void) { self.lift = lift }

    /// Begins to read the body, however long it is.
    func admit() { lift(self) }

    /// Notes that the end of the body has arrived. A connection that breaks ends the body as well,
    /// and so does a line that takes too long; without this it could not be told from one that came
    /// whole.
    package func end() { isWhole.store(true, ordering: .releasing) }

    /// Whether the end of the body has arrived.
    var hasEnded: Bool { isWhole.load(ordering: .acquiring) }
}

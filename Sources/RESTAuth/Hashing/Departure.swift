/// Tells work that waits on behalf of a client that the client has gone.
///
/// The task that serves a connection is not cancelled when the connection ends: it may have begun
/// to write, and a client that has only ended its own half still reads the answer. So work that is
/// not worth doing in vain asks here, for as long as it has not begun.
package struct Departure: Sendable {
    /// The departure of the client whose request the current task answers; `nil` where it is not
    /// known.
    @TaskLocal package static var current: Departure?

    private let watch: @Sendable (_ gone: @escaping @Sendable () -> Void) -> Void

    /// - Parameter watch: calls the given closure when the client goes, or at once when it has
    ///   gone. The closures given before need not be called any more.
    package init(watch: @escaping @Sendable (_ gone: @escaping @Sendable () -> Void) -> Void) {
        self.watch = watch
    }

    func whenGone(_ action: @escaping @Sendable () -> Void) { watch(action) }
}

/// Tells what waits on behalf of a client when that client has gone.
///
/// The task that serves a connection is not cancelled when the connection ends: it may have begun
/// to write, and who has only ended the own half still reads the answer. So what is not worth doing
/// in vain asks here, for as long as it has not begun.
package struct Departure: Sendable {
    /// That of the client whose request the current task answers; `nil` where nobody can tell.
    @TaskLocal package static var current: Departure?

    private let watch: @Sendable (_ gone: @escaping @Sendable () -> Void) -> Void

    /// - Parameter watch: calls what it is given when the client goes, or has gone already. What it
    ///   was given before need not be called any more.
    package init(watch: @escaping @Sendable (_ gone: @escaping @Sendable () -> Void) -> Void) {
        self.watch = watch
    }

    func whenGone(_ action: @escaping @Sendable () -> Void) { watch(action) }
}

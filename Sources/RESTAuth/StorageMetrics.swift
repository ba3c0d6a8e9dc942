import Metrics

/// What a backend measures of its operations, by kind.
///
/// The numbers go where `MetricsSystem` of swift-metrics was told to send them before the storage
/// was opened.
package struct StorageMetrics: Sendable {
    package enum Kind: String, Sendable {
        case read, write
    }

    private struct Series: Sendable {
        let time: Metrics.Timer
        let pending: Meter

        init(_ kind: Kind) {
            let dimensions = [("kind", kind.rawValue)]
            time = Metrics.Timer(label: "rest_auth_storage_seconds", dimensions: dimensions)
            pending = Meter(label: "rest_auth_storage_pending", dimensions: dimensions)
        }
    }

    private let reads = Series(.read)
    private let writes = Series(.write)

    package init() {}

    private func series(_ kind: Kind) -> Series { kind == .read ? reads : writes }

    /// Runs an operation and notes how long it took, the wait for its turn included.
    package func measure<Value>(_ kind: Kind, _ operation: () throws -> Value) rethrows -> Value {
        let (series, start) = (series(kind), ContinuousClock.now)
        series.pending.increment()
        defer { end(series, start) }
        return try operation()
    }

    /// The same for one that suspends.
    package func measure<Value: Sendable>(
        _ kind: Kind, isolation: isolated (any Actor)? = #isolation, _ operation: () async throws -> Value
    ) async rethrows -> Value {
        let (series, start) = (series(kind), ContinuousClock.now)
        series.pending.increment()
        defer { end(series, start) }
        return try await operation()
    }

    private func end(_ series: Series, _ start: ContinuousClock.Instant) {
        series.pending.decrement()
        series.time.record(duration: .now - start)
    }

    /// Counts an operation that the database failed or did not answer.
    package static func countError() {
        Counter(label: "rest_auth_storage_errors_total").increment()
    }
}

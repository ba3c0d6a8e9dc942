import Metrics

/// Metrics of a backend's operations, by kind.
///
/// They go to the `MetricsSystem` of swift-metrics that was bootstrapped before the storage was
/// opened.
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

    /// Runs an operation and records its duration, including the wait for its turn.
    package func measure<Value>(_ kind: Kind, _ operation: () throws -> Value) rethrows -> Value {
        let (series, start) = (series(kind), ContinuousClock.now)
        series.pending.increment()
        defer { end(series, start) }
        return try operation()
    }

    /// Runs a suspending operation and records its duration, including the wait for its turn.
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

    /// Counts an operation that failed in the database or was not answered.
    package static func countError() {
        Counter(label: "rest_auth_storage_errors_total").increment()
    }
}

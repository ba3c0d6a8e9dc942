import CoreMetrics
import Synchronization

/// The value of one series. It is changed with atomic operations, so that measuring never blocks.
protocol MetricCell: AnyObject, Sendable {
    /// Whether any value was counted or set.
    var isUsed: Bool { get }
    func write(_ name: String, _ labels: LabelText, to text: inout ExpositionText)
}

/// A count that only grows.
final class CounterCell: MetricCell, CounterHandler {
    private let count = Atomic<Int64>(0)

    var value: Int64 { count.load(ordering: .relaxed) }
    var isUsed: Bool { value > 0 }

    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }

    func write(_ name: String, _ labels: LabelText, to text: inout ExpositionText) {
        text.add(name, labels, Double(value))
    }
}

/// A number that goes up and down.
final class GaugeCell: MetricCell, RecorderHandler, MeterHandler {
    /// The bit pattern of the number.
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
    var isUsed: Bool { value != 0 }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func set(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func record(_ value: Int64) { set(Double(value)) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }

    private func add(_ amount: Double) {
        var present = bits.load(ordering: .relaxed)
        while true {
            let (isDone, other) = bits.weakCompareExchange(
                expected: present, desired: (Double(bitPattern: present) + amount).bitPattern, ordering: .relaxed)
            if isDone { return }
            present = other
        }
    }

    func write(_ name: String, _ labels: LabelText, to text: inout ExpositionText) {
        text.add(name, labels, value)
    }
}

/// Durations, counted by fixed upper bounds.
final class HistogramCell: MetricCell, TimerHandler {
    /// Upper bounds in nanoseconds, without infinity: from half a millisecond to ten seconds.
    private static let bounds: [Int64] =
        [500_000, 1_000_000, 2_500_000, 5_000_000]
        + [10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000]
        + [1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000]

    /// One counter for each bound and one for larger values; not cumulative.
    private let buckets = (0...HistogramCell.bounds.count).map { _ in CounterCell() }
    private let sum = Atomic<Int64>(0)

    var isUsed: Bool { buckets.contains(where: \.isUsed) }

    func recordNanoseconds(_ duration: Int64) {
        let bounds = Self.bounds
        var index = 0
        while index < bounds.count, duration > bounds[index] { index += 1 }
        buckets[index].increment(by: 1)
        sum.wrappingAdd(duration, ordering: .relaxed)
    }

    func write(_ name: String, _ labels: LabelText, to text: inout ExpositionText) {
        var count: Int64 = 0
        for (index, bucket) in buckets.enumerated() {
            count += bucket.value
            let bound = index < Self.bounds.count ? Self.seconds(Self.bounds[index]) : .infinity
            text.add("\(name)_bucket", labels.adding("le", ExpositionText.number(bound)), Double(count))
        }
        text.add("\(name)_sum", labels, Self.seconds(sum.load(ordering: .relaxed)))
        text.add("\(name)_count", labels, Double(count))
    }

    private static func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }
}

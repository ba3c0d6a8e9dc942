package import CoreMetrics
import Synchronization

/// Every series of ``MetricFamily/all``: filled by swift-metrics and by the server, read by the
/// metrics port.
///
/// Measurements by libraries under any other name, kind or labels are discarded.
package final class MetricRegistry: Sendable {
    private final class Family: Sendable {
        let description: MetricFamily
        let cells = Mutex<[LabelText: any MetricCell]>([:])

        init(_ description: MetricFamily) { self.description = description }
    }

    private let families: [Family]
    private let byName: [String: Family]
    /// Functions that supply current values when the metrics are read, for families without labels.
    private let readings = Mutex<[@Sendable () -> [(name: String, value: Double)]]>([])

    /// The most series of one family that libraries may make, so that a label with unbounded values
    /// cannot fill the memory.
    private static let foreignLimit = 2000

    package init() {
        families = MetricFamily.all.map(Family.init)
        byName = Dictionary(uniqueKeysWithValues: families.map { ($0.description.name, $0) })
        for family in families {
            if family.description.labels.isEmpty { _ = cell(of: family, []) }
            for value in family.description.initialValues {
                _ = cell(of: family, family.description.labels.map { ($0, value) })
            }
        }
    }

    // MARK: Series

    /// The cell of one series; `nil` for a series that is not exposed.
    /// - Parameter limit: the most series of the family; the server's own are not limited.
    func counter(_ name: String, _ labels: [(String, String)] = [], limit: Int = .max) -> CounterCell? {
        cell(name, labels, limit)
    }

    func gauge(_ name: String, _ labels: [(String, String)] = [], limit: Int = .max) -> GaugeCell? {
        cell(name, labels, limit)
    }

    func histogram(_ name: String, _ labels: [(String, String)] = [], limit: Int = .max) -> HistogramCell? {
        cell(name, labels, limit)
    }

    /// Registers a function that supplies current values whenever the metrics are read.
    func read(_ reading: @escaping @Sendable () -> [(name: String, value: Double)]) {
        readings.withLock { $0.append(reading) }
    }

    private func cell<Cell: MetricCell>(_ name: String, _ labels: [(String, String)], _ limit: Int) -> Cell? {
        byName[name].flatMap { cell(of: $0, labels, limit: limit) } as? Cell
    }

    private func cell(
        of family: Family, _ labels: [(String, String)], limit: Int = .max
    ) -> (any MetricCell)? {
        guard labels.map(\.0) == family.description.labels else { return nil }
        let text = LabelText(labels)
        return family.cells.withLock { cells in
            if let cell = cells[text] { return cell }
            guard cells.count < limit else { return nil }
            let cell: any MetricCell =
                switch family.description.kind {
                case .counter: CounterCell()
                case .gauge: GaugeCell()
                case .histogram: HistogramCell()
                }
            cells[text] = cell
            return cell
        }
    }

    // MARK: Text

    /// All series in the text format of Prometheus.
    package func text() -> String {
        var readings: [String: Double] = [:]
        for reading in self.readings.withLock({ $0 }) { for (name, value) in reading() { readings[name] = value } }
        var text = ExpositionText()
        for family in families {
            let description = family.description
            let cells = family.cells.withLock { $0 }.filter { !description.isSparse || $0.value.isUsed }
            guard !cells.isEmpty else { continue }
            text.begin(description)
            for (labels, cell) in cells.sorted(by: { $0.key < $1.key }) {
                if let value = readings[description.name] {
                    text.add(description.name, labels, value)
                } else {
                    cell.write(description.name, labels, to: &text)
                }
            }
        }
        return text.text
    }
}

extension MetricRegistry: MetricsFactory {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions, limit: Self.foreignLimit) ?? NOOPMetricsHandler.instance
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions, limit: Self.foreignLimit) ?? NOOPMetricsHandler.instance
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        gauge(label, dimensions, limit: Self.foreignLimit) ?? NOOPMetricsHandler.instance
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions, limit: Self.foreignLimit) ?? NOOPMetricsHandler.instance
    }

    // Counted values stay when the user of a series releases its handler.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}

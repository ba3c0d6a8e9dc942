import CoreMetrics
import RESTAuthServer
import Testing

/// The Prometheus text format, and that only declared metrics are in it.
@Suite struct MetricRegistryTests {
    private let registry = MetricRegistry()

    private func lines(of name: String) -> [String] {
        registry.text().split(separator: "\n").map(String.init).filter { $0.hasPrefix(name) }
    }

    private func count(_ event: String, by amount: Int64 = 1) {
        registry.makeCounter(label: "rest_auth_events_total", dimensions: [("event", event)]).increment(by: amount)
    }

    @Test func everyFamilyHasHelpAndTypeOnce() {
        let lines = registry.text().split(separator: "\n")
        for family in MetricFamily.all where lines.contains(where: { $0.hasPrefix("# HELP \(family.name) ") }) {
            #expect(lines.count { $0.hasPrefix("# HELP \(family.name) ") } == 1)
            #expect(lines.count { $0 == "# TYPE \(family.name) \(family.kind.rawValue)" } == 1)
        }
        #expect(registry.text().hasSuffix("\n"))
    }

    @Test func countersEndInTotalAndNothingElseDoes() {
        for family in MetricFamily.all {
            #expect((family.kind == .counter) == family.name.hasSuffix("_total"), "\(family.name)")
        }
        #expect(Set(MetricFamily.all.map(\.name)).count == MetricFamily.all.count)
    }

    @Test func whatACounterCountsIsAddedUp() {
        count("token.issued")
        count("token.issued", by: 41)
        #expect(
            lines(of: #"rest_auth_events_total{event="token.issued"}"#) == [
                #"rest_auth_events_total{event="token.issued"} 42"#
            ])
    }

    @Test func anEventThatAlertsLookAtStandsAtZeroBeforeTheFirst() {
        #expect(lines(of: "rest_auth_events_total").contains(#"rest_auth_events_total{event="login.stuffed"} 0"#))
    }

    @Test(arguments: [
        (#"a"b"#, #"a\"b"#), (#"a\b"#, #"a\\b"#), ("a\nb", #"a\nb"#), (#"\"#, #"\\"#), ("é{},=", "é{},="),
        ("a\r\nb", "a\r\\nb"),
    ])
    func aLabelCannotEndItsLine(value: String, written: String) {
        count(value)
        let line = "rest_auth_events_total{event=\"\(written)\"} 1"
        #expect(registry.text().utf8.split(separator: UInt8(ascii: "\n")).contains { $0.elementsEqual(line.utf8) })
    }

    @Test(arguments: [
        (0, "0"), (1.5, "1.5"), (-3, "-3"), (1e300, "1e+300"), (1e-7, "1e-07"), (.infinity, "+Inf"),
        (-.infinity, "-Inf"), (.nan, "NaN"), (1_764_320_000.25, "1764320000.25"),
    ])
    func aGaugeIsWrittenAsGoReadsIt(value: Double, written: String) {
        registry.makeRecorder(label: "rest_auth_revocations", dimensions: [], aggregate: false).record(value)
        #expect(lines(of: "rest_auth_revocations ") == ["rest_auth_revocations \(written)"])
    }

    @Test func aMeterGoesUpAndDown() {
        let meter = registry.makeMeter(label: "rest_auth_hashing_queue_depth", dimensions: [])
        meter.increment(by: 3)
        meter.decrement(by: 2)
        #expect(lines(of: "rest_auth_hashing_queue_depth ") == ["rest_auth_hashing_queue_depth 1"])
    }

    @Test func aMeterCountsFromManyThreads() async {
        let meter = registry.makeMeter(label: "rest_auth_hashing_queue_depth", dimensions: [])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<10_000 { meter.increment(by: 1) } } }
        }
        #expect(lines(of: "rest_auth_hashing_queue_depth ") == ["rest_auth_hashing_queue_depth 80000"])
    }

    @Test func theBucketsOfAHistogramAddUp() {
        let timer = registry.makeTimer(label: "rest_auth_hashing_wait_seconds", dimensions: [])
        // A value on a bound, one above it, and one above all bounds.
        for nanoseconds: Int64 in [500_000, 500_001, 60_000_000_000] { timer.recordNanoseconds(nanoseconds) }
        let lines = lines(of: "rest_auth_hashing_wait_seconds")
        let prefix = "rest_auth_hashing_wait_seconds"
        #expect(lines.contains(#"\#(prefix)_bucket{le="0.0005"} 1"#))
        #expect(lines.contains(#"\#(prefix)_bucket{le="0.001"} 2"#))
        #expect(lines.contains(#"\#(prefix)_bucket{le="10"} 2"#))
        #expect(lines.contains(#"\#(prefix)_bucket{le="+Inf"} 3"#))
        #expect(lines.contains("\(prefix)_count 3"))
        #expect(lines.contains("\(prefix)_sum 60.001000001"))
    }

    @Test func anUnknownNameGoesNowhere() {
        let before = registry.text()
        registry.makeCounter(label: "somebody_elses_total", dimensions: []).increment(by: 1)
        registry.makeTimer(label: "somebody_elses_seconds", dimensions: []).recordNanoseconds(1)
        registry.makeMeter(label: "", dimensions: []).increment(by: 1)
        #expect(registry.text() == before)
    }

    @Test func aKnownNameOfAnotherKindGoesNowhere() {
        let before = registry.text()
        registry.makeMeter(label: "rest_auth_hashing_refused_total", dimensions: []).increment(by: 1)
        registry.makeCounter(label: "rest_auth_revocations", dimensions: []).increment(by: 1)
        #expect(registry.text() == before)
    }

    @Test(arguments: [[], [("event", "a"), ("user", "1")], [("user", "1")]] as [[(String, String)]])
    func otherLabelsThanThoseOfTheFamilyGoNowhere(labels: [(String, String)]) {
        let before = registry.text()
        registry.makeCounter(label: "rest_auth_events_total", dimensions: labels).increment(by: 1)
        #expect(registry.text() == before)
    }

    @Test func aLabelThatGoesWildFillsNoMemory() {
        for number in 0..<5000 { count("event \(number)") }
        #expect(lines(of: "rest_auth_events_total").count <= 2000)
    }

    @Test func whatIsLetGoOfStaysCounted() {
        let counter = registry.makeCounter(label: "rest_auth_hashing_refused_total", dimensions: [])
        counter.increment(by: 1)
        registry.destroyCounter(counter)
        #expect(lines(of: "rest_auth_hashing_refused_total ") == ["rest_auth_hashing_refused_total 1"])
    }
}

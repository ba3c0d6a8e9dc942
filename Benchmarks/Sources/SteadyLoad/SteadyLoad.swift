import CTimer
import Glibc

/// An open-loop load: requests leave on a fixed schedule whatever the answers do, as those of many
/// independent clients would. A load generator that waits for an answer before it asks again slows
/// down with the server and so hides the very stalls it should show; this one counts every
/// millisecond since the moment the request was due.
@main
struct SteadyLoad {
    static func main() {
        let arguments = CommandLine.arguments
        guard (8...9).contains(arguments.count),
            let port = UInt16(arguments[2]), let rate = Double(arguments[4]), let seconds = Double(arguments[5]),
            let connections = Int(arguments[6]), let expectedStatus = Int(arguments.count > 8 ? arguments[8] : "200"),
            rate > 0, seconds > 0, connections > 0
        else {
            print("usage: steady-load IPV4 PORT PATH RATE SECONDS CONNECTIONS AUTHORIZATION [EXPECTED-STATUS]")
            exit(2)
        }
        let (host, path, authorization) = (arguments[1], arguments[3], arguments[7])
        let request =
            "GET \(path) HTTP/1.1\r\nHost: \(host):\(port)\r\nAuthorization: \(authorization)\r\n\r\n"

        var schedule = Schedule(rate: rate, count: Int(rate * seconds))
        var load = Load(
            connections: (0..<connections).map { _ in Connection(host: host, port: port, request: request) },
            expectedStatus: expectedStatus)
        run(&schedule, &load)
        print(load.outcome.json(sent: schedule.count))
    }

    /// The loop of one thread: start what is due, sleep until an answer or the next tick comes,
    /// read.
    static func run(_ schedule: inout Schedule, _ load: inout Load) {
        let patience = 5.0  // seconds for the last answers to come in
        let metronome = Metronome(start: schedule.start, rate: schedule.rate)
        while !schedule.isOver || load.isWaiting {
            let now = monotonicSeconds()
            if now > schedule.end + patience { break }
            while let due = schedule.next(at: now) { load.add(due: due) }
            load.startWaiting()
            load.receive(orWakeBy: metronome)
        }
        load.giveUp(at: monotonicSeconds())
    }
}

/// The moments at which requests are due: `count` of them, evenly spaced.
struct Schedule {
    let start = monotonicSeconds() + 0.01
    let rate: Double
    let count: Int
    private var issued = 0

    init(rate: Double, count: Int) {
        self.rate = rate
        self.count = count
    }

    var isOver: Bool { issued == count }
    var end: Double { start + Double(count) / rate }

    mutating func next(at now: Double) -> Double? {
        let due = start + Double(issued) / rate
        guard !isOver, due <= now else { return nil }
        issued += 1
        return due
    }
}

/// The requests under way on a fixed set of connections. One that finds no connection free waits
/// for one, and its waiting counts: it has been due all the while.
struct Load {
    private var connections: [Connection]
    private var waiting: ArraySlice<Double> = []
    private let expectedStatus: Int
    private(set) var outcome = Outcome()

    init(connections: [Connection], expectedStatus: Int) {
        self.connections = connections
        self.expectedStatus = expectedStatus
    }

    var isWaiting: Bool { !waiting.isEmpty || connections.contains { $0.due != nil } }

    mutating func add(due: Double) { waiting.append(due) }

    mutating func startWaiting() {
        for index in connections.indices where connections[index].due == nil {
            guard let due = waiting.popFirst() else { return }
            connections[index].send(due: due)
        }
    }

    /// Sleeps until the metronome ticks or answers come, and takes those in.
    mutating func receive(orWakeBy metronome: Metronome) {
        var descriptors = ([metronome.descriptor] + connections.map(\.socket)).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        poll(&descriptors, nfds_t(descriptors.count), -1)
        if descriptors[0].revents != 0 { metronome.acknowledge() }
        for index in connections.indices where descriptors[index + 1].revents != 0 {
            guard let answer = connections[index].receive() else { continue }
            outcome.record(seconds: monotonicSeconds() - answer.due, ok: answer.status == expectedStatus)
        }
    }

    /// What was never answered counts as failed, and as slow as it was when we stopped looking.
    mutating func giveUp(at now: Double) {
        for due in connections.compactMap(\.due) + waiting { outcome.record(seconds: now - due, ok: false) }
    }
}

struct Outcome {
    private var latencies: [Double] = []
    private var ok = 0

    mutating func record(seconds: Double, ok isOK: Bool) {
        latencies.append(seconds)
        if isOK { ok += 1 }
    }

    func json(sent: Int) -> String {
        let sorted = latencies.sorted()
        /// The nearest-rank percentile, in milliseconds rounded to microseconds.
        func percentile(_ percent: Double) -> Double {
            let rank = Int((percent / 100 * Double(sorted.count)).rounded(.up))
            return (sorted[max(0, rank - 1)] * 1e6).rounded() / 1e3
        }
        return #"{"sent":\#(sent),"ok":\#(ok),"p50_ms":\#(percentile(50)),"#
            + #""p99_ms":\#(percentile(99)),"max_ms":\#(percentile(100))}"#
    }
}

/// A timer of the kernel that makes its descriptor readable at every tick: `poll` alone counts
/// whole milliseconds, and the requests may be due in between.
struct Metronome {
    let descriptor = timerfd_create(CLOCK_MONOTONIC, 0)

    init(start: Double, rate: Double) {
        var ticks = itimerspec(it_interval: timespec(seconds: 1 / rate), it_value: timespec(seconds: start))
        timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &ticks, nil)
    }

    func acknowledge() {
        var ticks: UInt64 = 0
        read(descriptor, &ticks, MemoryLayout<UInt64>.size)
    }
}

extension timespec {
    init(seconds: Double) {
        let whole = seconds.rounded(.down)
        self.init(tv_sec: Int(whole), tv_nsec: Int((seconds - whole) * 1e9))
    }
}

func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

import Foundation
import Metrics
import MetricsTestKit
import RESTAuth
import Support
import Synchronization
import Testing

@Suite struct HashingPoolTests {
    @Test func workRunsBesideTheCallerAtTheLowestPriority() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 600)
        let priority = try await pool.run { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }
        #expect(priority == 19)
    }

    @Test func whatTheWorkThrowsReachesTheCaller() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 600)
        await #expect(throws: CocoaError.self) { try await pool.run { throw CocoaError(.fileNoSuchFile) } }
    }

    @Test func neverMoreRunAtOnceThanThereAreThreads() async throws {
        let pool = HashingPool(threads: 2, capacity: 100, patience: 600)
        let gauge = Gauge()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await pool.run {
                        gauge.change(by: 1)
                        // Gives other jobs the chance to run, if they could.
                        for _ in 0..<1000 { sched_yield() }
                        gauge.change(by: -1)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(gauge.most <= 2)
    }

    @Test func aFullQueueRefusesAtOnceAndSaysWhenToComeBack() async throws {
        let busy = try await BusyPool(capacity: 1)
        let waiting = try await busy.waiting("a", order: Order())
        let error = await #expect(throws: AuthError.self) { try await busy.pool.run(for: "a") {} }
        #expect(error?.code == .overloaded)
        #expect((error?.retryAfter ?? 0) > 0)
        try await busy.finish()
        try await waiting.value
    }

    @Test func aJobThatWaitedTooLongIsRefusedAndNotRun() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 0)
        let gauge = Gauge()
        let error = await #expect(throws: AuthError.self) { try await pool.run { gauge.change(by: 1) } }
        #expect(error?.code == .overloaded)
        #expect(gauge.most == 0)
    }

    // MARK: Fairness

    @Test func whoAsksOnceDoesNotWaitForWhoAsksFiftyTimes() async throws {
        let busy = try await BusyPool(capacity: 100)
        let order = Order()
        var tasks: [Task<Void, any Error>] = []
        for number in 0..<50 { tasks.append(try await busy.waiting("a", number, order: order)) }
        tasks.append(try await busy.waiting("b", 99, order: order))
        try await busy.finish()
        for task in tasks { try await task.value }
        #expect(order.numbers.prefix(3) == [0, 99, 1])
        #expect(order.numbers.count == 51)
    }

    @Test func whoTakesAllPlacesLosesOneToWhoHasNone() async throws {
        let busy = try await BusyPool(capacity: 2)
        let order = Order()
        let kept = try await busy.waiting("greedy", 0, order: order)
        let evicted = try await busy.waiting("greedy", 1, order: order)
        let modest = Task { try await busy.pool.run(for: "modest") { order.add(2) } }
        let error = await #expect(throws: AuthError.self) { try await evicted.value }
        #expect(error?.code == .overloaded)
        try await busy.finish()
        try await kept.value
        try await modest.value
        #expect(order.numbers == [0, 2])
    }

    // MARK: Cancellation

    @Test func whoIsCancelledWhileWaitingHearsSoAtOnceAndIsNotRun() async throws {
        let busy = try await BusyPool(capacity: 1)
        let order = Order()
        let task = try await busy.waiting("a", order: order)
        task.cancel()
        // The only thread is still busy.
        await #expect(throws: CancellationError.self) { try await task.value }
        // The place in the queue is free again.
        let next = try await busy.waiting("a", 7, order: order)
        try await busy.finish()
        try await next.value
        #expect(order.numbers == [7])
    }

    @Test func whatIsBeingComputedIsFinished() async throws {
        let busy = try await BusyPool(capacity: 1)
        busy.running.cancel()
        try await busy.finish()
    }

    @Test func whoIsCancelledBeforeAskingIsNotRun() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 600)
        let order = Order()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await pool.run { order.add(0) }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(order.numbers.isEmpty)
    }

    @Test func whoseClientGoesWhileWaitingIsNotRun() async throws {
        let busy = try await BusyPool(capacity: 1)
        let order = Order()
        let client = Client()
        let task = try await Departure.$current.withValue(client.departure) {
            try await busy.waiting("a", order: order)
        }
        client.leave()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await busy.finish()
        #expect(order.numbers.isEmpty)
    }

    @Test func whoseClientHasGoneBeforeDoesNotWait() async throws {
        let busy = try await BusyPool(capacity: 1)
        let client = Client()
        client.leave()
        await #expect(throws: CancellationError.self) {
            try await Departure.$current.withValue(client.departure) { try await busy.pool.run(for: "a") {} }
        }
        try await busy.finish()
    }

    /// A client that has only closed its sending side still reads the answer.
    @Test func whoNeedNotWaitIsServedThoughTheClientSeemsGone() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 600)
        let client = Client()
        client.leave()
        let value = try await Departure.$current.withValue(client.departure) { try await pool.run { 7 } }
        #expect(value == 7)
    }

    @Test func aStormOfCancellationsLosesNobody() async throws {
        let pool = HashingPool(threads: 2, capacity: 1000, patience: 600)
        let order = Order()
        var tasks: [Task<Void, any Error>] = []
        for number in 0..<900 {
            let task = Task { try await pool.run(for: "\(number % 7)") { order.add(number) } }
            if number.isMultiple(of: 2) { task.cancel() }
            tasks.append(task)
        }
        for (number, task) in tasks.enumerated() {
            switch await task.result {
            case .success: continue
            case .failure(let error):
                #expect(error is CancellationError)
                #expect(number.isMultiple(of: 2))
                #expect(!order.numbers.contains(number))
            }
        }
        #expect(order.numbers.count >= 450)
    }

    // MARK: Measuring

    @Test func theTimeThatTheWorkTookIsToldWithoutTheWait() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 600)
        let (value, computed) = try await pool.measure {
            let end = ContinuousClock.now + .milliseconds(5)
            while .now < end {}
            return 7
        }
        #expect(value == 7)
        #expect(computed >= .milliseconds(5))
    }

    @Test func whoWaitsHowLongAndWhoGaveUpIsCounted() async throws {
        let busy = try await BusyPool(capacity: 3)
        #expect(busy.depth == 0)
        let order = Order()
        let first = try await busy.waiting("a", order: order)
        let second = try await busy.waiting("a", order: order)
        #expect(busy.depth == 2)
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        #expect(busy.depth == 1)
        #expect(busy.metrics.counterTotal(label: "rest_auth_hashing_cancelled_total") == 1)
        try await busy.finish()
        try await first.value
        #expect(busy.depth == 0)
        // One measurement for each job that was run.
        let waits = try busy.metrics.expectTimer("rest_auth_hashing_wait_seconds").values
        #expect(waits.count == 2)
        #expect(waits.allSatisfy { $0 >= 0 })
        #expect(busy.metrics.counterTotal(label: "rest_auth_hashing_cancelled_total") == 1)
    }
}

/// A pool whose only thread is kept busy until the test releases it.
private struct BusyPool {
    let pool: HashingPool
    let metrics = TestMetrics()
    let running: Task<Void, any Error>
    private let gate = DispatchSemaphore(value: 0)

    init(capacity: Int) async throws {
        let pool = withMetricsFactory(metrics) { HashingPool(threads: 1, capacity: capacity, patience: 600) }
        let order = Order()
        running = Task { [gate] in
            try await pool.run(for: "busy") {
                order.add(0)
                gate.wait()
            }
        }
        self.pool = pool
        try await wait(for: "the thread to be busy") { !order.numbers.isEmpty }
    }

    var depth: Int { Int((try? metrics.expectMeter("rest_auth_hashing_queue_depth").lastValue) ?? 0) }

    /// Adds a job, and returns when it waits.
    func waiting(_ origin: String, _ number: Int = 0, order: Order) async throws -> Task<Void, any Error> {
        let depth = depth
        let task = Task { [pool] in try await pool.run(for: origin) { order.add(number) } }
        try await wait(for: "the job to wait") { self.depth == depth + 1 }
        return task
    }

    func finish() async throws {
        gate.signal()
        try await running.value
    }
}

/// The jobs that were run, in order.
private final class Order: Sendable {
    private let run = Mutex<[Int]>([])

    var numbers: [Int] { run.withLock { $0 } }

    func add(_ number: Int) { run.withLock { $0.append(number) } }
}

/// A client that can disconnect.
private final class Client: Sendable {
    private let state = Mutex<(hasLeft: Bool, actions: [@Sendable () -> Void])>((false, []))

    var departure: Departure {
        Departure { action in
            let hasLeft = self.state.withLock { state in
                if !state.hasLeft { state.actions.append(action) }
                return state.hasLeft
            }
            if hasLeft { action() }
        }
    }

    func leave() {
        let actions = state.withLock { state in
            state.hasLeft = true
            return state.actions
        }
        for action in actions { action() }
    }
}

/// The number of jobs inside, and its maximum.
private final class Gauge: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func change(by step: Int) {
        state.withLock { $0 = ($0.now + step, max($0.most, $0.now + step)) }
    }
}

import Foundation
import Synchronization
import Testing

@testable import RESTAuth

@Suite struct HashingPoolTests {
    @Test func workRunsBesideTheCallerAtTheLowestPriority() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 5)
        let priority = try await pool.run { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }
        #expect(priority == 19)
    }

    @Test func whatTheWorkThrowsReachesTheCaller() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 5)
        await #expect(throws: CocoaError.self) { try await pool.run { throw CocoaError(.fileNoSuchFile) } }
    }

    @Test func neverMoreRunAtOnceThanThereAreThreads() async throws {
        let pool = HashingPool(threads: 2, capacity: 100, patience: 60)
        let gauge = Gauge()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await pool.run {
                        gauge.change(by: 1)
                        // Others that could run now would.
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
        let pool = HashingPool(threads: 1, capacity: 1, patience: 60)
        let (started, gate) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        async let running: Void = pool.run {
            started.signal()
            gate.wait()
        }
        await waitOffTheTasks(for: started)
        // One may wait; of two more, one at least is refused, while the first has not even ended.
        let refused = await withTaskGroup(of: AuthError?.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    do {
                        try await pool.run {}
                        return nil
                    } catch { return error as? AuthError }
                }
            }
            let first = await group.next() ?? nil
            gate.signal()
            return first
        }
        #expect(refused?.code == .overloaded)
        #expect((refused?.retryAfter ?? 0) > 0)
        try await running
    }

    @Test func aJobThatWaitedTooLongIsRefusedAndNotRun() async throws {
        let pool = HashingPool(threads: 1, capacity: 1, patience: 0)
        let gauge = Gauge()
        let error = await #expect(throws: AuthError.self) { try await pool.run { gauge.change(by: 1) } }
        #expect(error?.code == .overloaded)
        #expect(gauge.most == 0)
    }

    private func waitOffTheTasks(for semaphore: DispatchSemaphore) async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                semaphore.wait()
                continuation.resume()
            }
        }
    }
}

/// How many are inside, and how many were at most.
private final class Gauge: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func change(by step: Int) {
        state.withLock { $0 = ($0.now + step, max($0.most, $0.now + step)) }
    }
}

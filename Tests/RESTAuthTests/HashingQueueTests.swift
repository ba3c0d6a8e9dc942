import RESTAuth
import Support
import Testing

/// The order in which jobs are served, and the jobs that lose their place.
@Suite struct HashingQueueTests {
    @Test func whoSendsOneIsSecondBehindWhoSendsFifty() {
        var queue = Filled(capacity: 100)
        for _ in 0..<50 { queue.add("a") }
        let single = queue.add("b")
        #expect(queue.next() == 0)
        #expect(queue.next() == single)
        for id in 1..<50 { #expect(queue.next() == id) }
        #expect(queue.next() == nil)
    }

    @Test func linesAreServedInTurnAndEachInItsOrder() {
        var queue = Filled(capacity: 100)
        for origin in ["a", "a", "a", "b", "b", "c", nil, nil] { queue.add(origin) }
        #expect((0..<8).map { _ in queue.next() } == [0, 3, 5, 6, 1, 4, 7, 2])
    }

    @Test func whoComesBackStandsBehindWhoWaits() {
        var queue = Filled(capacity: 100)
        for origin in ["a", "b", "c"] { queue.add(origin) }
        #expect(queue.next() == 0)
        let again = queue.add("a")
        #expect((0..<3).map { _ in queue.next() } == [1, 2, again])
    }

    @Test func theGreediestLosesTheNewestToEveryOther() {
        var queue = Filled(capacity: 10)
        for _ in 0..<8 { queue.add("greedy") }
        for _ in 0..<2 { queue.add("modest") }
        for evicted in [7, 6, 5] {
            let count = queue.evicted.count
            queue.add("other")
            #expect(queue.evicted.count == count + 1)
            #expect(queue.evicted.last == evicted)
        }
        // The remaining jobs keep their order.
        let order = (0..<10).compactMap { _ in queue.next() }
        #expect(order.filter { $0 < 8 } == [0, 1, 2, 3, 4])
        #expect(order.count == 10)
    }

    @Test func theGreediestIsRefusedItself() {
        var queue = Filled(capacity: 10)
        for _ in 0..<6 { queue.add("greedy") }
        for _ in 0..<4 { queue.add("modest") }
        #expect(queue.add("greedy") == nil)
        #expect(queue.evicted.isEmpty)
        // Until as many jobs of the other client wait.
        #expect(queue.add("modest") != nil)
        #expect(queue.evicted == [5])
        #expect(queue.add("modest") == nil)
        #expect(queue.add("greedy") == nil)
    }

    @Test func ofLinesOfOneLengthTheLatestGivesUpAPlace() {
        var queue = Filled(capacity: 3)
        for origin in ["a", "b", "c"] { queue.add(origin) }
        queue.add("d")
        queue.add("e")
        #expect(queue.evicted == [2, 3])
        #expect(queue.add("a") == nil)
        #expect((0..<3).map { _ in queue.next() } == [0, 1, 4])
    }

    @Test func whoHasNoOriginIsOneOfThem() {
        var queue = Filled(capacity: 4)
        for _ in 0..<4 { queue.add(nil) }
        #expect(queue.add(nil) == nil)
        #expect(queue.add("a") != nil)
        #expect(queue.evicted == [3])
    }

    @Test(arguments: [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]])
    func whoLeavesIsNotServedAndLeavesThePlaceFree(leaving: [Int]) {
        var queue = Filled(capacity: 3)
        for _ in 0..<3 { queue.add("a") }
        for id in leaving {
            #expect(queue.remove(id) == id)
            #expect(queue.remove(id) == nil)
        }
        let stays = [0, 1, 2].filter { !leaving.contains($0) }
        let added = leaving.map { _ in queue.add("a") }
        #expect((0..<4).map { _ in queue.next() } == stays + added + (stays.count + added.count < 4 ? [nil] : []))
        #expect(queue.evicted.isEmpty)
    }

    @Test func whoIsNotThereCannotLeave() {
        var queue = Filled(capacity: 3)
        #expect(queue.remove(0) == nil)
        queue.add("a")
        #expect(queue.next() == 0)
        #expect(queue.remove(0) == nil)
        #expect(queue.queue.isEmpty)
    }

    @Test func nothingIsKeptOfOriginsThatHaveNothingWaiting() {
        var queue = Filled(capacity: 1000)
        let count = Soak.count(5_000, soak: 50_000)
        for number in 0..<count { queue.add("origin \(number)") }
        for id in 0..<count where id.isMultiple(of: 3) { _ = queue.remove(id) }
        while queue.next() != nil {}
        #expect(queue.queue.isEmpty)
    }

    /// Whatever the order of operations, each job ends exactly once and none is forgotten.
    @Test(arguments: 0..<20) func eachJobEndsOnce(seed: UInt64) {
        var random = SplitMix(state: seed)
        var queue = Filled(capacity: 20)
        var ended: [Int] = []
        var count = 0
        for _ in 0..<Soak.count(1000, soak: 5000) {
            switch Int.random(in: 0..<5, using: &random) {
            case 0: ended += queue.next().map { [$0] } ?? []
            case 1: ended += queue.remove(Int.random(in: 0...count, using: &random)).map { [$0] } ?? []
            default:
                count += 1
                if queue.add("\(Int.random(in: 0..<6, using: &random))") == nil { ended.append(count - 1) }
            }
        }
        while let id = queue.next() { ended.append(id) }
        #expect((ended + queue.evicted).sorted() == Array(0..<count))
        #expect(queue.queue.isEmpty)
    }
}

/// A queue of jobs that are numbered in the order of arrival.
private struct Filled {
    var queue: HashingQueue
    private(set) var evicted: [Int] = []
    private var count = 0

    init(capacity: Int) {
        queue = HashingQueue(capacity: capacity)
    }

    /// Adds a job, and returns its number when it is admitted.
    @discardableResult
    mutating func add(_ origin: String?) -> Int? {
        let id = count
        count += 1
        switch queue.add(HashingJob(id: id, origin: origin, deadline: .now, finish: { _ in })) {
        case .admitted: return id
        case .admittedInstead(of: let other):
            evicted.append(other.id)
            return id
        case .refused: return nil
        }
    }

    mutating func next() -> Int? { queue.next()?.id }
    mutating func remove(_ id: Int) -> Int? { queue.remove(id)?.id }
}

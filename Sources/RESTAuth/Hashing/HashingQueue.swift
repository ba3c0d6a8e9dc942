/// A password that is to be hashed.
package struct HashingJob: Sendable {
    package enum Verdict: Sendable {
        case run, refused, cancelled
    }

    package let id: Int
    /// The client's network; `nil`, which all unknown origins share, where it is not known.
    let origin: String?
    let start = ContinuousClock.now
    let deadline: ContinuousClock.Instant
    /// Runs the work, or answers that it will not be run.
    let finish: @Sendable (Verdict) -> Void

    package init(
        id: Int, origin: String?, deadline: ContinuousClock.Instant, finish: @escaping @Sendable (Verdict) -> Void
    ) {
        self.id = id
        self.origin = origin
        self.deadline = deadline
        self.finish = finish
    }
}

/// The jobs that wait to be run, in the order of their turns.
///
/// Each origin has a queue of its own and the queues are served in turn, so an origin that sends
/// many jobs waits behind those that send few. When all places are taken, the longest queue loses
/// its last job to an origin with a shorter one; of several longest, the one that grew so long
/// last. Each step takes the same time, however many jobs wait, and nothing is kept of an origin
/// without waiting jobs.
package struct HashingQueue {
    package enum Admission {
        case admitted
        /// Admitted in place of another job, which is refused.
        case admittedInstead(of: HashingJob)
        case refused
    }

    private let capacity: Int
    private var jobs: [Int: HashingJob] = [:]
    private var lines: [String?: Line<Int>] = [:]
    private var turns = Line<String?>()
    /// The origins by the length of their queues: first those with one job, last those with the
    /// most.
    private var originsByLength: [Line<String?>] = []

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package var isEmpty: Bool { jobs.isEmpty && lines.isEmpty && turns.count == 0 && originsByLength.isEmpty }

    package mutating func add(_ job: HashingJob) -> Admission {
        guard jobs.count == capacity else {
            append(job)
            return .admitted
        }
        let length = lines[job.origin]?.count ?? 0
        guard length < originsByLength.count, let greediest = originsByLength.last?.last,
            let last = lines[greediest]?.last,
            let evicted = remove(last)
        else { return .refused }
        append(job)
        return .admittedInstead(of: evicted)
    }

    /// Takes out the job that is next in turn.
    package mutating func next() -> HashingJob? {
        guard let origin = turns.first, let id = lines[origin]?.first, let job = remove(id) else { return nil }
        if lines[origin] != nil {
            turns.remove(origin)
            turns.append(origin)
        }
        return job
    }

    /// Takes out a job before its turn.
    package mutating func remove(_ id: Int) -> HashingJob? {
        guard let job = jobs.removeValue(forKey: id) else { return nil }
        lines[job.origin]?.remove(id)
        let length = lines[job.origin]?.count ?? 0
        if length == 0 {
            lines[job.origin] = nil
            turns.remove(job.origin)
        }
        move(job.origin, from: length + 1, to: length)
        return job
    }

    private mutating func append(_ job: HashingJob) {
        jobs[job.id] = job
        lines[job.origin, default: Line()].append(job.id)
        let length = lines[job.origin]?.count ?? 0
        if length == 1 { turns.append(job.origin) }
        move(job.origin, from: length - 1, to: length)
    }

    private mutating func move(_ origin: String?, from old: Int, to new: Int) {
        if old > 0 { originsByLength[old - 1].remove(origin) }
        if new > originsByLength.count { originsByLength.append(Line()) }
        if new > 0 { originsByLength[new - 1].append(origin) }
        while originsByLength.last?.count == 0 { originsByLength.removeLast() }
    }
}

/// A queue from which any element can be removed without a search.
private struct Line<Element: Hashable> {
    private var neighbours: [Element: (before: Element?, after: Element?)] = [:]
    private(set) var first: Element?
    private(set) var last: Element?

    var count: Int { neighbours.count }

    mutating func append(_ element: Element) {
        neighbours[element] = (last, nil)
        if let last { neighbours[last]?.after = element } else { first = element }
        last = element
    }

    mutating func remove(_ element: Element) {
        guard let (before, after) = neighbours.removeValue(forKey: element) else { return }
        if let before { neighbours[before]?.after = after } else { first = after }
        if let after { neighbours[after]?.before = before } else { last = before }
    }
}

public import Foundation

/// A limit of failures: the number that is allowed, and the delay after that.
public struct ThrottleLimit: Sendable, Hashable {
    /// Failures that are admitted without a delay.
    public var allowance: Int
    public var delay: Delay
    /// Seconds after which one failure is forgiven; `nil` for never.
    public var forgiveness: TimeInterval?
    /// Failures after which everything is refused until the counter is deleted; `nil` for never.
    public var end: Int?
    /// Seconds without a failure after which the counter is forgotten; below the allowance at most
    /// a day.
    public var memory: TimeInterval
    /// Whether the work is done before it is counted, so that counting never refuses.
    public var isDone: Bool

    /// The delay after a failure that reaches the allowance or goes beyond it.
    public enum Delay: Sendable, Hashable {
        /// Seconds, twice as many after each further failure.
        case doubling(from: TimeInterval, to: TimeInterval)
        /// The time until enough failures are forgiven.
        case untilForgiven
    }

    public init(
        allowance: Int, delay: Delay, forgiveness: TimeInterval?, end: Int? = nil, memory: TimeInterval,
        isDone: Bool = false
    ) {
        self.allowance = allowance
        self.delay = delay
        self.forgiveness = forgiveness
        self.end = end
        self.memory = memory
        self.isDone = isDone
    }

    /// The limit for `factor` times as many users: allowance and forgiveness are multiplied.
    package func times(_ factor: Int) -> ThrottleLimit {
        var limit = self
        limit.allowance *= factor
        limit.forgiveness = forgiveness.map { $0 / TimeInterval(factor) }
        return limit
    }

    /// The outcome of counting one failure.
    public enum Outcome: Sendable, Hashable {
        /// `isNoticed` when this failure brings the number of other sides to
        /// ``ThrottleCounter/otherLimit``.
        case counted(ThrottleCounter, isNoticed: Bool)
        /// The failure was not counted, because the guess had to wait until then; the answer
        /// reveals nothing else.
        case refused(until: Date)
    }

    /// Decides whether a failure is counted.
    ///
    /// A storage calls this with the stored counter and stores the result, in one transaction, so
    /// that concurrent failures are all counted.
    /// - Parameters:
    ///   - amount: the number of failures to add.
    ///   - subject: the subject of the counter.
    ///   - other: a digest of the other side, of the account for a network and the other way round.
    ///   - counter: the stored counter; `nil` when there is none.
    ///   - now: the time.
    public func counting(
        _ amount: Int, of subject: ThrottleSubject, other: UInt32?, on counter: ThrottleCounter?, at now: Date
    ) -> Outcome {
        let fresh = ThrottleCounter(
            subject: subject, failures: 0, failedAt: now, forgivenAt: now, forgottenAt: now, others: [], version: 0)
        var counter = current(counter, at: now) ?? ThrottleCounter(fresh, version: counter?.version ?? 0)
        if !isDone, let until = blockedUntil(counter, at: now) { return .refused(until: until) }
        counter.failures += amount
        counter.failedAt = now
        let isNew =
            other.map { !counter.others.contains($0) && counter.others.count < ThrottleCounter.otherLimit } ?? false
        if isNew, let other { counter.others.append(other) }
        // A random start tells a counter that was deleted and made anew from the one before.
        counter.version = counter.version == 0 ? Int.random(in: 1...(1 << 40)) : counter.version &+ 1
        counter.forgottenAt = forgottenAt(counter)
        return .counted(counter, isNoticed: isNew && counter.others.count == ThrottleCounter.otherLimit)
    }

    /// The events to record for a failure: one for each threshold that it reached.
    /// - Parameters:
    ///   - outcome: the outcome of counting it.
    ///   - amount: the number of failures that were added.
    ///   - user: the user with the name of the subject; `nil` when no user has it, and the name is
    ///     left out.
    public func events(of outcome: Outcome, amount: Int, user: User.ID?) -> [AuthEvent] {
        guard case .counted(let counter, let isNoticed) = outcome else { return [] }
        let subject = counter.subject
        var events: [AuthEvent] = []
        if isNoticed { events.append(.credentialStuffing(subject, user: user)) }
        let isReached = counter.failures >= allowance && counter.failures - amount < allowance
        if isReached, subject.isOfGuesses { events.append(.throttleReached(subject, user: subject.userID ?? user)) }
        return events
    }

    /// The time until which a counter blocks; `nil` when it does not.
    public func blockedUntil(_ counter: ThrottleCounter, at now: Date) -> Date? {
        delayEnd(clamped(counter, to: now)).flatMap { $0 > now ? $0 : nil }
    }

    /// Whether one more guess may be compared while `tried` others are, all of which may be wrong.
    package func hasRoom(_ counter: ThrottleCounter?, tried: Int, at now: Date) -> Bool {
        let failures = current(counter, at: now)?.failures ?? 0
        return failures >= allowance ? tried == 0 : failures + tried < allowance
    }

    /// The counter at a time, after forgiveness; `nil` when it is forgotten.
    private func current(_ counter: ThrottleCounter?, at now: Date) -> ThrottleCounter? {
        guard let counter, counter.forgottenAt > now else { return nil }
        return forgiving(clamped(counter, to: now), at: now)
    }

    /// The counter with its times not after `now`: a clock that was ahead must not block anybody
    /// until the time that it showed.
    private func clamped(_ counter: ThrottleCounter, to now: Date) -> ThrottleCounter {
        var counter = counter
        counter.failedAt = min(counter.failedAt, now)
        counter.forgivenAt = min(counter.forgivenAt, now)
        return counter
    }

    private func delayEnd(_ counter: ThrottleCounter) -> Date? {
        if let end, counter.failures >= end { return .distantFuture }
        guard counter.failures >= allowance else { return nil }
        switch delay {
        case .doubling(let first, let longest):
            let doublings = min(counter.failures - allowance, 40)
            return counter.failedAt.addingTimeInterval(min(first * TimeInterval(1 << doublings), longest))
        case .untilForgiven:
            return counter.forgivenAt.addingTimeInterval(
                TimeInterval(counter.failures - allowance + 1) * (forgiveness ?? .infinity))
        }
    }

    private func forgiving(_ counter: ThrottleCounter, at now: Date) -> ThrottleCounter {
        guard let forgiveness else { return counter }
        var counter = counter
        let forgiven = max(0, (now.timeIntervalSince(counter.forgivenAt) / forgiveness).rounded(.down))
        if forgiven >= TimeInterval(counter.failures) {
            counter.failures = 0
            counter.forgivenAt = now
        } else {
            counter.failures -= Int(forgiven)
            counter.forgivenAt += forgiven * forgiveness
        }
        return counter
    }

    /// The time at which a counter may be deleted; below the allowance, a day at most.
    private func forgottenAt(_ counter: ThrottleCounter) -> Date {
        guard let end = delayEnd(counter) else { return counter.failedAt.addingTimeInterval(min(memory, 86400)) }
        return end == .distantFuture ? end : max(counter.failedAt.addingTimeInterval(memory), end)
    }
}

/// The counter of a subject.
public struct ThrottleCounter: Sendable, Hashable {
    public let subject: ThrottleSubject
    public var failures: Int
    /// The time of the last failure.
    public var failedAt: Date
    /// The time up to which failures have been forgiven.
    public var forgivenAt: Date
    public var forgottenAt: Date
    /// Digests of the networks for an account, or of the accounts for a network: at most
    /// ``otherLimit`` different ones.
    public var others: [UInt32]
    /// A number that grows with each change; 0 for a counter that is not stored.
    public var version: Int

    /// The number of accounts guessed at from one network, or of networks guessing at one account,
    /// that is reported as an attack.
    public static let otherLimit = 10

    public init(
        subject: ThrottleSubject, failures: Int, failedAt: Date, forgivenAt: Date, forgottenAt: Date, others: [UInt32],
        version: Int
    ) {
        self.subject = subject
        self.failures = failures
        self.failedAt = failedAt
        self.forgivenAt = forgivenAt
        self.forgottenAt = forgottenAt
        self.others = others
        self.version = version
    }

    fileprivate init(_ other: ThrottleCounter, version: Int) {
        self = other
        self.version = version
    }
}

extension [UInt32] {
    /// Four bytes for each number, the lowest byte first, for a row.
    package var bytes: [UInt8] { flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } } }

    package init(bytes: [UInt8]) {
        self = stride(from: 0, to: bytes.count - bytes.count % 4, by: 4).map { start in
            (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << ($1 * 8) }
        }
    }
}

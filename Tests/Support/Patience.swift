/// When a test gives up waiting for what must come. A hang is told by it, never a slow machine.
public enum Patience {
    public static let limit = Duration.seconds(120)
}

/// Waits for a condition, not for a time.
public func wait(for what: String, until condition: () async throws -> Bool) async throws {
    let limit = ContinuousClock.now + Patience.limit
    while try await !condition() {
        guard ContinuousClock.now < limit else { throw TimedOut(what: what) }
        // Between two looks at the condition: what another process does cannot be awaited.
        try await Task.sleep(for: .milliseconds(5))
    }
}

public struct TimedOut: Error, CustomStringConvertible {
    let what: String
    public var description: String { "waited in vain for \(what)" }
}

/// What came of something that has to be done in less than that: done once more, with other people,
/// where the machine was too slow.
public func within<Value>(_ time: Duration, attempt: () async throws -> Value) async throws -> Value {
    var outcome: Value?
    try await wait(for: "less than \(time)") {
        let start = ContinuousClock.now
        do {
            let value = try await attempt()
            if ContinuousClock.now - start < time { outcome = value }
        } catch {
            guard ContinuousClock.now - start >= time else { throw error }
        }
        return outcome != nil
    }
    guard let outcome else { throw TimedOut(what: "less than \(time)") }
    return outcome
}

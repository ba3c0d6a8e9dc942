/// The time after which a test gives up waiting. It detects a hang, never a slow machine.
public enum Patience {
    public static let limit = Duration.seconds(120)
}

/// Waits for a condition instead of a fixed time.
public func wait(for what: String, until condition: () async throws -> Bool) async throws {
    let limit = ContinuousClock.now + Patience.limit
    while try await !condition() {
        guard ContinuousClock.now < limit else { throw TimedOut(what: what) }
        // Pause between two checks: changes in another process cannot be awaited.
        try await Task.sleep(for: .milliseconds(5))
    }
}

public struct TimedOut: Error, CustomStringConvertible {
    let what: String
    public var description: String { "waited in vain for \(what)" }
}

/// The result of an attempt that must take less than `time`; repeated, with new data, when the
/// machine was too slow.
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

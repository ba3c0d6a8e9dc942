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

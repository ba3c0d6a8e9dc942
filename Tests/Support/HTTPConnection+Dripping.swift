extension HTTPConnection {
    /// Sends `drop` repeatedly, with short pauses, while `body` runs.
    public func dripping<Outcome: Sendable>(
        _ drop: String, while body: (HTTPConnection) async throws -> Outcome
    ) async throws -> Outcome {
        // One task writes while the other reads, which a socket allows.
        nonisolated(unsafe) let connection = self
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    try await connection.write(drop)
                    // The pause is the attack: a client that is never silent for long enough.
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            defer { group.cancelAll() }
            return try await body(connection)
        }
    }
}

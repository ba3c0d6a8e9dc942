public import ServiceLifecycle

/// Keeps the signing keys up to date: reads the keys that other processes made, and makes the next
/// key when it is time.
public struct KeyRotation: Service {
    let keys: SigningKeys

    /// The time between two reads: shorter than ``SigningKeys/shortestLead``, so that every process
    /// has a key before its first token comes, and a quarter of ``SigningKeys/shortestBound``, so
    /// that a read may be late or fail.
    static let interval: Duration = .milliseconds(500)

    /// Runs until graceful shutdown.
    public func run() async throws {
        try await every(Self.interval, "signing keys could not be read") {
            try await keys.load()
            try await keys.rotateOnSchedule()
        }
    }
}

import Synchronization

/// Makes the connections of one process, and remembers what they have shown of a pooler.
final class Connector: Sendable {
    let configuration: PostgresConfiguration
    private let hasSeenPooler = Atomic(false)

    init(_ configuration: PostgresConfiguration) { self.configuration = configuration }

    func connect() throws(PostgresError) -> Connection {
        var configuration = configuration
        if hasSeenPooler.load(ordering: .relaxed) { configuration.pooler = .yes }
        return try Connection(configuration)
    }

    /// Notes that somebody else has been on the server's connection. From then on nothing is set up
    /// on one.
    /// - Returns: whether that is new.
    func noteSignOfPooler() -> Bool { !hasSeenPooler.exchange(true, ordering: .relaxed) }
}

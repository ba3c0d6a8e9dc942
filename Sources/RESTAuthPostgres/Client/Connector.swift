import Synchronization

/// Makes the connections of one process, and remembers signs of a pooler.
final class Connector: Sendable {
    let configuration: PostgresConfiguration
    private let hasSeenPooler = Atomic(false)

    init(_ configuration: PostgresConfiguration) { self.configuration = configuration }

    func connect() throws(PostgresError) -> Connection {
        var configuration = configuration
        if hasSeenPooler.load(ordering: .relaxed) { configuration.pooler = .yes }
        return try Connection(configuration)
    }

    /// Records a sign that other clients have used the server's connection. From then on nothing is
    /// set up on connections.
    /// - Returns: whether this is the first sign.
    func noteSignOfPooler() -> Bool { !hasSeenPooler.exchange(true, ordering: .relaxed) }
}

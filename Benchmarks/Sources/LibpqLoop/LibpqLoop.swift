import Foundation
import Synchronization

/// The ceiling of a refresh on PostgreSQL: how often this machine can read a session and then
/// update it by its key, with libpq and nothing around it. The statements are those of rest-auth,
/// prepared. Each connection has a thread and a session of its own. Prints one line of JSON.
@main
struct LibpqLoop {
    static func main() {
        let arguments = CommandLine.arguments
        let numbers = arguments.dropFirst(2).compactMap { Int($0) }
        guard arguments.count == 4, numbers.count == 2, numbers.allSatisfy({ $0 > 0 }) else {
            fatalError("usage: libpq-loop URL CONNECTIONS SECONDS")
        }
        let (connections, seconds) = (numbers[0], numbers[1])
        // Everything is prepared before the first thread starts to count.
        let loops = (0..<connections).map { Renewals(url: arguments[1], session: $0) }

        let total = Mutex((count: 0, rate: 0.0))
        let finished = DispatchGroup()
        for loop in loops {
            finished.enter()
            Thread.detachNewThread {
                let (count, elapsed) = loop.run(for: .seconds(seconds))
                total.withLock { $0 = ($0.count + count, $0.rate + Double(count) / elapsed) }
                finished.leave()
            }
        }
        finished.wait()
        let (count, rate) = total.withLock { $0 }
        print(#"{"connections":\#(connections),"count":\#(count),"per_second":\#(rate)}"#)
    }
}

/// Renews one session over and over.
final class Renewals: @unchecked Sendable {
    // Used by one thread: it is made on the main one and then handed over.
    private let connection: BareConnection
    private let id: [UInt8]

    private static let select = """
        SELECT sessions.id, user_id, sessions.created_at, last_used_at, expires_at, address, user_agent,
            generation, refresh_digest, sibling_digests, previous_digest, successor_given_at, repeats,
            username, users.created_at AS user_created_at, disabled_at,
            (SELECT string_agg(role, ' ') FROM user_roles WHERE user_id = users.id) AS roles
        FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1
        """
    private static let update = """
        UPDATE sessions
        SET generation = generation + 1, previous_digest = refresh_digest, refresh_digest = $1, sibling_digests = '',
            successor_given_at = $2, repeats = 0, last_used_at = $2, expires_at = $3
        WHERE id = $4 AND generation = $5
        """
    private static let (generationColumn, secondsOfInactivity): (Int32, TimeInterval) = (7, 7 * 86400)

    /// - Parameter number: of the session among those that there are.
    init(url: String, session number: Int) {
        connection = BareConnection(url: url)
        connection.prepare("sessions", "SELECT id FROM sessions ORDER BY id OFFSET \(number) LIMIT 1")
        connection.prepare("select", Self.select)
        connection.prepare("update", Self.update)
        id = connection.value(of: 0, in: "sessions", [])
    }

    /// Returns how often it renewed, and the seconds that this took.
    func run(for duration: Duration) -> (Int, Double) {
        let clock = ContinuousClock()
        let start = clock.now
        var count = 0
        while clock.now < start + duration {
            renew()
            count += 1
        }
        return (count, (clock.now - start) / .seconds(1))
    }

    private func renew() {
        let generation = connection.value(of: Self.generationColumn, in: "select", [id])
        let now = Date()
        let digest = (0..<32).map { _ in UInt8.random(in: 0...255) }
        connection.run(
            "update", [digest, Self.bytes(now), Self.bytes(now + Self.secondsOfInactivity), id, generation],
            expectedChanges: "1")
    }

    /// As `timestamptz`: microseconds since 2000.
    private static func bytes(_ date: Date) -> [UInt8] {
        let microseconds = Int64((date.timeIntervalSince1970 - 946_684_800) * 1e6)
        return withUnsafeBytes(of: microseconds.bigEndian, Array.init)
    }
}

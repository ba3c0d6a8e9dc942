import Foundation
import PasswordHashing
import RESTAuth
import RESTAuthPostgres
import RESTAuthSQLite

/// Findings about the state of the database; none when it cannot be opened, which the rehearsals
/// report.
extension Settings {
    func findingsOnTheDatabase() async -> [Finding] {
        guard let condition = try? await condition() else { return [] }
        return [
            findingOnClocks(condition), findingOnTimes(condition), findingOnPending(condition),
            findingOnDurability(condition), findingOnConnections(condition), findingOnDistance(condition),
            findingOnPooler(condition),
            findingOnCostlyHashes(condition),
        ].compactMap(\.self) + findingsOnObstacles(condition) + findingsOnPeppers(condition)
    }

    private func condition() async throws -> DatabaseCondition? {
        switch database {
        case .sqlite(let path): try SQLiteStorage.condition(path: path)
        case .postgres(let url): try await PostgresStorage.condition(postgresConfiguration(url))
        }
    }

    private func findingsOnObstacles(_ condition: DatabaseCondition) -> [Finding] {
        condition.obstacles.map { .wrong(Setting.database.url.name, "the PostgreSQL database \($0)") }
    }

    private func findingsOnPeppers(_ condition: DatabaseCondition) -> [Finding] {
        MissingPepper.all(among: condition.hashSample, besides: auth.passwordPepper).map {
            .wrong(Setting.importedUsers.pepper.name, $0.text)
        }
    }

    /// A finding on users whose imported hashes exceed the hashing limits.
    private func findingOnCostlyHashes(_ condition: DatabaseCondition) -> Finding? {
        let costly = condition.hashSample.compactMap { PasswordHash($0)?.cost }.filter {
            !auth.passwordHashLimit.admits($0)
        }
        guard !costly.isEmpty else { return nil }
        let (memory, time) = (costly.map(\.memoryKiB).max() ?? 0, costly.map(\.milliseconds).max() ?? 0)
        return .wrong(
            Setting.importedUsers.timeLimit.name,
            """
            \(costly.count) of \(condition.hashSample.count) users who were looked at have hashes beyond the limits, \
            and cannot sign in
            """,
            "set --password-hash-memory-limit \(memory) and --password-hash-time-limit \(time), or more")
    }

    private func findingOnPooler(_ condition: DatabaseCondition) -> Finding? {
        guard condition.isThroughPooler else { return nil }
        return .note(
            Setting.postgres.pooler.name,
            "a pooler stands between this node and the database, so nothing is prepared there",
            """
            connect to PostgreSQL itself where you can: each node keeps \(postgres.connections) connections and no more
            """
        )
    }

    private func findingOnClocks(_ condition: DatabaseCondition) -> Finding? {
        let offset = Int(condition.clockOffset.rounded())
        guard abs(offset) >= 2 else { return nil }
        return .dangerous(
            "clock",
            """
            the database's clock is \(abs(offset)) seconds \(offset > 0 ? "ahead of" : "behind") this machine's: what \
            one node refuses, another may take
            """,
            "set both by NTP")
    }

    private func findingOnTimes(_ condition: DatabaseCondition) -> Finding? {
        guard let newest = condition.newestRow, newest > .now + 60 else { return nil }
        return .dangerous(
            "clock", "the database has rows of \(newest.ISO8601Format()), which by this machine's clock is yet to come",
            "set the clock by NTP; it was ahead, or it is behind now")
    }

    private func findingOnPending(_ condition: DatabaseCondition) -> Finding? {
        guard condition.pendingBytes > 256 << 20 else { return nil }
        return .slow(
            "database", "\(condition.pendingBytes >> 20) MiB wait beside the database to be taken into it",
            "end what reads it for hours, such as an open sqlite3 or a copy")
    }

    private func findingOnDurability(_ condition: DatabaseCondition) -> Finding? {
        guard !condition.unsafeSettings.isEmpty else { return nil }
        return .dangerous(
            "database",
            """
            the database runs with \(condition.unsafeSettings.joined(separator: ", ")): after a power cut users, or \
            the end of sessions, may be lost
            """,
            """
            turn that on again: ALTER SYSTEM RESET for fsync and full_page_writes, ALTER DATABASE … RESET for \
            synchronous_commit
            """
        )
    }

    private func findingOnConnections(_ condition: DatabaseCondition) -> Finding? {
        guard let free = condition.freeConnections, free < postgres.connections else { return nil }
        return .dangerous(
            Setting.serverDatabase.connections.name,
            "the database would give \(max(free, 0)) more connections, and this node takes \(postgres.connections)",
            "raise max_connections of PostgreSQL, or lower --database-connections; a node that runs has its own already"
        )
    }

    private func findingOnDistance(_ condition: DatabaseCondition) -> Finding? {
        guard condition.roundTrip > 0.01 else { return nil }
        return .slow(
            "database", "the database takes \(Int(condition.roundTrip * 1000)) ms to answer",
            "put the node and the database into the same place")
    }
}

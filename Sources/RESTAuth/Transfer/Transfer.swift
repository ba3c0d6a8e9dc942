import Crypto
import Foundation

/// The progress of a transfer, in rows of all tables together.
package struct TransferProgress: Sendable {
    package enum Step: String, Sendable {
        case copying
        case checking
    }

    package let step: Step
    package let table: String
    package let done: Int
    package let total: Int
}

/// Moves everything from one storage to another: users, roles, clients, keys, sessions, the
/// revocation log, and counters.
///
/// Rows are copied in the order of their keys, one batch a transaction, so that an interrupted
/// transfer continues after the greatest key in the target. Then all rows of both are read again
/// and compared, by number and digest, while nobody can write to the source: when ``run()``
/// returns, the target has everything that the source had acknowledged by then. Until then the
/// target carries a mark and cannot be opened for anything else.
///
/// The instance's secret is not in the storage and does not move.
package struct Transfer: Sendable {
    private let source: any TransferableStorage
    private let target: any TransferableStorage
    private let batchSize: Int
    private let caller: Caller
    private let report: @Sendable (TransferProgress) -> Void

    package init(
        from source: any TransferableStorage, to target: any TransferableStorage, batchSize: Int = 1000,
        by caller: Caller = .application, report: @escaping @Sendable (TransferProgress) -> Void = { _ in }
    ) {
        self.source = source
        self.target = target
        self.batchSize = batchSize
        self.caller = caller
        self.report = report
    }

    /// Moves everything. After an interruption it is run again; a cancelled task stops between two
    /// batches.
    /// - Returns: the number of rows of each table, in the order of ``Rooms/tables``.
    /// - Throws: `misconfigured` when the target is the source, is not empty, or is partly filled
    ///   from another source, and when the source was written to in the meantime; the target is
    ///   empty again in that last case. Errors of the storages.
    package func run() async throws -> [Int] {
        try await begin()
        try await copy()
        let (counts, counters) = try await source.withoutWriters { (try await check(), try await source.counters()) }
        let event = AuthEvent.databaseMigrated(from: source.transferName, rows: counts.reduce(0, +))
        try await target.finishTransfer(with: counters, recording: event.by(caller, at: .now))
        return counts
    }

    private func begin() async throws {
        // The counters are copied last. Reading them first reports a missing permission before
        // everything else is copied.
        _ = try await source.counters()
        guard source.transferName != target.transferName else {
            throw AuthError(.misconfigured, "\(target.transferName) cannot move into itself")
        }
        switch try await target.beginTransfer(from: source.transferName) {
        case .admitted: break
        case .notEmpty:
            throw AuthError(
                .misconfigured,
                "\(target.transferName) is not empty and was left untouched; name a database that is new")
        case .filledFrom(let other):
            throw AuthError(
                .misconfigured,
                """
                \(target.transferName) is partly filled from \(other); go on from there, or name a database that is new
                """
            )
        }
    }

    private func copy() async throws {
        var done = 0
        let total = try await rowCount()
        for table in Rooms.tables {
            var last = try await target.lastKey(of: table)
            if last != nil { done += try await target.count(of: table) }
            while true {
                try Task.checkCancellation()
                let rows = try await source.rows(of: table, after: last, limit: batchSize)
                guard let end = rows.last else { break }
                guard try await target.insert(rows, into: table) else { throw try await sourceHasChanged() }
                last = table.key(of: end)
                done += rows.count
                report(TransferProgress(step: .copying, table: table.name, done: done, total: max(done, total)))
            }
        }
    }

    // MARK: Verification

    /// Compares all tables of source and target.
    /// - Returns: the number of rows of each table.
    private func check() async throws -> [Int] {
        var progress = 0
        let total = try await 2 * rowCount()
        var counts: [Int] = []
        for table in Rooms.tables {
            var digests: [Contents] = []
            for storage in [source, target] {
                let contents = try await contents(of: table, in: storage) { rows in
                    progress += rows
                    report(
                        TransferProgress(
                            step: .checking, table: table.name, done: progress, total: max(progress, total)))
                }
                digests.append(contents)
            }
            guard digests[0] == digests[1] else { throw try await sourceHasChanged() }
            counts.append(digests[0].count)
        }
        return counts
    }

    private struct Contents: Equatable {
        var count: Int
        var digest: SHA256Digest
    }

    private func contents(
        of table: StoredTable, in storage: any TransferableStorage, progress: (Int) -> Void
    ) async throws -> Contents {
        var hash = SHA256()
        var count = 0
        var last: TransferRow?
        while true {
            try Task.checkCancellation()
            let rows = try await storage.rows(of: table, after: last, limit: batchSize)
            guard let end = rows.last else { return Contents(count: count, digest: hash.finalize()) }
            var bytes: [UInt8] = []
            for value in rows.joined() { value.encode(into: &bytes) }
            hash.update(data: bytes)
            last = table.key(of: end)
            count += rows.count
            progress(rows.count)
        }
    }

    /// Empties the target, so that the next run copies everything again, and makes the error.
    private func sourceHasChanged() async throws -> AuthError {
        try await target.deleteAllRows()
        return AuthError(
            .misconfigured,
            """
            \(source.transferName) was written to while it was copied, so the copy was thrown away: stop its servers \
            and repeat the command
            """
        )
    }

    private func rowCount() async throws -> Int {
        var count = 0
        for table in Rooms.tables { count += try await source.count(of: table) }
        return count
    }
}

import Foundation

extension AuditTrail {
    /// Number of batches that one call deletes at most.
    private static let batches = 1000
    /// Seconds that rows wait to be deleted together when only a later seal vouches for them,
    /// because everything up to that seal has to be read.
    private static let patience: TimeInterval = 3600

    /// Deletes rows older than the retention, from the beginning on. Before that it verifies all
    /// rows up to the first seal behind them under a known secret; when one of these is not as it
    /// was sealed, nothing is deleted. The anchor that is stored lets the rows after it be
    /// verified.
    /// - Throws: `audit_trail_broken`.
    package func prune() async throws {
        let now = now()
        let limit = now.addingTimeInterval(-retention)
        guard let (chain, seals) = try await intactChain(), let first = try await firstRow(of: chain),
            !(limit...now).contains(first.fields.at)
        else { return }
        var anchor = chain.anchor
        for link in try await expired(of: chain, seals, before: limit, at: now) {
            // Other processes may seal or prune in the meantime.
            var isPruned = false
            while !isPruned {
                guard let (chain, seals) = try await intactChain(), chain.anchor == anchor else { return }
                let pruned = seals.chain(head: chain.head, anchor: link, sealedAt: chain.sealedAt)
                isPruned = try await storage.pruneEvents(replacing: chain, with: pruned)
            }
            anchor = link
        }
    }

    /// Finds the last row of each batch that can be deleted, however many rows have to be read for
    /// that.
    private func expired(
        of chain: AuditChain, _ seals: AuditSeals, before limit: Date, at now: Date
    ) async throws -> [AuditLink] {
        var walk = AuditWalk(from: chain.anchor, seals)
        var expired = ExpiredRows(after: chain.anchor)
        var isPassed = false
        while walk.link.number < chain.head.number {
            // The process that has pruned these rows at the same time has verified them.
            guard let rows = try await rows(behind: walk.link, in: chain) else { return [] }
            for row in rows {
                // A time in the future, from a clock that was ahead, says nothing about the age of
                // a row: the row goes with the rows around it.
                isPassed = isPassed || (limit...now).contains(row.fields.at) || expired.links.count == Self.batches
                if isPassed {
                    if walk.isSure || expired.links.isEmpty { return expired.links }
                    guard expired.oldest < limit.addingTimeInterval(-Self.patience) else { return [] }
                }
                try walk.take(row)
                if !isPassed, row.fields.at < limit { expired.add(walk.link, at: row.fields.at) }
            }
        }
        try walk.end(at: chain.head)
        return expired.links
    }
}

/// Rows that can be deleted, in batches.
private struct ExpiredRows {
    /// The last row of each batch.
    private(set) var links: [AuditLink] = []
    /// The time of the oldest event of all batches.
    private(set) var oldest = Date.distantFuture
    /// The number of the last row before the batch that is not full yet.
    private var start: Int64

    init(after link: AuditLink) { start = link.number }

    mutating func add(_ link: AuditLink, at date: Date) {
        oldest = min(oldest, date)
        if !links.isEmpty, link.number - start <= Int64(AuditTrail.batch) {
            links[links.count - 1] = link
        } else {
            start = links.last?.number ?? start
            links.append(link)
        }
    }
}

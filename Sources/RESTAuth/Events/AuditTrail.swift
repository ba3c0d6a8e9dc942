public import Foundation

/// The door to the audit trail: reading it, and verifying that nobody changed it.
///
/// Every event's row is numbered and sealed within two seconds (``AuditSealer``).
/// ``verify(against:report:)`` finds a row that was altered, removed or moved since. ``head()``,
/// kept elsewhere, reveals that rows were removed from the end, or that the trail was made anew by
/// someone who has the instance's secret.
public struct AuditTrail: Sendable {
    let storage: any AuditStorage
    let secrets: InstanceSecrets
    /// Seconds for which events are kept.
    let retention: TimeInterval
    let now: @Sendable () -> Date
    /// Loads secrets that another process has written since.
    private let followSecrets: @Sendable () async throws -> Void

    package init(
        storage: any AuditStorage, secrets: InstanceSecrets, retention: TimeInterval,
        now: @escaping @Sendable () -> Date, followSecrets: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.storage = storage
        self.secrets = secrets
        self.retention = retention
        self.now = now
        self.followSecrets = followSecrets
    }

    /// Number of rows that are sealed or deleted at once.
    static let batch = 1000
    /// Rows that are read at once for verification.
    package static let page = 2000

    /// Returns at most `limit` rows that match `query`, sealed or not.
    public func events(matching query: EventQuery, limit: Int) async throws -> [StoredEvent] {
        try await storage.events(matching: query, limit: limit)
    }

    /// The beginning and the end of the trail; `nil` as long as nothing is sealed.
    /// - Throws: `audit_trail_broken` when they are not as they were sealed.
    public func chain() async throws -> AuditChain? { try await intactChain()?.chain }

    /// The end of the trail, to be kept elsewhere; `nil` as long as nothing is sealed.
    /// - Throws: `audit_trail_broken` when it is not as it was sealed.
    public func head() async throws -> AuditHead? { try await chain().map(AuditHead.init) }

    // MARK: Verifying

    /// The result of a successful ``verify(against:report:)``.
    public struct Verification: Sendable, Hashable {
        /// `nil` where nothing is sealed.
        public let head: AuditHead?
        /// The number of the last row that was pruned, or given up by ``restart(because:by:)``; 0
        /// where there is none.
        public let prunedUpTo: Int64
        /// The number of rows that are present with their seals.
        public let sealed: Int
        /// The number of these that were sealed under a secret that is no longer known, and are
        /// vouched for by a later seal.
        public let vouchedFor: Int
        /// The ids of the unknown secrets in the seals of these rows, in the order in which they
        /// are found; at most ``namedSecrets``.
        public let unknownSecrets: [SecretID]
        /// The time of the oldest event without a seal; `nil` where all have one.
        public let unsealedSince: Date?
        /// The number of given heads whose rows have been pruned since, so that nothing could be
        /// compared with them.
        public let outdatedHeads: Int

        /// Greatest length of ``unknownSecrets``: whoever overwrites seals can make any number of
        /// ids.
        public static let namedSecrets = 10
    }

    /// Reads the whole trail and checks that it is as it was sealed.
    /// - Parameters:
    ///   - heads: earlier heads that were kept elsewhere.
    ///   - report: called with the number of rows that were read, and of all rows.
    /// - Throws: `audit_trail_broken`, naming the first row that differs, and when the rows of all
    ///   `heads` have been pruned since.
    public func verify(
        against heads: [AuditHead] = [], report: (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
    ) async throws -> Verification {
        guard var (chain, seals) = try await intactChain() else {
            if let head = heads.first { throw AuthError.rowsMissing(1, through: head.link.number) }
            return try await verification(nil, AuditWalk(from: .start, AuditSeals(secrets.known)), outdatedHeads: 0)
        }
        _ = try await firstRow(of: chain)
        var comparison = HeadComparison(heads)
        var walk = AuditWalk(from: chain.anchor, seals)
        // A day for rows that were sealed late: a head has the time of its seal.
        let prunedUpTo = now().addingTimeInterval(86400 - retention)
        try comparison.begin(at: chain.anchor, prunedUpTo: prunedUpTo)
        while walk.link.number < chain.head.number {
            guard let rows = try await rows(behind: walk.link, in: chain) else {
                guard let later = try await intactChain() else { continue }
                (chain, seals) = later
                walk.skip(to: chain.anchor)
                try comparison.begin(at: chain.anchor, prunedUpTo: prunedUpTo)
                continue
            }
            for row in rows {
                try walk.take(row)
                try comparison.pass(walk.link)
            }
            report(walk.link.number - chain.anchor.number, chain.head.number - chain.anchor.number)
        }
        try walk.end(at: chain.head)
        // The order matters: a process that has sealed more since has replaced the chain as well.
        if let row = try await storage.sealedEvents(after: chain.head.number, limit: 1).first,
            try await storage.auditChain()?.head == chain.head
        {
            throw AuthError.trailBroken("row \(row.number ?? 0) is beyond the end of the trail, which was set back")
        }
        return try await verification(chain, walk, outdatedHeads: comparison.end())
    }

    private func verification(_ chain: AuditChain?, _ walk: AuditWalk, outdatedHeads: Int) async throws -> Verification
    {
        Verification(
            head: chain.map(AuditHead.init), prunedUpTo: chain?.anchor.number ?? 0, sealed: walk.count,
            vouchedFor: walk.vouchedFor, unknownSecrets: walk.unknownSecrets,
            unsealedSince: try await storage.unsealedEvents(limit: 1).first?.fields.at, outdatedHeads: outdatedHeads)
    }

    /// Reads a page of rows after `link`, up to the head of `chain`: at least one row.
    /// - Returns: the rows; `nil` when the next ones were pruned since the chain was read.
    /// - Throws: `audit_trail_broken` when the next ones are missing.
    func rows(behind link: AuditLink, in chain: AuditChain) async throws -> ArraySlice<StoredEvent>? {
        // Read again with the row before, so that no second row of its number is passed over.
        var rows = try await storage.sealedEvents(after: link.number - 1, limit: Self.page + 1)[...]
        if link.number > chain.anchor.number, rows.first?.number == link.number { rows.removeFirst() }
        if rows.first?.number != link.number + 1, let later = try await intactChain()?.chain,
            later.anchor.number > link.number
        {
            return nil
        }
        let known = rows.prefix { $0.number ?? 0 <= chain.head.number }
        guard !known.isEmpty else { throw AuthError.rowsMissing(link.number + 1, through: chain.head.number) }
        return known
    }

    /// Checks that no row has a number up to that of the last pruned row: pruning deletes all of
    /// these together, and nothing is sealed under such a number afterwards.
    /// - Returns: the sealed row with the least number.
    func firstRow(of chain: AuditChain) async throws -> StoredEvent? {
        let row = try await storage.sealedEvents(after: nil, limit: 1).first
        if let number = row?.number, number <= chain.anchor.number {
            throw AuthError.trailBroken("row \(number) is before the beginning of the trail, and was not sealed")
        }
        return row
    }

    /// The stored chain, checked against its seal, and the seals that it was checked with.
    /// - Returns: `nil` where nothing is sealed.
    func intactChain() async throws -> (chain: AuditChain, seals: AuditSeals)? {
        let chain = try await storage.auditChain()
        let seals = try await judge(chain)
        if let chain { return (chain, seals) }
        // The first seal may have been stored between the two reads.
        return try await storage.auditChain() == nil ? nil : intactChain()
    }

    /// Checks the seal of the chain, and that no row is sealed when there is no chain.
    /// - Returns: the seals that it was checked with.
    /// - Throws: `audit_trail_broken`.
    func judge(_ chain: AuditChain?) async throws -> AuditSeals {
        var seals = AuditSeals(secrets.known)
        guard let chain else {
            // The order matters: a process that has sealed since has stored the chain with the
            // rows.
            if let row = try await storage.sealedEvents(after: nil, limit: 1).first,
                try await storage.auditChain() == nil
            {
                throw AuthError.trailBroken("row \(row.number ?? 0) is sealed, and the end of the trail was removed")
            }
            return seals
        }
        var verdict = seals.verdict(on: chain)
        if verdict == .unknown {
            // A process writes a new secret to the file before it seals under it.
            try await followSecrets()
            seals = AuditSeals(secrets.known)
            verdict = seals.verdict(on: chain)
        }
        switch verdict {
        case .right: return seals
        case .wrong: throw AuthError.trailBroken("beginning and end of the trail are not as they were sealed")
        case .unknown:
            throw AuthError.trailBroken(
                "beginning and end of the trail were sealed under a secret that is not known here")
        }
    }
}

extension AuthError {
    static func trailBroken(_ detail: String) -> Self {
        AuthError(.auditTrailBroken, "the audit trail is broken: \(detail)")
    }

    /// - Parameters:
    ///   - first: number of the first row that may have been changed.
    ///   - last: number of the row at which the change was found.
    static func rowChanged(_ first: Int64, to last: Int64? = nil) -> Self {
        let rows = if let last, last > first { "one of the rows \(first) to \(last)" } else { "row \(first)" }
        return trailBroken("\(rows) is not what was sealed")
    }

    static func rowsMissing(_ first: Int64, through last: Int64) -> Self {
        trailBroken(last > first ? "the rows \(first) to \(last) are missing" : "row \(first) is missing")
    }
}

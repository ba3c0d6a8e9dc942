public import Foundation

/// The door to the audit trail: reading it, and verifying that nobody changed it.
///
/// Every event's row is numbered and sealed within two seconds (``AuditSealer``).
/// ``verify(against:report:)`` finds a row that was altered, removed or moved since; ``head()``,
/// kept elsewhere, shows that rows were removed from the end, and that the trail was made anew by
/// who has the instance's secret.
public struct AuditTrail: Sendable {
    let storage: any AuditStorage
    let secrets: InstanceSecrets
    /// Seconds for which events are kept.
    let retention: TimeInterval
    let now: @Sendable () -> Date

    package init(
        storage: any AuditStorage, secrets: InstanceSecrets, retention: TimeInterval,
        now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.secrets = secrets
        self.retention = retention
        self.now = now
    }

    /// Rows that are read, sealed or deleted at once.
    static let batch = 1000
    /// Rows that are read at once for verification.
    private static let page = 2000

    /// Returns at most `limit` rows that match `query`, sealed or not.
    public func events(matching query: EventQuery, limit: Int) async throws -> [StoredEvent] {
        try await storage.events(matching: query, limit: limit)
    }

    /// The end of the trail, to be kept elsewhere; `nil` as long as nothing is sealed.
    /// - Throws: `audit_trail_broken` when the end of the trail is not what was sealed.
    public func head() async throws -> AuditHead? {
        try await intactChain(AuditSeals(secrets.known)).map(AuditHead.init)
    }

    // MARK: Verifying

    /// The result of a successful ``verify(against:report:)``.
    public struct Verification: Sendable, Hashable {
        /// `nil` where nothing is sealed.
        public let head: AuditHead?
        /// The number of the last row that was pruned; 0 where none was.
        public let prunedUpTo: Int64
        /// The number of rows that are present with their seals.
        public let sealed: Int
        /// The number of these that were sealed under a secret that is no longer known, and are
        /// vouched for by a later seal.
        public let vouchedFor: Int
        /// The time of the oldest event without a seal; `nil` where all have one.
        public let unsealedSince: Date?
        /// The number of given heads whose rows have been pruned since, so that nothing could be
        /// compared with them.
        public let outdatedHeads: Int
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
        let seals = AuditSeals(secrets.known)
        guard var chain = try await intactChain(seals) else {
            if let head = heads.first { throw AuthError.trailEnds(at: 0, before: head.link.number) }
            return try await verification(nil, AuditWalk(from: .start, seals), outdatedHeads: 0)
        }
        var comparison = HeadComparison(heads)
        var walk = AuditWalk(from: chain.anchor, seals)
        try comparison.begin(at: chain.anchor)
        while walk.link.number < chain.head.number {
            let rows = try await storage.sealedEvents(after: walk.link.number, limit: Self.page)
            if rows.first?.number != walk.link.number + 1,
                let later = try await intactChain(seals), later.anchor.number > walk.link.number
            {
                // The rows were pruned meanwhile.
                chain = later
                walk.skip(to: later.anchor)
                try comparison.begin(at: later.anchor)
                continue
            }
            guard !rows.isEmpty else { throw AuthError.trailEnds(at: walk.link.number, before: chain.head.number) }
            for row in rows.prefix(while: { $0.number ?? 0 <= chain.head.number }) {
                try walk.take(row)
                try comparison.pass(walk.link)
            }
            if let number = rows.first?.number, number > chain.head.number {
                throw AuthError.trailEnds(at: walk.link.number, before: chain.head.number)
            }
            report(walk.link.number - chain.anchor.number, chain.head.number - chain.anchor.number)
        }
        guard walk.link == chain.head else { throw AuthError.rowChanged(walk.firstUnsure ?? walk.link.number) }
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
            vouchedFor: walk.vouchedFor,
            unsealedSince: try await storage.unsealedEvents(limit: 1).first?.fields.at, outdatedHeads: outdatedHeads)
    }

    /// The stored chain, with a valid seal.
    /// - Returns: `nil` where nothing is sealed.
    private func intactChain(_ seals: AuditSeals) async throws -> AuditChain? {
        if let chain = try await intact(storage.auditChain(), seals) { return chain }
        // The first seal may have been stored between the two reads.
        return try await storage.auditChain() == nil ? nil : intactChain(seals)
    }

    /// Checks the seal of the chain, and that no row is sealed when there is no chain.
    /// - Returns: `chain`.
    /// - Throws: `audit_trail_broken`.
    func intact(_ chain: AuditChain?, _ seals: AuditSeals) async throws -> AuditChain? {
        guard let chain else {
            // The order matters: a process that has sealed since has stored the chain with the
            // rows.
            if let row = try await storage.sealedEvents(after: 0, limit: 1).first,
                try await storage.auditChain() == nil
            {
                throw AuthError.trailBroken("row \(row.number ?? 0) is sealed, and the end of the trail was removed")
            }
            return nil
        }
        switch seals.verdict(on: chain) {
        case .right: return chain
        case .wrong: throw AuthError.trailBroken("beginning and end of the trail are not as they were sealed")
        case .unknown:
            throw AuthError.trailBroken(
                "beginning and end of the trail were sealed under a secret that is not known here")
        }
    }

    // MARK: Pruning

    /// Deletes rows older than the retention, from the beginning on. Stops at the first row that is
    /// not as it was sealed. The anchor that is stored lets the rows after it be verified.
    /// - Throws: `audit_trail_broken`.
    package func prune() async throws {
        let seals = AuditSeals(secrets.known)
        let limit = now().addingTimeInterval(-retention)
        while let chain = try await intactChain(seals) {
            var walk = AuditWalk(from: chain.anchor, seals)
            let rows = try await storage.sealedEvents(after: chain.anchor.number, limit: Self.batch)
            for row in rows where row.number ?? 0 <= chain.head.number {
                guard row.fields.at < limit else { break }
                try walk.take(row)
            }
            guard walk.count > 0 else { return }
            let pruned = seals.chain(head: chain.head, anchor: walk.link, sealedAt: chain.sealedAt)
            guard try await storage.pruneEvents(replacing: chain, with: pruned), walk.count == Self.batch else {
                return
            }
        }
    }
}

/// Verifies the trail row by row.
struct AuditWalk {
    private(set) var link: AuditLink
    private(set) var count = 0
    /// The number of rows that were sealed under unknown secrets.
    private(set) var vouchedFor = 0
    /// The number of the first row that no seal under a known secret has vouched for so far.
    private(set) var firstUnsure: Int64?
    private let seals: AuditSeals

    init(from link: AuditLink, _ seals: AuditSeals) {
        self.link = link
        self.seals = seals
    }

    /// Continues after rows that were pruned.
    mutating func skip(to link: AuditLink) {
        self.link = link
        firstUnsure = nil
    }

    /// - Throws: `audit_trail_broken` when the row is not the one that was sealed after the last
    ///   one.
    mutating func take(_ row: StoredEvent) throws(AuthError) {
        let next = link.next(row)
        guard let number = row.number, number == next.number else {
            throw .rowsMissing(next.number, before: row.number ?? next.number + 1)
        }
        switch seals.verdict(on: row.seal ?? [], of: next) {
        case .right: firstUnsure = nil
        case .wrong: throw .rowChanged(firstUnsure ?? number, to: number)
        case .unknown:
            firstUnsure = firstUnsure ?? number
            vouchedFor += 1
        }
        link = next
        count += 1
    }
}

/// Earlier heads, each compared with the trail when its row is reached.
private struct HeadComparison {
    /// Heads that are not compared yet, in descending order of numbers.
    private var pending: [AuditHead]
    private var outdated = 0
    private let count: Int

    init(_ heads: [AuditHead]) {
        pending = heads.sorted { $0.link.number > $1.link.number }
        count = heads.count
    }

    /// Drops heads whose rows were pruned.
    mutating func begin(at anchor: AuditLink) throws(AuthError) {
        while let head = pending.last, head.link.number < anchor.number {
            pending.removeLast()
            outdated += 1
        }
        try pass(anchor)
    }

    mutating func pass(_ link: AuditLink) throws(AuthError) {
        while let head = pending.last, head.link.number == link.number {
            guard head.link == link else {
                throw .trailBroken("the rows up to \(link.number) are not those of the head that was kept")
            }
            pending.removeLast()
        }
    }

    /// - Returns: the number of heads that could not be compared.
    func end() throws(AuthError) -> Int {
        if let head = pending.last {
            throw .trailBroken("the trail was set back: a head that was kept is of row \(head.link.number)")
        }
        guard outdated < count || count == 0 else {
            throw .trailBroken("every head that was given is of rows that have been pruned since: keep a newer one")
        }
        return outdated
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

    static func rowsMissing(_ first: Int64, before next: Int64) -> Self {
        trailBroken(next - first > 1 ? "the rows \(first) to \(next - 1) are missing" : "row \(first) is missing")
    }

    static func trailEnds(at last: Int64, before next: Int64) -> Self {
        rowsMissing(last + 1, before: next + 1)
    }
}

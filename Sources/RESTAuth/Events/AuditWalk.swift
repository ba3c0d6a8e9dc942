import Foundation

/// Verifies the trail row by row.
struct AuditWalk {
    private(set) var link: AuditLink
    private(set) var count = 0
    /// The number of rows that were sealed under unknown secrets; their digests lead to a later
    /// seal, which has to vouch for them.
    private(set) var vouchedFor = 0
    /// The ids of these secrets, taken from the seals, each once; the first ones only.
    private(set) var unknownSecrets: [SecretID] = []
    /// The number of the first row that no seal under a known secret has vouched for so far.
    private var firstUnsure: Int64?
    private let seals: AuditSeals

    init(from link: AuditLink, _ seals: AuditSeals) {
        self.link = link
        self.seals = seals
    }

    /// Whether a seal under a known secret vouches for all rows so far.
    var isSure: Bool { firstUnsure == nil }

    /// Continues after rows that were pruned.
    mutating func skip(to link: AuditLink) {
        self.link = link
        firstUnsure = nil
    }

    /// Verifies the next row.
    /// - Throws: `audit_trail_broken` when the row is not the one that was sealed after the last
    ///   one.
    mutating func take(_ row: StoredEvent) throws(AuthError) {
        let next = link.next(row)
        guard let number = row.number, number == next.number else {
            let found = row.number ?? .max
            throw found < next.number
                ? .trailBroken("two rows have the number \(found)") : .rowsMissing(next.number, through: found - 1)
        }
        let seal = row.seal ?? []
        switch seals.verdict(on: seal, of: next) {
        case .right: firstUnsure = nil
        case .wrong: throw .rowChanged(firstUnsure ?? number, to: number)
        case .unknown:
            firstUnsure = firstUnsure ?? number
            vouchedFor += 1
            note(seal)
        }
        link = next
        count += 1
    }

    private mutating func note(_ seal: [UInt8]) {
        // Most rows were sealed under the same secret.
        if let last = unknownSecrets.last, seal.starts(with: last.bytes) { return }
        let id = SecretID(bytes: Array(seal.prefix(SecretID.length)))
        guard unknownSecrets.count < AuditTrail.Verification.namedSecrets, !unknownSecrets.contains(id) else { return }
        unknownSecrets.append(id)
    }

    /// Ends the walk at the head of the chain, whose own seal vouches for all rows up to it.
    /// - Throws: `audit_trail_broken` when `head` is not the last row.
    func end(at head: AuditLink) throws(AuthError) {
        guard link == head else { throw .rowChanged(firstUnsure ?? link.number, to: link.number) }
    }
}

/// Earlier heads, each compared with the trail when its row is reached.
struct HeadComparison {
    /// Heads that are not compared yet, in descending order of numbers.
    private var pending: [AuditHead]
    private var outdated = 0
    private let count: Int

    init(_ heads: [AuditHead]) {
        pending = heads.sorted { $0.link.number > $1.link.number }
        count = heads.count
    }

    /// Drops heads whose rows were pruned.
    /// - Parameter date: the time up to which rows may have been pruned.
    /// - Throws: `audit_trail_broken` for a later head before the anchor, and for another head at
    ///   the anchor: the trail was begun anew.
    mutating func begin(at anchor: AuditLink, prunedUpTo date: Date) throws(AuthError) {
        while let head = pending.last, head.link.number < anchor.number {
            guard head.sealedAt <= date else { throw Self.begunAnew(behind: head) }
            pending.removeLast()
            outdated += 1
        }
        if let head = pending.last, head.link.number == anchor.number, head.link != anchor {
            throw Self.begunAnew(behind: head)
        }
        try pass(anchor)
    }

    private static func begunAnew(behind head: AuditHead) -> AuthError {
        .trailBroken(
            """
            the trail was begun anew after the head of row \(head.link.number), sealed at \
            \(Timestamp.text(head.sealedAt)), was kept; if that was an audit restart, or audit_retention was shorter \
            then, keep newer heads only
            """)
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

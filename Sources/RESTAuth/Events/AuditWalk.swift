/// Goes along the trail, row by row.
struct AuditWalk {
    private(set) var link: AuditLink
    private(set) var count = 0
    /// How many rows were sealed under secrets that are not known, and are vouched for by the
    /// digest.
    private(set) var vouchedFor = 0
    /// The ids in the seals of these, each once; the first ones only.
    private(set) var unknownSecrets: [SecretID] = []
    /// The number of the first row that no seal under a known secret has vouched for.
    private var firstUnsure: Int64?
    private let seals: AuditSeals

    init(from link: AuditLink, _ seals: AuditSeals) {
        self.link = link
        self.seals = seals
    }

    /// Whether a seal under a known secret has vouched for all rows up to here.
    var isSure: Bool { firstUnsure == nil }

    /// Goes on behind rows that were pruned.
    mutating func skip(to link: AuditLink) {
        self.link = link
        firstUnsure = nil
    }

    /// - Throws: `audit_trail_broken` when it is not the row that was sealed behind the last one.
    mutating func take(_ row: StoredEvent) throws(AuthError) {
        let next = link.next(row)
        guard let number = row.number, number == next.number else {
            throw .rowsMissing(next.number, through: row.number.map { $0 - 1 } ?? next.number)
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
        // One secret has sealed most of them.
        if let last = unknownSecrets.last, seal.starts(with: last.bytes) { return }
        let id = SecretID(bytes: Array(seal.prefix(SecretID.length)))
        guard unknownSecrets.count < AuditTrail.Verification.namedSecrets, !unknownSecrets.contains(id) else { return }
        unknownSecrets.append(id)
    }

    /// The chain's own seal vouches for all rows up to its head.
    /// - Throws: `audit_trail_broken` when `head` is another row than the last one.
    func end(at head: AuditLink) throws(AuthError) {
        guard link == head else { throw .rowChanged(firstUnsure ?? link.number, to: link.number) }
    }
}

/// Earlier heads, each compared with the trail where it comes by.
struct HeadComparison {
    /// In descending order of numbers.
    private var pending: [AuditHead]
    private var outdated = 0
    private let count: Int

    init(_ heads: [AuditHead]) {
        pending = heads.sorted { $0.link.number > $1.link.number }
        count = heads.count
    }

    /// Leaves out those of rows that were pruned.
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

    /// - Returns: how many could not be compared.
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

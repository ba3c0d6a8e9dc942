import Crypto
public import Foundation

/// A link of the hash chain: the number of a row, and the digest of that row and of all before it.
public struct AuditLink: Sendable, Hashable {
    /// Rows are numbered 1, 2, 3 and so on, without gaps.
    public let number: Int64
    /// SHA-256 over the digest of the row before and over all columns of this one.
    public let digest: [UInt8]

    public init(number: Int64, digest: [UInt8]) {
        self.number = number
        self.digest = digest
    }

    /// The link before the first row.
    static let start = AuditLink(number: 0, digest: [UInt8](repeating: 0, count: SHA256.byteCount))

    /// The link of the row that comes next, whatever number the row has at present.
    func next(_ row: StoredEvent) -> AuditLink {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        let next = number + 1
        bytes.append(field: digest)
        bytes.append(field: next)
        bytes.append(field: row.id)
        bytes.append(field: row.fields)
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return AuditLink(number: next, digest: hash.finalize().withUnsafeBytes(Array.init))
    }
}

/// The sealed range of the trail: how far it is sealed, and from which row on it is kept. The
/// storage has one such row, replaced as a whole by every process that seals, prunes or restarts
/// the trail.
public struct AuditChain: Sendable, Hashable {
    /// The last row that was sealed.
    public let head: AuditLink
    /// The last row that was pruned; its number is 0 where none was.
    public let anchor: AuditLink
    /// The time at which rows were last sealed.
    public let sealedAt: Date
    /// Seal of the other three fields.
    public let seal: [UInt8]

    public init(head: AuditLink, anchor: AuditLink, sealedAt: Date, seal: [UInt8]) {
        self.head = head
        self.anchor = anchor
        self.sealedAt = sealedAt
        self.seal = seal
    }

    /// Number of sealed rows, computed from the numbers of the first and the last.
    var rowCount: Double { max(0, Double(head.number) - Double(anchor.number)) }

    /// The encoding of all fields but the seal.
    fileprivate var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for link in [head, anchor] {
            bytes.append(field: link.number)
            bytes.append(field: link.digest)
        }
        bytes.append(field: sealedAt.microseconds)
        return bytes
    }
}

/// Makes and verifies seals: the id of a secret, and an HMAC-SHA256 under a key derived from it.
///
/// A seal covers the digest of a row and of all rows before it. So a seal under a known secret
/// vouches for every earlier row, also for those whose own seals were made with a secret that was
/// dropped since.
struct AuditSeals: Sendable {
    enum Verdict {
        case right
        case wrong
        /// The seal was made with a secret that is not known here.
        case unknown
    }

    /// What a seal is over; each has a key of its own.
    private enum Purpose: String {
        case row = "audit trail, row"
        case chain = "audit trail, chain"
    }

    private struct Sealing {
        let id: SecretID
        let secret: InstanceSecret

        init(_ secret: InstanceSecret) {
            id = secret.id
            self.secret = secret
        }

        func code(of bytes: [UInt8], _ purpose: Purpose) -> [UInt8] { secret.code(of: bytes, for: purpose.rawValue) }
    }

    private let present: Sealing
    private let previous: SecretID?
    private let all: [Sealing]

    init(_ known: KnownSecrets) {
        present = Sealing(known.present)
        previous = known.previous?.id
        all = known.all.map(Sealing.init)
    }

    func seal(of link: AuditLink) -> [UInt8] { present.id.bytes + present.code(of: link.digest, .row) }

    func verdict(on seal: [UInt8], of link: AuditLink) -> Verdict { verdict(on: seal, of: link.digest, .row) }

    func chain(head: AuditLink, anchor: AuditLink, sealedAt: Date) -> AuditChain {
        // Rounds to microseconds, as every backend stores times.
        let sealedAt = Date(timeIntervalSince1970: (sealedAt.timeIntervalSince1970 * 1e6).rounded() / 1e6)
        let unsealed = AuditChain(head: head, anchor: anchor, sealedAt: sealedAt, seal: [])
        let seal = present.id.bytes + present.code(of: unsealed.bytes, .chain)
        return AuditChain(head: head, anchor: anchor, sealedAt: sealedAt, seal: seal)
    }

    func verdict(on chain: AuditChain) -> Verdict { verdict(on: chain.seal, of: chain.bytes, .chain) }

    /// Id of the secret that new seals are made under.
    var id: SecretID { present.id }

    /// Whether the chain was sealed under the present secret.
    func isOfPresent(_ chain: AuditChain) -> Bool { chain.seal.starts(with: present.id.bytes) }

    /// Whether the chain was sealed under the previous secret.
    func isOfPrevious(_ chain: AuditChain) -> Bool {
        previous.map { chain.seal.starts(with: $0.bytes) } ?? false
    }

    private func verdict(on seal: [UInt8], of bytes: [UInt8], _ purpose: Purpose) -> Verdict {
        guard seal.count == SecretID.length + SHA256.byteCount else { return .wrong }
        guard let known = all.first(where: { seal.starts(with: $0.id.bytes) }) else { return .unknown }
        return isEqualInConstantTime(known.code(of: bytes, purpose), Array(seal[SecretID.length...]))
            ? .right : .wrong
    }
}

// MARK: - Canonical encoding of a row

extension [UInt8] {
    /// Appends the field with its length, and whether it is present, so that no two rows have the
    /// same encoding.
    fileprivate mutating func append(field value: (some Collection<UInt8>)?) {
        guard let value else { return append(0) }
        append(1)
        Swift.withUnsafeBytes(of: UInt64(value.count).bigEndian) { append(contentsOf: $0) }
        append(contentsOf: value)
    }

    fileprivate mutating func append(field text: String?) { append(field: text?.utf8) }

    fileprivate mutating func append(field number: Int64?) {
        guard let number else { return append(0) }
        append(2)
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(field fields: EventFields) {
        append(field: fields.at.microseconds)
        append(field: fields.name)
        append(field: fields.userID)
        append(field: fields.sessionID?.bytes)
        append(field: fields.actorKind)
        append(field: fields.actorID)
        append(field: fields.requestID)
        append(field: fields.address)
        append(field: fields.userAgent)
        append(field: fields.details)
    }
}

extension Date {
    /// Microseconds since 1970, rounded, as every backend stores times; `nil` for a time that does
    /// not fit into 64 bits.
    fileprivate var microseconds: Int64? { Int64(exactly: (timeIntervalSince1970 * 1e6).rounded()) }
}

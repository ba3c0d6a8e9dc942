public import Foundation
public import PasswordHashing

/// The door for users of another system, who keep their passwords.
///
/// Their hashes are stored as they are. A user comes in whose name could be registered (``Username``), and whose hash is understood and costs no
/// more than the limit: a sign-in has to compute it. Whoever is there already stays as they are, so an import that was interrupted is repeated.
public struct UserImport: Sendable {
    private let storage: any ImportStorage
    private let limit: HashLimit
    private let now: @Sendable () -> Date

    /// Users of one transaction: enough that its commit weighs little, few enough that others hardly wait.
    private static let batchSize = 10_000

    public init(into storage: any ImportStorage, limit: HashLimit = HashLimit(), now: @escaping @Sendable () -> Date = { Date() }) {
        self.storage = storage
        self.limit = limit
        self.now = now
    }

    /// Brings in all users of `source` that can be, thousands in a transaction.
    ///
    /// Ids are kept where they are free: never given before the import began, nor in it. Who needs another id gets it after all others have theirs.
    /// - Parameters:
    ///   - source: read once, from its beginning to its end, while what was read before is written.
    ///   - isTrial: whether everything is checked and nothing written.
    ///   - report: hears what became of the users, some thousand at a time, and how far the reading is.
    /// - Throws: what the source throws when it cannot be read any further, and the storage. What has been reported stays imported.
    public func run(
        _ source: some UserSource, isTrial: Bool = false,
        report: ([ImportNote], _ done: Int, _ total: Int) throws -> Void = { _, _, _ in }
    ) async throws -> ImportCounts {
        var arrivals = Arrivals(last: try await storage.lastUserID())
        var counts = ImportCounts()
        var batch = try await checkedBatch(of: source)
        while !batch.users.isEmpty {
            async let next = checkedBatch(of: source)
            let notes = try await store(batch.users, &arrivals, isTrial: isTrial)
            for note in notes { counts.add(note.outcome) }
            try report(notes, batch.done, batch.total)
            batch = try await next
        }
        while !arrivals.waiting.isEmpty {
            let notes = try await storeWaiting(&arrivals, isTrial: isTrial)
            for note in notes { counts.add(note.outcome) }
            try report(notes, batch.done, batch.total)
        }
        return counts
    }

    // MARK: Checking

    private struct CheckedBatch: Sendable {
        var users: [Checked]
        var done: Int
        var total: Int
    }

    private enum Checked: Sendable {
        case good(Candidate)
        case refused(ImportNote)
    }

    fileprivate struct Candidate: Sendable {
        let place: ImportPlace
        let user: ImportableUser
    }

    private func checkedBatch(of source: some UserSource) async throws -> CheckedBatch {
        let batch = try await source.next(Self.batchSize)
        let now = now()
        return CheckedBatch(users: batch.entries.map { check($0, now) }, done: batch.done, total: batch.total)
    }

    private func check(_ entry: ImportBatch.Entry, _ now: Date) -> Checked {
        switch entry {
        case .unreadable(let place, let reason):
            return .refused(ImportNote(place: place, username: nil, outcome: .refused(ImportRefusal(kind: .unreadable, reason: reason))))
        case .user(let user):
            do {
                try checkIDs(of: user)
                let checked = ImportableUser(
                    id: user.id, legacyID: user.legacyID, name: try name(of: user), passwordHash: try passwordHash(of: user),
                    createdAt: user.createdAt ?? now, disabledAt: user.isDisabled ? user.disabledAt ?? now : nil, roles: try roles(of: user)
                )
                return .good(Candidate(place: user.place, user: checked))
            } catch {
                return .refused(ImportNote(place: user.place, username: user.username, outcome: .refused(error)))
            }
        }
    }

    /// What a client can read from JSON unchanged; and far from the last number there is, after which nobody could register.
    private static let ids: ClosedRange<Int64> = 1...(1 << 53 - 1)

    private func checkIDs(of user: ForeignUser) throws(ImportRefusal) {
        guard [user.id, user.legacyID].allSatisfy({ $0.map(Self.ids.contains) ?? true }) else {
            throw ImportRefusal(kind: .unreadable, reason: "the id is no whole number from 1 to \(Self.ids.upperBound)")
        }
    }

    private func name(of user: ForeignUser) throws(ImportRefusal) -> Username {
        do {
            return try Username(user.username)
        } catch {
            throw ImportRefusal(kind: .name, reason: error.detail)
        }
    }

    private func passwordHash(of user: ForeignUser) throws(ImportRefusal) -> String {
        // Django and the system's own password files mark with these whoever cannot sign in by a password.
        guard let first = user.passwordHash.utf8.first, first != UInt8(ascii: "!"), first != UInt8(ascii: "*") else {
            throw ImportRefusal(kind: .noPassword, reason: "the user has no password to sign in with")
        }
        guard let hash = PasswordHash(user.passwordHash) else {
            throw ImportRefusal(kind: .unknownHash, reason: "the password hash is of a kind that is not understood")
        }
        guard limit.admits(hash.cost) else {
            throw ImportRefusal(
                kind: .costlyHash,
                reason: """
                    a sign-in would take about \(hash.cost.memoryKiB) KiB and \(hash.cost.milliseconds) ms; the limits are \
                    \(limit.memoryKiB) KiB and \(limit.milliseconds) ms
                    """)
        }
        return user.passwordHash
    }

    private func roles(of user: ForeignUser) throws(ImportRefusal) -> Set<String> {
        guard !user.roles.isEmpty else { return [] }
        do {
            for role in user.roles { try Role.check(role) }
            try Role.check(totalLength: user.roles.reduce(0) { $0 + $1.utf8.count })
        } catch {
            throw ImportRefusal(kind: .roles, reason: error.detail)
        }
        return user.roles
    }

    // MARK: Storing

    private func store(_ users: [Checked], _ arrivals: inout Arrivals, isTrial: Bool) async throws -> [ImportNote] {
        var notes: [ImportNote] = []
        var candidates: [Candidate] = []
        candidates.reserveCapacity(users.count)
        for user in users {
            switch user {
            case .refused(let note): notes.append(note)
            case .good(let candidate):
                switch arrivals.admit(candidate) {
                case .admitted: candidates.append(candidate)
                case .waiting: break
                case .refused(let note): notes.append(note)
                }
            }
        }
        return try await notes + store(candidates, &arrivals, isTrial: isTrial)
    }

    private func store(_ candidates: [Candidate], _ arrivals: inout Arrivals, isTrial: Bool) async throws -> [ImportNote] {
        guard !candidates.isEmpty else { return [] }
        let outcomes = try await storage.importUsers(candidates.map(\.user), above: arrivals.last, isTrial: isTrial)
        return zip(candidates, outcomes).compactMap { candidate, outcome in
            if outcome == .idTaken {
                arrivals.waiting.append(candidate)
                return nil
            }
            return candidate.note(outcome, former: nil, isTrial: isTrial)
        }
    }

    /// Those whose id was not free.
    private func storeWaiting(_ arrivals: inout Arrivals, isTrial: Bool) async throws -> [ImportNote] {
        let candidates = arrivals.waiting.prefix(Self.batchSize)
        let outcomes = try await storage.importUsers(candidates.map { $0.user.withoutID() }, above: arrivals.last, isTrial: isTrial)
        arrivals.waiting.removeFirst(candidates.count)
        return zip(candidates, outcomes).map { $0.note($1, former: $0.user.id, isTrial: isTrial) }
    }
}

// MARK: - Who has come

/// What has to be known of everyone who came before.
private struct Arrivals {
    /// The greatest id that was given before the import.
    let last: User.ID
    /// Who needs another id.
    var waiting: [UserImport.Candidate] = []
    private var names: [String: ImportPlace] = [:]
    private var ids: Set<User.ID> = []
    private var legacyIDs: Set<Int64> = []

    init(last: User.ID) { self.last = last }

    enum Admission {
        case admitted
        /// Until all others have their ids.
        case waiting
        case refused(ImportNote)
    }

    mutating func admit(_ candidate: UserImport.Candidate) -> Admission {
        let user = candidate.user
        if let first = names[user.name.canonical] {
            return .refused(candidate.refused(.duplicate, "when case is put aside, the name is that of \(first), which came first"))
        }
        if let legacyID = user.legacyID, !legacyIDs.insert(legacyID).inserted { return .refused(candidate.legacyIDTaken) }
        names[user.name.canonical] = candidate.place
        guard let id = user.id, !ids.insert(id).inserted else { return .admitted }
        waiting.append(candidate)
        return .waiting
    }
}

extension UserImport.Candidate {
    func note(_ outcome: ImportOutcome, former: User.ID?, isTrial: Bool) -> ImportNote {
        switch outcome {
        case .imported(let id):
            ImportNote(place: place, username: user.name.text, outcome: .imported(id: isTrial ? nil : id, former: former))
        case .nameTaken: ImportNote(place: place, username: user.name.text, outcome: .skipped)
        case .legacyIDTaken: legacyIDTaken
        // The id of one who has none to keep is never in the way.
        case .idTaken: refused(.unreadable, "the id could not be given")
        }
    }

    var legacyIDTaken: ImportNote {
        refused(.legacyID, "another user came with the id \(user.legacyID ?? 0) of a Flask server")
    }

    func refused(_ kind: ImportRefusal.Kind, _ reason: String) -> ImportNote {
        ImportNote(place: place, username: user.name.text, outcome: .refused(ImportRefusal(kind: kind, reason: reason)))
    }
}

extension ImportableUser {
    fileprivate func withoutID() -> ImportableUser {
        ImportableUser(
            id: nil, legacyID: legacyID, name: name, passwordHash: passwordHash, createdAt: createdAt, disabledAt: disabledAt, roles: roles)
    }
}

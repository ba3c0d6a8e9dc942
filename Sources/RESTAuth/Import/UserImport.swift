public import Foundation
public import PasswordHashing
import Synchronization

/// The door for users of another system, who keep their passwords.
///
/// Their hashes are stored as they are, the faster ones inside an Argon2id hash. A user comes in
/// whose name could be registered (``Username``), and whose hash the ``HashIntake`` takes. Whoever is there already stays as they are, so an import that was interrupted is
/// repeated.
public struct UserImport: Sendable {
    private let storage: any ImportStorage
    private let hashes: HashIntake
    private let now: @Sendable () -> Date

    /// Users of one transaction: enough that its commit weighs little, few enough that others
    /// hardly wait.
    package static let batchSize = 20_000

    public init(
        into storage: any ImportStorage, limit: HashLimit = HashLimit(),
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.init(into: storage, hashes: HashIntake(limit: limit), now: now)
    }

    /// - Parameters:
    ///   - storage: where the users come to.
    ///   - hashes: which hashes are taken, and how they are stored.
    ///   - now: the clock.
    public init(
        into storage: any ImportStorage, hashes: HashIntake, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.storage = storage
        self.hashes = hashes
        self.now = now
    }

    /// Brings in all users of `source` that can be, thousands in a transaction.
    ///
    /// Ids are kept where they are free: never given before the import began, nor in it. Who needs
    /// another id gets it after all others have theirs.
    /// - Parameters:
    ///   - source: read once, from its beginning to its end, while what was read before is written.
    ///   - isTrial: whether everything is checked and nothing written.
    ///   - report: hears what became of the users, some thousand at a time, and how far the reading
    ///     is.
    /// - Throws: what the source throws when it cannot be read any further, and the storage. What
    ///   has been reported stays imported.
    public func run(
        _ source: some UserSource, isTrial: Bool = false,
        report: ([ImportNote], _ done: Int, _ total: Int) throws -> Void = { _, _, _ in }
    ) async throws -> ImportCounts {
        let last = try await storage.lastUserID()
        let arrivals = Arrivals()
        var counts = ImportCounts()
        /// Who needs another id, and gets it when all others have theirs.
        var waiting: [Candidate] = []
        var batch = try await checkedBatch(of: source, arrivals)
        func settle(_ notes: [ImportNote]) throws {
            for note in notes { counts.add(note.outcome) }
            try report(notes, batch.done, batch.total)
        }
        while !batch.isEnd {
            async let next = checkedBatch(of: source, arrivals)
            let (stored, displaced) = try await store(batch.candidates, above: last, isTrial: isTrial)
            waiting += batch.waiting + displaced
            try settle(batch.refusals + stored)
            batch = try await next
        }
        while !waiting.isEmpty {
            let notes = try await storeRenumbered(waiting.prefix(Self.batchSize), above: last, isTrial: isTrial)
            waiting.removeFirst(notes.count)
            try settle(notes)
        }
        return counts
    }

    // MARK: Checking

    private struct CheckedBatch: Sendable {
        var candidates: [Candidate] = []
        /// Whose ids others have, who came before.
        var waiting: [Candidate] = []
        var refusals: [ImportNote] = []
        let done: Int
        let total: Int

        var isEnd: Bool { candidates.isEmpty && waiting.isEmpty && refusals.isEmpty }
    }

    fileprivate struct Candidate: Sendable {
        let place: ImportPlace
        /// Whose hash is none yet.
        let user: ImportableUser
        let hash: ForeignHash
    }

    private func checkedBatch(of source: some UserSource, _ arrivals: Arrivals) async throws -> CheckedBatch {
        // Where many are hashed, who waits wants to see how far it is.
        let batch = try await source.next(hashes.acceptsWeak ? Self.batchSize / 20 : Self.batchSize)
        let now = now()
        var checked = CheckedBatch(done: batch.done, total: batch.total)
        checked.candidates.reserveCapacity(batch.entries.count)
        for entry in batch.entries {
            switch entry {
            case .unreadable(let place, let reason):
                let refusal = ImportRefusal(kind: .unreadable, reason: reason)
                checked.refusals.append(ImportNote(place: place, username: nil, outcome: .refused(refusal)))
            case .user(let user):
                do {
                    let candidate = try candidate(user, now)
                    switch arrivals.admit(candidate) {
                    case .admitted: checked.candidates.append(candidate)
                    case .waiting: checked.waiting.append(candidate)
                    case .refused(let note): checked.refusals.append(note)
                    }
                } catch {
                    checked.refusals.append(
                        ImportNote(place: user.place, username: user.username, outcome: .refused(error)))
                }
            }
        }
        return checked
    }

    private func candidate(_ user: ForeignUser, _ now: Date) throws(ImportRefusal) -> Candidate {
        try checkIDs(of: user)
        let checked = ImportableUser(
            id: user.id, legacyID: user.legacyID, name: try name(of: user), passwordHash: "",
            createdAt: user.createdAt ?? now, disabledAt: user.isDisabled ? user.disabledAt ?? now : nil,
            roles: try roles(of: user))
        return Candidate(place: user.place, user: checked, hash: try hashes.admit(user.passwordHash))
    }

    /// What a client can read from JSON unchanged; and far from the last number there is, after
    /// which nobody could register.
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

    /// With the hashes that are stored. Of who is there already, and in a trial, none is computed.
    private func users(_ candidates: [Candidate], above last: User.ID, isTrial: Bool) async throws -> [ImportableUser] {
        let users = candidates.map(\.user)
        guard !isTrial else { return users }
        let isComputed =
            candidates.contains(where: \.hash.isWrapped)
            ? try await storage.importUsers(users, above: last, isTrial: true).map { $0 != .nameTaken }
            : [Bool](repeating: true, count: users.count)
        let coming = zip(candidates, isComputed).filter(\.1).map(\.0)
        var stored = try await hashes.stored(coming.map(\.hash)).makeIterator()
        return zip(users, isComputed).map { user, isComputed in
            isComputed ? stored.next().map(user.with(passwordHash:)) ?? user : user
        }
    }

    /// - Returns: what became of them, and those whose id was not free.
    private func store(
        _ candidates: [Candidate], above last: User.ID, isTrial: Bool
    ) async throws -> (notes: [ImportNote], displaced: [Candidate]) {
        guard !candidates.isEmpty else { return ([], []) }
        let users = try await users(candidates, above: last, isTrial: isTrial)
        let outcomes = try await storage.importUsers(users, above: last, isTrial: isTrial)
        var notes: [ImportNote] = []
        notes.reserveCapacity(candidates.count)
        var displaced: [Candidate] = []
        for (candidate, outcome) in zip(candidates, outcomes) {
            if outcome == .idTaken {
                displaced.append(candidate)
            } else {
                notes.append(candidate.note(outcome, former: nil, isTrial: isTrial))
            }
        }
        return (notes, displaced)
    }

    private func storeRenumbered(_ candidates: ArraySlice<Candidate>, above last: User.ID, isTrial: Bool) async throws
        -> [ImportNote]
    {
        let users = try await users(Array(candidates), above: last, isTrial: isTrial).map { $0.withoutID() }
        let outcomes = try await storage.importUsers(users, above: last, isTrial: isTrial)
        return zip(candidates, outcomes).map { $0.note($1, former: $0.user.id, isTrial: isTrial) }
    }
}

// MARK: - Who has come

/// What has to be known of everyone who came before. One batch after the other is asked about.
private final class Arrivals: Sendable {
    private struct Known {
        var names: [String: ImportPlace] = [:]
        var ids: Set<User.ID> = []
        var legacyIDs: Set<Int64> = []
    }

    private let known = Mutex(Known())

    enum Admission {
        case admitted
        /// Until all others have their ids.
        case waiting
        case refused(ImportNote)
    }

    func admit(_ candidate: UserImport.Candidate) -> Admission {
        let user = candidate.user
        return known.withLock { known in
            if let first = known.names[user.name.canonical] {
                return .refused(
                    candidate.refused(
                        .duplicate, "when case is put aside, the name is that of \(first), which came first"))
            }
            if let legacyID = user.legacyID, !known.legacyIDs.insert(legacyID).inserted {
                return .refused(candidate.legacyIDTaken)
            }
            known.names[user.name.canonical] = candidate.place
            guard let id = user.id, !known.ids.insert(id).inserted else { return .admitted }
            return .waiting
        }
    }
}

extension UserImport.Candidate {
    func note(_ outcome: ImportOutcome, former: User.ID?, isTrial: Bool) -> ImportNote {
        switch outcome {
        case .imported(let id):
            ImportNote(
                place: place, username: user.name.text, outcome: .imported(id: isTrial ? nil : id, former: former))
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
    fileprivate func with(passwordHash: String) -> ImportableUser {
        ImportableUser(
            id: id, legacyID: legacyID, name: name, passwordHash: passwordHash, createdAt: createdAt,
            disabledAt: disabledAt, roles: roles)
    }

    fileprivate func withoutID() -> ImportableUser {
        ImportableUser(
            id: nil, legacyID: legacyID, name: name, passwordHash: passwordHash, createdAt: createdAt,
            disabledAt: disabledAt, roles: roles)
    }
}

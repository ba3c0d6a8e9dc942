public import Foundation
public import PasswordHashing

/// The door to importing users of another system, who keep their passwords and ids.
///
/// Hashes are stored as they are, faster ones inside an Argon2id hash. A user is imported if the
/// name could be registered (``Username``), the ``HashIntake`` accepts the hash, and the id is
/// free. If one user is refused, none is imported, unless the caller makes one of the
/// ``Concessions``. Users who exist already are not changed, so an interrupted import can be
/// repeated.
public struct UserImport: Sendable {
    /// The treatment of users who would be refused otherwise.
    public struct Concessions: OptionSet, Sendable {
        public let rawValue: Int
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// Refused users are left out, and all others are imported. Their ids are reserved where
        /// they can be read (``ImportCounts/unknownIDs``).
        public static let leavingOut = Concessions(rawValue: 1)
        /// A user without a usable hash is imported without a password, which can be set later.
        public static let withoutPassword = Concessions(rawValue: 2)
        /// A user whose id is not free, or not valid, gets another one.
        public static let renumbering = Concessions(rawValue: 4)
    }

    private let storage: any ImportStorage
    private let hashes: HashIntake
    private let claims: TokenClaims
    private let caller: Caller
    private let now: @Sendable () -> Date

    /// The users of one transaction: a compromise between the cost of a commit and the time that
    /// other writers wait.
    package static let batchSize = 20_000

    public init(
        into storage: any ImportStorage, limit: HashLimit = HashLimit(),
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.init(into: storage, hashes: HashIntake(limit: limit), now: now)
    }

    /// - Parameters:
    ///   - storage: the storage to import into.
    ///   - hashes: which hashes are taken, and how they are stored.
    ///   - caller: who brings them in.
    ///   - now: the clock.
    public init(
        into storage: any ImportStorage, hashes: HashIntake, by caller: Caller = .application,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.init(into: storage, hashes: hashes, claims: TokenClaims([]), by: caller, now: now)
    }

    /// - Parameter claims: the claims of tokens, which must not be too long.
    package init(
        into storage: any ImportStorage, hashes: HashIntake, claims: TokenClaims, by caller: Caller,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.storage = storage
        self.hashes = hashes
        self.claims = claims
        self.caller = caller
        self.now = now
    }

    /// Imports the users of `source`: all of them, or none while one would be refused.
    ///
    /// All users are read and checked before the first is written, which takes about a kilobyte of
    /// memory a user. Their ids are reserved first, so that no user who registers meanwhile gets
    /// one of them, and an interrupted import can be repeated. A name or id that is taken between
    /// the check and the write leaves out that one user. Each batch records its number of users in
    /// its transaction, so that no user is stored without an event, however the import ends.
    /// - Parameters:
    ///   - source: read once, from beginning to end.
    ///   - concessions: the treatment of users who would be refused.
    ///   - isTrial: whether everything is checked and nothing written.
    ///   - report: called with the outcomes, up to a batch at a time, and the progress.
    /// - Throws: the error of the source when it cannot be read any further, or of the storage.
    ///   Users that were reported as imported stay imported.
    public func run(
        _ source: some UserSource, allowing concessions: Concessions = [], isTrial: Bool = false,
        report: ([ImportNote], ImportProgress) throws -> Void = { _, _ in }
    ) async throws -> ImportCounts {
        let last = try await storage.lastUserID()
        var arrivals = Arrivals(concessions: concessions)
        while case let batch = try await source.next(Self.batchSize), !batch.entries.isEmpty {
            check(batch.entries, &arrivals)
            try report([], ImportProgress(step: .checking, done: batch.done, total: batch.total))
        }
        try await judge(&arrivals, above: last)
        var counts = ImportCounts()
        for note in arrivals.settled { counts.add(note) }
        counts.unknownIDs = arrivals.haveIDs ? arrivals.withoutReadableID : 0
        counts.isWritten = !isTrial && (counts.refusals == 0 || concessions.contains(.leavingOut))
        func settle(_ notes: [ImportNote], _ progress: ImportProgress) throws {
            for note in notes { counts.add(note) }
            try report(notes, progress)
        }
        try report(arrivals.settled, ImportProgress(step: .checking, done: 1, total: 1))
        guard counts.isWritten else {
            let step = ImportProgress(step: .checking, done: 1, total: 1)
            try settle((arrivals.admitted + arrivals.displaced).map { $0.note(.imported(0), isTrial: true) }, step)
            return counts
        }
        try await write(arrivals, above: last, settle)
        return counts
    }

    /// Imports one batch and records its event.
    private func importUsers(
        _ users: [ImportableUser], above last: User.ID, isTrial: Bool = false
    ) async throws -> [ImportOutcome] {
        let event = AuthEvent.usersImported.by(caller, at: now())
        let outcomes = try await storage.importUsers(users, above: last, isTrial: isTrial, recording: event)
        if !isTrial, outcomes.importedCount > 0 { event.counting(users: outcomes.importedCount).record() }
        return outcomes
    }

    // MARK: Checking

    fileprivate struct Candidate: Sendable {
        let place: ImportPlace
        /// The user, without a password hash.
        let user: ImportableUser
        /// The id in the source of a user who gets another.
        let formerID: User.ID?
        /// The hash; `nil` for a user without a password.
        let hash: ForeignHash?
    }

    private func check(_ entries: [ImportBatch.Entry], _ arrivals: inout Arrivals) {
        let now = now()
        for entry in entries {
            switch entry {
            case .unreadable(let place, let id, let reason):
                if id == nil { arrivals.withoutReadableID += 1 }
                arrivals.refuse(place, id, ImportRefusal(kind: .unreadable, reason: reason))
            case .user(let user):
                do {
                    arrivals.take(try candidate(user, arrivals.concessions, now))
                } catch {
                    arrivals.refuse(user.place, user.id, named: user.username, error)
                }
            }
        }
    }

    private func candidate(
        _ user: ForeignUser, _ concessions: Concessions, _ now: Date
    ) throws(ImportRefusal) -> Candidate {
        let times = [user.createdAt, user.disabledAt, user.profile.emailVerifiedAt]
        guard times.allSatisfy({ $0.map(Timestamp.possible.contains) ?? true }) else {
            throw ImportRefusal(
                kind: .unreadable, reason: "a time is not between the years 1 and 9999, as infinity in PostgreSQL")
        }
        do throws(AuthError) {
            _ = try claims.text(from: user.profile.appMetadata)
        } catch {
            throw ImportRefusal(kind: .unreadable, reason: error.detail)
        }
        let (id, legacyID) = try ids(of: user, concessions)
        let checked = ImportableUser(
            id: id, legacyID: legacyID, name: try name(of: user), passwordHash: nil,
            createdAt: user.createdAt ?? now, disabledAt: user.isDisabled ? user.disabledAt ?? now : nil,
            roles: try roles(of: user), profile: user.profile)
        return Candidate(
            place: user.place, user: checked, formerID: id == nil ? user.id : nil, hash: try hash(of: user, concessions)
        )
    }

    /// The ids that can be imported: half of those that JSON carries unchanged (below 2^53), so
    /// that the others are left for later registrations.
    package static let ids: ClosedRange<Int64> = 1...(1 << 52)

    private func ids(
        of user: ForeignUser, _ concessions: Concessions
    ) throws(ImportRefusal) -> (id: User.ID?, legacyID: Int64?) {
        let impossible = [user.id, user.legacyID].lazy.compactMap { $0 }.first { !Self.ids.contains($0) }
        guard let impossible else { return (user.id, user.legacyID) }
        guard concessions.contains(.renumbering) else {
            throw ImportRefusal(
                kind: .impossibleID, reason: "the id \(impossible) is no whole number from 1 to \(Self.ids.upperBound)")
        }
        func possible(_ id: Int64?) -> Int64? { id.flatMap { Self.ids.contains($0) ? $0 : nil } }
        return (possible(user.id), possible(user.legacyID))
    }

    /// - Returns: `nil` for a user who may be imported without a password.
    private func hash(of user: ForeignUser, _ concessions: Concessions) throws(ImportRefusal) -> ForeignHash? {
        do {
            return try hashes.admit(user.passwordHash)
        } catch {
            guard concessions.contains(.withoutPassword), [.noPassword, .unknownHash, .weakHash].contains(error.kind)
            else { throw error }
            return nil
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
            try Role.check(user.roles, givenBy: caller)
        } catch {
            throw ImportRefusal(kind: .roles, reason: error.detail)
        }
        return user.roles
    }

    // MARK: Judging and writing

    /// Asks the storage, in a trial, which users cannot be stored.
    private func judge(_ arrivals: inout Arrivals, above last: User.ID) async throws {
        let candidates = arrivals.admitted
        arrivals.admitted = []
        arrivals.admitted.reserveCapacity(candidates.count)
        for start in stride(from: 0, to: candidates.count, by: Self.batchSize) {
            let batch = candidates[start...].prefix(Self.batchSize)
            let outcomes = try await importUsers(batch.map(\.user), above: last, isTrial: true)
            for (candidate, outcome) in zip(batch, outcomes) {
                switch outcome {
                case .imported: arrivals.admitted.append(candidate)
                case .idTaken: arrivals.displace(candidate, "another user has it, or had it")
                case .nameOfAnotherID where arrivals.concessions.contains(.renumbering):
                    arrivals.settled.append(candidate.note(.nameTaken, isTrial: true))
                case .nameTaken, .nameOfAnotherID:
                    arrivals.settled.append(candidate.note(outcome, isTrial: true))
                case .legacyIDTaken: arrivals.refuse(candidate, candidate.legacyIDTaken)
                case .emailTaken: arrivals.refuse(candidate, candidate.emailTaken)
                case .nameReserved: arrivals.refuse(candidate, candidate.nameReserved)
                }
            }
        }
    }

    private func write(
        _ arrivals: Arrivals, above last: User.ID, _ settle: ([ImportNote], ImportProgress) throws -> Void
    ) async throws {
        try await storage.reserveUserIDs(arrivals.admitted.compactMap(\.user.id) + arrivals.leftOutIDs)
        let total = arrivals.admitted.count + arrivals.displaced.count
        var done = 0
        func store(_ candidates: [Candidate], _ note: (Candidate, ImportOutcome) -> ImportNote?) async throws {
            // Smaller batches show progress while many hashes are wrapped.
            let size = candidates.contains { $0.hash?.isWrapped == true } ? Self.batchSize / 20 : Self.batchSize
            for start in stride(from: 0, to: candidates.count, by: size) {
                let batch = candidates[start..<min(start + size, candidates.count)]
                let outcomes = try await importUsers(stored(batch), above: last)
                done += batch.count
                try settle(
                    zip(batch, outcomes).compactMap(note), ImportProgress(step: .writing, done: done, total: total))
            }
        }
        var late = Arrivals(concessions: arrivals.concessions)
        try await store(arrivals.admitted) { candidate, outcome in
            guard outcome == .idTaken else { return candidate.note(outcome, isTrial: false) }
            late.displace(candidate, "somebody who registered meanwhile has it")
            return nil
        }
        try settle(late.settled, ImportProgress(step: .writing, done: done, total: total))
        try await store(arrivals.displaced + late.displaced) { $0.note($1, isTrial: false) }
    }
}

extension UserImport {
    /// The users with their hashes in the form to store.
    private func stored(_ candidates: ArraySlice<Candidate>) async throws -> [ImportableUser] {
        var stored = try await hashes.stored(candidates.compactMap(\.hash)).makeIterator()
        return candidates.map { candidate in
            guard candidate.hash != nil, let text = stored.next() else { return candidate.user }
            return candidate.user.with(id: candidate.user.id, passwordHash: text)
        }
    }
}

// MARK: - Arrivals

/// The users that have been read, grouped by what is known of their outcome.
private struct Arrivals {
    let concessions: UserImport.Concessions
    var admitted: [UserImport.Candidate] = []
    /// Users who get another id, stored after all others.
    var displaced: [UserImport.Candidate] = []
    /// The outcomes that are certain.
    var settled: [ImportNote] = []
    /// The ids of refused users, to be reserved.
    var leftOutIDs: [User.ID] = []
    /// The number of entries whose id could not be read.
    var withoutReadableID = 0
    /// Whether any user has an id.
    var haveIDs = false

    private var names: [String: ImportPlace] = [:]
    private var ids: [User.ID: ImportPlace] = [:]
    private var legacyIDs: Set<Int64> = []
    private var emails: Set<String> = []

    init(concessions: UserImport.Concessions) { self.concessions = concessions }

    mutating func take(_ candidate: UserImport.Candidate) {
        let user = candidate.user
        haveIDs = haveIDs || user.id != nil
        if let first = names[user.name.canonical] {
            leaveOut(user.id, candidate.place)
            return settled.append(
                candidate.refused(
                    .duplicate, "when case is put aside, the name is that of \(first), which came first"))
        }
        if let legacyID = user.legacyID, !legacyIDs.insert(legacyID).inserted {
            return refuse(candidate, candidate.legacyIDTaken)
        }
        if let key = user.profile.verifiedEmailKey, !emails.insert(key).inserted {
            return refuse(candidate, candidate.emailTaken)
        }
        names[user.name.canonical] = candidate.place
        guard let id = user.id else { return admitted.append(candidate) }
        if let first = ids[id] { return displace(candidate, "it is that of \(first), which came first") }
        ids[id] = candidate.place
        admitted.append(candidate)
    }

    mutating func refuse(
        _ place: ImportPlace, _ id: User.ID?, named username: String? = nil, _ refusal: ImportRefusal
    ) {
        settled.append(ImportNote(place: place, username: username, outcome: .refused(refusal)))
        leaveOut(id, place)
    }

    mutating func refuse(_ candidate: UserImport.Candidate, _ note: ImportNote) {
        settled.append(note)
        leaveOut(candidate.user.id, candidate.place)
    }

    private mutating func leaveOut(_ id: User.ID?, _ place: ImportPlace) {
        haveIDs = haveIDs || id != nil
        if let id, UserImport.ids.contains(id), ids[id] ?? place == place { leftOutIDs.append(id) }
    }

    /// Adds a user whose id is not free.
    mutating func displace(_ candidate: UserImport.Candidate, _ reason: String) {
        guard concessions.contains(.renumbering) else {
            let id = candidate.user.id.map(String.init) ?? "-"
            return settled.append(candidate.refused(.id, "the id \(id) is not free: \(reason)"))
        }
        displaced.append(candidate.withoutID())
    }
}

extension UserImport.Candidate {
    func note(_ outcome: ImportOutcome, isTrial: Bool) -> ImportNote {
        switch outcome {
        case .imported(let id):
            ImportNote(
                place: place, username: user.name.text, outcome: .imported(id: isTrial ? nil : id, former: formerID),
                lacksPassword: hash == nil)
        case .nameTaken: ImportNote(place: place, username: user.name.text, outcome: .skipped)
        case .nameOfAnotherID(let present):
            refused(.id, "the name is there already, with the id \(present) and not \(user.id ?? 0)")
        case .legacyIDTaken: legacyIDTaken
        case .emailTaken: emailTaken
        case .nameReserved: nameReserved
        // A user without an id to keep cannot get this outcome.
        case .idTaken: refused(.id, "the id could not be given")
        }
    }

    var legacyIDTaken: ImportNote {
        refused(.legacyID, "another user came with the id \(user.legacyID ?? 0) of a Flask server")
    }

    var emailTaken: ImportNote { refused(.email, "another user has verified the same mail address") }

    var nameReserved: ImportNote {
        refused(.name, "another user had the name until lately, and it is kept for that user")
    }

    func refused(_ kind: ImportRefusal.Kind, _ reason: String) -> ImportNote {
        ImportNote(place: place, username: user.name.text, outcome: .refused(ImportRefusal(kind: kind, reason: reason)))
    }

    func withoutID() -> UserImport.Candidate {
        UserImport.Candidate(
            place: place, user: user.with(id: nil, passwordHash: user.passwordHash), formerID: user.id, hash: hash)
    }
}

extension ImportableUser {
    fileprivate func with(id: User.ID?, passwordHash: String?) -> ImportableUser {
        ImportableUser(
            id: id, legacyID: legacyID, name: name, passwordHash: passwordHash, createdAt: createdAt,
            disabledAt: disabledAt, roles: roles, profile: profile)
    }
}

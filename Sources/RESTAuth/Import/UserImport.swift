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
    private let names: NewNames
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
        self.init(
            into: storage, hashes: hashes, names: NewNames(refusingAddresses: false), claims: TokenClaims([]),
            by: caller, now: now)
    }

    /// Makes an import that keeps the rules of a server's settings.
    package init(
        into storage: any ImportStorage, hashes: HashIntake, configuration: AuthConfiguration, by caller: Caller
    ) {
        self.init(
            into: storage, hashes: hashes, names: NewNames(refusingAddresses: configuration.signInByEmail),
            claims: TokenClaims(configuration.tokenClaims), by: caller, now: configuration.now)
    }

    private init(
        into storage: any ImportStorage, hashes: HashIntake, names: NewNames, claims: TokenClaims, by caller: Caller,
        now: @escaping @Sendable () -> Date
    ) {
        self.storage = storage
        self.hashes = hashes
        self.names = names
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
        var passed = PassedIDs()
        return try await run(source, allowing: concessions, isTrial: isTrial, passed: &passed, report: report)
    }

    /// Imports users as one of several parts of an import.
    /// - Parameter passed: the ids that the parts before passed by, which are free for this one.
    func run(
        _ source: some UserSource, allowing concessions: Concessions, isTrial: Bool, passed: inout PassedIDs,
        report: ([ImportNote], ImportProgress) throws -> Void
    ) async throws -> ImportCounts {
        let last = try await storage.lastUserID()
        var arrivals = ImportArrivals(concessions: concessions)
        while case let batch = try await source.next(Self.batchSize), !batch.entries.isEmpty {
            check(batch.entries, &arrivals)
            try report([], ImportProgress(step: .checking, done: batch.done, total: batch.total))
        }
        try await judge(&arrivals, above: last, passed)
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
        try await write(arrivals, &passed, settle)
        return counts
    }

    /// Imports one batch: those whose ids this import passed by, and the others.
    private func importUsers(
        _ users: [ImportableUser], above last: User.ID, _ passed: PassedIDs, isTrial: Bool = false
    ) async throws -> [ImportOutcome] {
        let isPassed = users.map { $0.id.map(passed.contains) ?? true }
        var outcomes = [ImportOutcome](repeating: .idTaken, count: users.count)
        for (part, last) in [(true, 0), (false, last)] where isPassed.contains(part) {
            let places = users.indices.filter { isPassed[$0] == part }
            let found = try await importUsers(places.map { users[$0] }, above: last, isTrial: isTrial)
            for (place, outcome) in zip(places, found) { outcomes[place] = outcome }
        }
        return outcomes
    }

    /// Imports users in one transaction and records its event.
    private func importUsers(
        _ users: [ImportableUser], above last: User.ID, isTrial: Bool
    ) async throws -> [ImportOutcome] {
        let event = AuthEvent.usersImported.by(caller, at: now())
        let outcomes = try await storage.importUsers(users, above: last, isTrial: isTrial, recording: event)
        if !isTrial, outcomes.importedCount > 0 { event.counting(users: outcomes.importedCount).record() }
        return outcomes
    }

    // MARK: Checking

    /// A user who has been read and checked, with the hash apart.
    struct Candidate: Sendable {
        let place: ImportPlace
        /// The user, without a password hash.
        let user: ImportableUser
        /// The id in the source of a user who gets another.
        let formerID: User.ID?
        /// The hash; `nil` for a user without a password.
        let hash: ForeignHash?
    }

    private func check(_ entries: [ImportBatch.Entry], _ arrivals: inout ImportArrivals) {
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

    /// Asks the storage, in a trial, which users cannot be stored. A name that is there already is
    /// skipped, whatever it looks like.
    private func judge(
        _ arrivals: inout ImportArrivals, above last: User.ID, _ passed: PassedIDs
    ) async throws {
        let candidates = arrivals.admitted
        arrivals.admitted = []
        arrivals.admitted.reserveCapacity(candidates.count)
        // Their ids came twice: they are stored last, and were never asked for.
        for candidate in arrivals.takeDisplaced(where: { names.takesForAddress($0.user.name) }) {
            arrivals.refuse(candidate, candidate.nameOfAddress)
        }
        for start in stride(from: 0, to: candidates.count, by: Self.batchSize) {
            let batch = candidates[start...].prefix(Self.batchSize)
            let outcomes = try await importUsers(batch.map(\.user), above: last, passed, isTrial: true)
            for (candidate, outcome) in zip(batch, outcomes) {
                switch outcome {
                case .nameOfAnotherID where arrivals.concessions.contains(.renumbering):
                    arrivals.settled.append(candidate.note(.nameTaken, isTrial: true))
                case .nameTaken, .nameOfAnotherID:
                    arrivals.settled.append(candidate.note(outcome, isTrial: true))
                case _ where names.takesForAddress(candidate.user.name):
                    arrivals.refuse(candidate, candidate.nameOfAddress)
                case .imported: arrivals.admitted.append(candidate)
                case .idTaken: arrivals.displace(candidate, "another user has it, or had it")
                case .legacyIDTaken: arrivals.refuse(candidate, candidate.legacyIDTaken)
                case .emailTaken: arrivals.refuse(candidate, candidate.emailTaken)
                case .nameReserved: arrivals.refuse(candidate, candidate.nameReserved)
                }
            }
        }
    }

    private func write(
        _ arrivals: ImportArrivals, _ passed: inout PassedIDs,
        _ settle: ([ImportNote], ImportProgress) throws -> Void
    ) async throws {
        let ids = arrivals.admitted.compactMap(\.user.id) + arrivals.leftOutIDs
        // What was given between the check and this is not free, even if its user is gone.
        let last = try await storage.reserveUserIDs(ids)
        passed.add(after: last, through: ids.max() ?? 0)
        defer { passed.remove(ids) }
        let total = arrivals.admitted.count + arrivals.displaced.count
        var done = 0
        func store(_ candidates: [Candidate], _ note: (Candidate, ImportOutcome) -> ImportNote?) async throws {
            // Smaller batches show progress while many hashes are wrapped.
            let size = candidates.contains { $0.hash?.isWrapped == true } ? Self.batchSize / 20 : Self.batchSize
            for start in stride(from: 0, to: candidates.count, by: size) {
                let batch = candidates[start..<min(start + size, candidates.count)]
                let outcomes = try await importUsers(stored(batch), above: last, passed)
                done += batch.count
                try settle(
                    zip(batch, outcomes).compactMap(note), ImportProgress(step: .writing, done: done, total: total))
            }
        }
        var late = ImportArrivals(concessions: arrivals.concessions)
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

public import Foundation
import Logging

/// The door to rate limits: of wrong passwords, registrations, new sessions and look-ups of users.
///
/// Failures are counted in the storage, so all processes count together and a restart forgets
/// nothing. Nothing is written while no password is wrong. A failure that the storage does not take
/// is kept in memory, and no password is compared until it is written (`UncountedFailures`). A
/// refusal tells nothing about the password or the user: it is the same for a right and a wrong
/// password, and for a user that does not exist.
public final class Throttle: Sendable {
    let storage: any Storage
    let configuration: ThrottleConfiguration
    /// Whether anything is counted.
    var isOn: Bool { configuration.isOn }
    package let budget: HashingBudget
    package let uncounted: UncountedFailures
    private let line = GuessLine()
    private let lookups: UserLookups?
    /// The limit of sessions; `nil` for no limit.
    private let sessions: SessionBudget?
    let now: @Sendable () -> Date

    init(storage: any Storage, configuration: ThrottleConfiguration, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.configuration = configuration
        self.now = now
        lookups = configuration.isOn ? configuration.userLookupsPerHour.map { UserLookups(perHour: $0) } : nil
        budget = HashingBudget(storage: storage, limit: configuration.hashing, now: now)
        sessions = configuration.isOn ? configuration.sessionsPerHour.map(SessionBudget.init) : nil
        uncounted = UncountedFailures(storage: storage, now: now)
    }

    // MARK: Guesses

    /// The most networks of one user that are remembered.
    private static let originLimit = 20

    /// Runs `attempt` when the guess is admitted.
    ///
    /// `attempt` has to call ``fail(_:cost:)`` for a wrong password, and ``succeed(_:as:)`` for a
    /// right one before it reports success.
    /// - Throws: `rate_limited`, `overloaded`, `storage_unavailable` where it could not be counted;
    ///   what `attempt` throws.
    package func admitting<Value>(_ guess: Guess, _ attempt: (AdmittedGuess) async throws -> Value) async throws
        -> Value
    {
        guard configuration.isOn else { return try await attempt(AdmittedGuess(guess, knownSince: nil)) }
        let knownSince: Date? =
            if let name = guess.name, let network = guess.network {
                try await storage.knownOrigin(network, canonicalUsername: name.canonical)
            } else { nil }
        let admitted = AdmittedGuess(guess, knownSince: knownSince)
        try await settle(before: admitted.tallies(configuration)) { try await check($0, of: admitted) }
        var entered: [ThrottleSubject] = []
        defer { entered.forEach(line.leave) }
        // In a fixed order, against deadlocks.
        for (subject, limit) in admitted.sortedLimits(configuration) where admitted.isHeldUp(by: subject) {
            try await line.enter(subject) { tried in
                let counters = try await counters(of: [subject])
                try await check(counters, of: admitted)
                return limit.hasRoom(counters.first, tried: tried, at: now())
            }
            entered.append(subject)
        }
        if !admitted.isFavoured, case let until = budget.blockedUntil, until > now() {
            throw await refused(guess, until: until, by: .hashing, quota: configuration.hashingBudget)
        }
        return try await attempt(admitted)
    }

    /// Whether guesses that are counted by this subject have to wait now.
    func isBlocked(_ subject: ThrottleSubject) async throws -> Bool {
        guard configuration.isOn else { return false }
        return try await counters(of: [subject]).contains { blockedUntil($0) != nil }
    }

    private func check(_ counters: [ThrottleCounter], of guess: AdmittedGuess) async throws(AuthError) {
        for counter in counters {
            guard guess.isHeldUp(by: counter.subject), let limit = guess.limits(configuration)[counter.subject],
                let until = limit.blockedUntil(counter, at: now())
            else { continue }
            throw await refused(guess.guess, until: until, by: counter.subject, quota: limit.allowance)
        }
    }

    /// Counts a wrong password or code.
    /// - Throws: `rate_limited` when so many others were wrong meanwhile that this one should have
    ///   waited: then it is not told that it was wrong.
    package func fail(_ guess: AdmittedGuess, cost: Duration) async throws {
        guard configuration.isOn else { return }
        if !guess.isFavoured { budget.spend(cost) }
        let tallies = guess.tallies(configuration)
        try await settle(after: tallies)
        for (index, tally) in tallies.enumerated() {
            switch try await count(tally, by: guess.guess.caller, orKeep: tallies[index...]) {
            case .refused(let until):
                guard guess.isHeldUp(by: tally.subject) else { continue }
                throw await refused(guess.guess, until: until, by: tally.subject, quota: tally.limit.allowance)
            case .counted: break
            }
        }
    }

    /// Checks that a right password may be answered as one, which asking for another factor does as
    /// well.
    /// - Returns: the counters of the guess's subjects.
    /// - Throws: `rate_limited` when so many others were wrong meanwhile that this one should have
    ///   waited; `storage_unavailable` when a wrong password could not have been counted.
    package func disclose(_ guess: AdmittedGuess) async throws -> [ThrottleCounter] {
        guard configuration.isOn else { return [] }
        try await settle(after: guess.tallies(configuration))
        let counters = try await storage.throttles(of: guess.guess.subjects)
        try await check(counters, of: guess)
        return counters
    }

    /// Ends the series of a sign-in that is complete, and remembers from where it came.
    /// - Throws: what ``disclose(_:)`` throws.
    package func succeed(_ guess: AdmittedGuess, as identity: UserIdentity) async throws {
        guard configuration.isOn else { return }
        let counters = try await disclose(guess)
        await delete(counters.filter { guess.isForgotten($0, configuration, at: now()) })
        guard let network = guess.guess.network else { return }
        // To within a day, so that a user who signs in every second does not write every second.
        if let knownSince = guess.knownSince, now().timeIntervalSince(knownSince) < 86400 { return }
        let event = AuthEvent.networkRemembered(network, userID: identity.userID)
        await remember(
            network, of: identity.userID, recording: event.by(guess.guess.caller.nowKnown(as: identity), at: now()))
    }

    /// Ends the series of the factor whose code was right in a live session. It says nothing of the
    /// password, so the series of the account goes on.
    /// - Throws: what ``disclose(_:)`` throws.
    func succeedInSession(_ guess: AdmittedGuess) async throws {
        await delete(try await disclose(guess).filter { $0.subject == guess.guess.factor })
    }

    private func delete(_ counters: [ThrottleCounter]) async {
        await unlessItFails {
            for counter in counters { try await storage.deleteThrottle(counter.subject, recording: nil) }
        }
    }

    private func refused(_ guess: Guess, until: Date, by subject: ThrottleSubject, quota: Int) async -> AuthError {
        let isUser = await isUser(guess.name?.canonical)
        // The answer does not tell that the network is a known one.
        let policy = (subject.kind == .known ? .account : subject.kind).rawValue
        AuthEvent.loginThrottled(
            username: isUser ? guess.name?.canonical : nil, network: subject.network, policy: policy
        ).record()
        return Self.tooMany(
            subject.isOfCodes ? "too many wrong codes" : "too many wrong passwords", until: until, now: now(),
            policy: policy, quota: quota)
    }

    /// Whether a user has that name, so that it may be logged: any other text may be a password
    /// that was typed into the wrong field.
    private func isUser(_ canonicalUsername: String?) async -> Bool { await user(named: canonicalUsername) != nil }

    private func user(named canonicalUsername: String?) async -> User.ID? {
        guard let canonicalUsername else { return nil }
        return ((try? await storage.credentials(canonicalUsername: canonicalUsername)) ?? nil)?.user.id
    }

    /// Forgets the failures that are not written yet of a user whose password was changed; the
    /// storage has deleted its counters in the same transaction.
    func forgetUncounted(of name: Username, id: User.ID) {
        uncounted.forget { $0.username == name.canonical || $0.userID == id }
    }

    /// Remembers that a user has signed in from a network.
    /// - Parameter event: recorded when the network is new to the user; `nil` where another event
    ///   reports it.
    func remember(_ network: ClientNetwork, of user: User.ID, recording event: AuthEvent? = nil) async {
        guard configuration.isOn else { return }
        await unlessItFails {
            let isRecorded = try await storage.rememberOrigin(
                network, user: user, at: now(), limit: Self.originLimit, recording: event)
            if isRecorded { event?.record() }
        }
    }

    /// Runs a write that only eases the next sign-in, and logs a failure: the password was right,
    /// so this sign-in goes on.
    private func unlessItFails(_ write: () async throws -> Void) async {
        do {
            try await write()
        } catch {
            Logger.current.warning("the throttle could not be brought up to date", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Failures not yet stored

    private func counters(of subjects: [ThrottleSubject]) async throws -> [ThrottleCounter] {
        uncounted.added(to: try await storage.throttles(of: subjects), of: subjects)
    }

    /// Counts a failure. When the storage does not take it, this one and those that follow in
    /// `tallies` are kept in memory.
    private func count(
        _ tally: Tally, by caller: Caller, orKeep tallies: ArraySlice<Tally>
    ) async throws -> ThrottleLimit.Outcome {
        do {
            let now = now()
            let outcome = try await storage.countFailure(
                1, of: tally.subject, other: tally.other, limit: tally.limit, by: caller, at: now)
            if !tally.limit.events(of: outcome, amount: 1, user: nil).isEmpty {
                let user = await user(named: tally.subject.username)
                for event in tally.limit.events(of: outcome, amount: 1, user: user) {
                    event.by(caller, at: now).record()
                }
            }
            return outcome
        } catch {
            tallies.forEach(uncounted.add)
            throw error
        }
    }

    /// Writes the failures that are kept in memory, before a password is compared.
    /// - Parameter check: throws when the caller has to wait.
    private func settle(before tallies: [Tally], check: ([ThrottleCounter]) async throws -> Void) async throws {
        guard !uncounted.isEmpty else { return }
        let subjects = tallies.map(\.subject)
        let stored = try await storage.throttles(of: subjects)
        try await check(uncounted.added(to: stored, of: subjects))
        do {
            try await uncounted.settle()
        } catch {
            for tally in tallies { uncounted.addRefused(tally, to: stored.first { $0.subject == tally.subject }) }
            throw error
        }
    }

    /// Writes the failures that are kept in memory, after a password was compared and before the
    /// outcome is told, whether it was right or wrong.
    private func settle(after tallies: [Tally]) async throws {
        do {
            try await uncounted.settle()
        } catch {
            tallies.forEach(uncounted.add)
            throw error
        }
    }

    // MARK: Signed-in users

    /// Runs `confirm`, which checks the present password of a user who is signed in, or the first
    /// code of an app, and counts a wrong one.
    /// - Parameters:
    ///   - user: the user.
    ///   - caller: the origin of the password or code.
    ///   - kind: what a refusal calls those that were wrong.
    ///   - confirm: the check.
    /// - Throws: `rate_limited`, `overloaded`, `storage_unavailable` where it could not be counted;
    ///   what `confirm` throws.
    func confirming<Value>(
        _ user: User.ID, by caller: Caller, naming kind: String = "passwords", _ confirm: () async throws -> Value
    ) async throws -> Value {
        guard configuration.isOn else { return try await confirm() }
        let (subject, limit) = (ThrottleSubject.confirmation(by: user), configuration.account)
        func refuse(_ until: Date) -> AuthError {
            AuthEvent.loginThrottled(username: nil, network: nil, policy: subject.kind.rawValue).record()
            return Self.tooMany(
                "too many wrong \(kind)", until: until, now: now(), policy: subject.kind.rawValue,
                quota: limit.allowance)
        }
        func check(_ counters: [ThrottleCounter]) throws {
            if let until = counters.first.flatMap({ limit.blockedUntil($0, at: now()) }) { throw refuse(until) }
        }
        func counter() async throws -> ThrottleCounter? {
            let counters = try await counters(of: [subject])
            try check(counters)
            return counters.first
        }
        let tally = Tally(subject: subject, limit: limit, other: nil)
        try await settle(before: [tally], check: check)
        try await line.enter(subject) { tried in try await limit.hasRoom(counter(), tried: tried, at: now()) }
        defer { line.leave(subject) }
        do {
            let value = try await confirm()
            try await settle(after: [tally])
            if try await counter() != nil { try await storage.deleteThrottle(subject, recording: nil) }
            return value
        } catch let error as AuthError where [.currentPasswordInvalid, .invalidCode].contains(error.code) {
            try await settle(after: [tally])
            if case .refused(let until) = try await count(tally, by: caller, orKeep: [tally]) { throw refuse(until) }
            throw error
        }
    }

    // MARK: Registrations and sessions

    /// Counts a registration before its password is hashed: by the network, then by the larger
    /// blocks, so that one that is refused in a small network is not counted in the larger ones.
    /// - Throws: `rate_limited`.
    package func countRegistration(by caller: Caller) async throws {
        guard configuration.isOn, let perHour = configuration.registrationsPerHour,
            let network = caller.network
        else {
            return
        }
        for block in network.blocks {
            let subject = ThrottleSubject.registrations(from: block)
            let limit = configuration.registrations(perHour: perHour).times(block.allowanceFactor)
            guard
                case .refused(let until) = try await storage.countFailure(
                    1, of: subject, other: nil, limit: limit, by: caller, at: now())
            else { continue }
            AuthEvent.registrationThrottled(network: block.description).record()
            throw Self.tooMany(
                "too many registrations", until: until, now: now(), policy: subject.kind.rawValue,
                quota: limit.allowance)
        }
    }

    /// Counts a session before it is stored. The password was right, so a refusal is told to the
    /// user alone.
    /// - Throws: `rate_limited`.
    package func countSession(of user: User.ID, by caller: Caller) throws(AuthError) {
        guard let refusal = sessions?.spend(by: user, from: caller.network) else { return }
        AuthEvent.sessionThrottled(userID: user, network: refusal.network).record()
        let now = now()
        throw Self.tooMany(
            "too many sessions were started", until: now.addingTimeInterval(refusal.wait / .seconds(1)), now: now,
            policy: "sessions", quota: refusal.quota)
    }

    // MARK: User look-ups

    /// Counts the look-up of a user by id, whether there is such a user or not.
    /// - Throws: `rate_limited`.
    package func countLookup(of user: User.ID, by caller: Caller) throws(AuthError) {
        guard let lookups, let network = caller.network,
            let wait = lookups.refusal(of: user, from: network)
        else { return }
        throw Self.tooMany(
            "too many users looked up by number", until: now().addingTimeInterval(wait / .seconds(1)), now: now(),
            policy: "lookups", quota: lookups.burst)
    }

    /// The refusal, with a `Retry-After` of a day when the limit ends only by an operator.
    private static func tooMany(_ what: String, until: Date, now: Date, policy: String, quota: Int) -> AuthError {
        let seconds = Int(max(1, min(until.timeIntervalSince(now).rounded(.up), 86400)))
        return AuthError(
            .rateLimited, "\(what), try again in \(seconds) seconds", retryAfter: seconds,
            policy: RateLimitPolicy(name: policy, quota: quota))
    }

    // MARK: Operator

    /// Returns at most `limit` counters (1 to 1000) that are not forgotten, in the order of their
    /// subjects.
    public func list(after subject: ThrottleSubject? = nil, limit: Int = 100) async throws -> [ThrottleCounter] {
        try await storage.throttles(after: subject, limit: min(max(limit, 1), 1000))
    }

    /// The time until which a counter blocks; `nil` when it does not.
    public func blockedUntil(_ counter: ThrottleCounter) -> Date? {
        configuration.limit(of: counter.subject)?.blockedUntil(counter, at: now())
    }

    /// Deletes the counter of a subject, so that the next guess is admitted at once.
    /// - Returns: whether there was a counter.
    /// - Throws: `forbidden` for a counter of an operator whom the caller may not change, and for
    ///   one that is of more than one user, unless the caller is an operator, a command or your own
    ///   code.
    @discardableResult
    public func clear(_ subject: ThrottleSubject, by caller: Caller = .application) async throws -> Bool {
        let rules = OperatorRules(storage: storage)
        if let id = subject.userID {
            try await rules.checkChange(of: id, by: caller)
        } else if let name = subject.username {
            try await rules.checkForgetting(ofName: name, by: caller)
        } else {
            try await rules.checkForgettingOfMany(by: caller)
        }
        return try await delete(subject, by: caller)
    }

    func delete(_ subject: ThrottleSubject, by caller: Caller) async throws -> Bool {
        uncounted.forget { $0 == subject }
        let event = AuthEvent.throttleCleared(subject).by(caller, at: now())
        let isCleared = try await storage.deleteThrottle(subject, recording: event)
        if isCleared { event.record() }
        return isCleared
    }

    /// Deletes the counters of wrong passwords for a user name, from all networks.
    /// - Parameters:
    ///   - name: a name, whether a user has it or not.
    ///   - user: the user whose counter of wrong confirmations is deleted too; `nil` for none.
    ///   - caller: the actor, for the event.
    /// - Returns: the subjects whose counters were deleted.
    /// - Throws: `forbidden` for an operator whom the caller may not change.
    @discardableResult
    public func clear(
        _ name: Username, user: User.ID? = nil, by caller: Caller = .application
    ) async throws -> [ThrottleSubject] {
        let rules = OperatorRules(storage: storage)
        try await rules.checkForgetting(ofName: name.canonical, by: caller)
        if let user { try await rules.checkChange(of: user, by: caller) }
        uncounted.forget { $0.username == name.canonical || user != nil && $0.userID == user }
        let event = AuthEvent.throttleCleared(of: name, user: user).by(caller, at: now())
        let cleared = try await storage.deleteThrottles(
            canonicalUsername: name.canonical, user: user, recording: event)
        if !cleared.isEmpty { event.record() }
        return cleared
    }
}

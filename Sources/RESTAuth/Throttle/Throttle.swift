public import Foundation
import Logging

/// The door to what stands in the way of guesses, and of floods of registrations.
///
/// Failures are counted in the storage, so all processes count together and a restart forgets
/// nothing. While nothing is wrong nothing is written. Nobody is told more by having to wait: the
/// answer is the same for a right and a wrong password, and for a user that does not exist.
public final class Throttle: Sendable {
    let storage: any Storage
    let configuration: ThrottleConfiguration
    package let budget: HashingBudget
    private let line = GuessLine()
    private let lookups: UserLookups?
    let now: @Sendable () -> Date

    init(storage: any Storage, configuration: ThrottleConfiguration, now: @escaping @Sendable () -> Date) {
        self.storage = storage
        self.configuration = configuration
        self.now = now
        lookups = configuration.isOn ? configuration.userLookupsPerHour.map { UserLookups(perHour: $0) } : nil
        budget = HashingBudget(storage: storage, limit: configuration.hashing, now: now)
    }

    // MARK: Guesses

    /// Networks of one user that are remembered.
    private static let originLimit = 20

    /// Tries a guess when its turn has come.
    ///
    /// `attempt` has to count what is wrong (``fail(_:cost:)``) and ask whether what is right may
    /// be known (``succeed(_:user:)``).
    /// - Throws: `rate_limited`, `overloaded`; what `attempt` throws.
    package func admitting<Value>(_ guess: Guess, _ attempt: (AdmittedGuess) async throws -> Value) async throws
        -> Value
    {
        guard configuration.isOn else { return try await attempt(AdmittedGuess(guess, knownSince: nil)) }
        let knownSince: Date? =
            if let name = guess.name, let network = guess.network {
                try await storage.knownOrigin(network, canonicalUsername: name.canonical)
            } else { nil }
        let admitted = AdmittedGuess(guess, knownSince: knownSince)
        var entered: [ThrottleSubject] = []
        defer { entered.forEach(line.leave) }
        // In one order, so that no two wait for each other.
        for (subject, limit) in admitted.sortedLimits(configuration) where admitted.isHeldUp(by: subject) {
            try await line.enter(subject) { tried in
                let counters = try await storage.throttles(of: [subject])
                try check(counters, of: admitted)
                return limit.hasRoom(counters.first, tried: tried, at: now())
            }
            entered.append(subject)
        }
        if !admitted.isFromKnownOrigin, case let until = budget.blockedUntil, until > now() {
            throw refused(guess, until: until, by: .hashing, quota: configuration.hashingBudget)
        }
        return try await attempt(admitted)
    }

    private func check(_ counters: [ThrottleCounter], of guess: AdmittedGuess) throws(AuthError) {
        for counter in counters {
            guard guess.isHeldUp(by: counter.subject), let limit = guess.limits(configuration)[counter.subject],
                let until = limit.blockedUntil(counter, at: now())
            else { continue }
            throw refused(guess.guess, until: until, by: counter.subject, quota: limit.allowance)
        }
    }

    /// Counts a wrong password.
    /// - Throws: `rate_limited` when so many others were wrong meanwhile that this one should have
    ///   waited: then it is not told that it was wrong.
    package func fail(_ guess: AdmittedGuess, cost: Duration) async throws {
        guard configuration.isOn else { return }
        if !guess.isFromKnownOrigin { budget.spend(cost) }
        for (subject, limit) in guess.sortedLimits(configuration) {
            switch try await storage.countFailure(
                1, of: subject, other: guess.other(of: subject), limit: limit, at: now())
            {
            case .refused(let until):
                guard guess.isHeldUp(by: subject) else { continue }
                throw refused(guess.guess, until: until, by: subject, quota: limit.allowance)
            case .counted(_, let isNoticed):
                if isNoticed { AuthEvent.credentialStuffing(subject).record() }
            }
        }
    }

    /// Makes sure that a right password may be known to be right, and remembers from where it came.
    /// - Throws: `rate_limited` when so many others were wrong meanwhile that this one should have
    ///   waited.
    package func succeed(_ guess: AdmittedGuess, user: User.ID) async throws {
        guard configuration.isOn else { return }
        let counters = try await storage.throttles(of: guess.guess.subjects)
        try check(counters, of: guess)
        await unlessItFails {
            for counter in counters where guess.isForgotten(counter, configuration, at: now()) {
                try await storage.deleteThrottle(counter.subject)
            }
        }
        guard let network = guess.guess.network else { return }
        // To within a day: who signs in every second does not write every second.
        if let knownSince = guess.knownSince, now().timeIntervalSince(knownSince) < 86400 { return }
        await remember(network, of: user)
    }

    private func refused(_ guess: Guess, until: Date, by subject: ThrottleSubject, quota: Int) -> AuthError {
        // That the user is known there is nobody else's business.
        let policy = subject.kind == "known" ? "account" : String(subject.kind)
        AuthEvent.loginThrottled(username: guess.name?.canonical, policy: policy).record()
        return Self.tooMany("too many wrong passwords", until: until, now: now(), policy: policy, quota: quota)
    }

    /// Lets the next guess at that user through, because there is another password to guess.
    func forgetGuesses(at user: User) async {
        await unlessItFails {
            let name = try Username(user.username)
            for subject in [ThrottleSubject.account(name), .confirmation(by: user.id)] {
                try await storage.deleteThrottle(subject)
            }
            // They stand together: a name has no blank.
            let known = ThrottleSubject(rawValue: "known:\(name.canonical) ")
            for counter in try await storage.throttles(after: known, limit: Self.originLimit) {
                guard counter.subject.kind == known.kind, counter.subject.username == name.canonical else { break }
                try await storage.deleteThrottle(counter.subject)
            }
        }
    }

    /// From there the user is known now.
    func remember(_ network: ClientNetwork, of user: User.ID) async {
        guard configuration.isOn else { return }
        await unlessItFails {
            try await storage.rememberOrigin(network, user: user, at: now(), limit: Self.originLimit)
        }
    }

    /// What only eases the next sign-in must not make this one fail: the password is right, and
    /// stored.
    private func unlessItFails(_ write: () async throws -> Void) async {
        do {
            try await write()
        } catch {
            Logger.current.warning("the throttle could not be brought up to date", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Who is signed in

    /// Runs `confirm`, which asks who is signed in for the password, and counts when it is wrong.
    /// - Throws: `rate_limited`, `overloaded`; what `confirm` throws.
    func confirming<Value>(_ user: User.ID, _ confirm: () async throws -> Value) async throws -> Value {
        guard configuration.isOn else { return try await confirm() }
        let (subject, limit) = (ThrottleSubject.confirmation(by: user), configuration.account)
        func refuse(_ until: Date) -> AuthError {
            AuthEvent.loginThrottled(username: nil, policy: String(subject.kind)).record()
            return Self.tooMany(
                "too many wrong passwords", until: until, now: now(), policy: String(subject.kind),
                quota: limit.allowance)
        }
        func counter() async throws -> ThrottleCounter? {
            let counter = try await storage.throttles(of: [subject]).first
            if let counter, let until = limit.blockedUntil(counter, at: now()) { throw refuse(until) }
            return counter
        }
        try await line.enter(subject) { tried in try await limit.hasRoom(counter(), tried: tried, at: now()) }
        defer { line.leave(subject) }
        do {
            let value = try await confirm()
            if try await counter() != nil { try await storage.deleteThrottle(subject) }
            return value
        } catch let error as AuthError where error.code == .currentPasswordInvalid {
            if case .refused(let until) = try await storage.countFailure(
                1, of: subject, other: nil, limit: limit, at: now())
            {
                throw refuse(until)
            }
            throw error
        }
    }

    // MARK: Registrations

    /// Counts a registration before it costs a hash.
    /// - Throws: `rate_limited`.
    package func countRegistration(from address: String?) async throws {
        guard configuration.isOn, let perHour = configuration.registrationsPerHour,
            let network = address.flatMap(ClientNetwork.init)
        else {
            return
        }
        let (subject, limit) = (
            ThrottleSubject.registrations(from: network), configuration.registrations(perHour: perHour)
        )
        guard
            case .refused(let until) = try await storage.countFailure(
                1, of: subject, other: nil, limit: limit, at: now())
        else { return }
        AuthEvent.registrationThrottled(network: network.description).record()
        throw Self.tooMany(
            "too many registrations", until: until, now: now(), policy: String(subject.kind), quota: perHour)
    }

    // MARK: Looking users up

    /// Counts that somebody looks a user up by number, whether there is such a user or not.
    /// - Throws: `rate_limited`.
    package func countLookup(of user: User.ID, from address: String?) throws(AuthError) {
        guard let lookups, let network = address.flatMap(ClientNetwork.init),
            let wait = lookups.refusal(of: user, from: network)
        else { return }
        throw Self.tooMany(
            "too many users looked up by number", until: now().addingTimeInterval(wait / .seconds(1)), now: now(),
            policy: "lookups", quota: lookups.perHour)
    }

    /// Says to come back in a day where nobody knows when it will help.
    private static func tooMany(_ what: String, until: Date, now: Date, policy: String, quota: Int) -> AuthError {
        let seconds = Int(max(1, min(until.timeIntervalSince(now).rounded(.up), 86400)))
        return AuthError(
            .rateLimited, "\(what), try again in \(seconds) seconds", retryAfter: seconds,
            policy: RateLimitPolicy(name: policy, quota: quota))
    }

    // MARK: For an operator

    /// At most `limit` counters (1 to 1000) that mean something, in the order of their subjects.
    public func list(after subject: ThrottleSubject? = nil, limit: Int = 100) async throws -> [ThrottleCounter] {
        try await storage.throttles(after: subject, limit: min(max(limit, 1), 1000))
    }

    /// Until when this counter lets nothing through; `nil` when it does.
    public func blockedUntil(_ counter: ThrottleCounter) -> Date? {
        let limit: ThrottleLimit? =
            switch counter.subject.kind {
            case "account", "known", "confirmation": configuration.account
            case "network": configuration.network
            case "registrations": configuration.registrationsPerHour.map(configuration.registrations(perHour:))
            case "hashing": configuration.hashing
            default: nil
            }
        return limit?.blockedUntil(counter, at: now())
    }

    /// Forgets what has been counted of a subject, so that the next guess is let through at once.
    /// - Returns: whether there was anything.
    @discardableResult
    public func clear(_ subject: ThrottleSubject) async throws -> Bool {
        let isCleared = try await storage.deleteThrottle(subject)
        if isCleared { AuthEvent.throttleCleared(subject).record() }
        return isCleared
    }
}

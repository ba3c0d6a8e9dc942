import Crypto
import Foundation

/// Who somebody says to be, and from where.
package struct Guess: Sendable {
    /// `nil` for what could be no name.
    let name: Username?
    let caller: Caller

    package init(name: Username?, by caller: Caller) {
        self.name = name
        self.caller = caller
    }

    /// `nil` when nobody knows.
    var network: ClientNetwork? { caller.network }

    /// All that could stand in its way.
    var subjects: [ThrottleSubject] {
        [name.map(ThrottleSubject.account), name.flatMap { name in network.map { .account(name, from: $0) } }]
            .compactMap { $0 } + (network?.blocks.map(ThrottleSubject.network) ?? [])
    }
}

/// A guess that may be tried.
package struct AdmittedGuess: Sendable {
    let guess: Guess
    /// When the user last signed in from there, to within a day; `nil` for never.
    let knownSince: Date?

    init(_ guess: Guess, knownSince: Date?) {
        self.guess = guess
        self.knownSince = knownSince
    }

    var isFromKnownOrigin: Bool { knownSince != nil }

    /// What it is counted by when it is wrong, in the order in which it is taken: the account, then
    /// the network and the blocks that it lies in. So of no two guesses each waits for the other,
    /// and who has used up a small network takes nothing of the large one.
    func sortedLimits(_ configuration: ThrottleConfiguration) -> [(ThrottleSubject, ThrottleLimit)] {
        var limits: [(ThrottleSubject, ThrottleLimit)] = []
        if let name = guess.name {
            if isFromKnownOrigin, let network = guess.network {
                limits.append((.account(name, from: network), configuration.account))
            } else {
                limits.append((.account(name), configuration.account))
            }
        }
        for block in guess.network?.blocks ?? [] {
            limits.append((.network(block), configuration.network.times(block.allowanceFactor)))
        }
        return limits
    }

    func limits(_ configuration: ThrottleConfiguration) -> [ThrottleSubject: ThrottleLimit] {
        Dictionary(uniqueKeysWithValues: sortedLimits(configuration))
    }

    /// What is counted when it is wrong, in the order in which it is.
    func tallies(_ configuration: ThrottleConfiguration) -> [Tally] {
        sortedLimits(configuration).map { Tally(subject: $0, limit: $1, other: other(of: $0)) }
    }

    /// From where the user has signed in before, what others did is no obstacle: only guesses at
    /// this user from there are.
    func isHeldUp(by subject: ThrottleSubject) -> Bool { (subject.kind == .known) == isFromKnownOrigin }

    /// A digest of the account for a network, of the network for an account.
    func other(of subject: ThrottleSubject) -> UInt32? {
        let other: String? =
            switch subject.kind {
            case .account: guess.network?.description
            // Of a provider's customers some are wrong all the time.
            case .network: subject.network?.isProvider == true ? nil : guess.name?.canonical
            default: nil
            }
        return other.map { SHA256.hash(data: Data($0.utf8)).prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }
    }

    /// Whether a right password ends the series. From where the user signs in all the time it does
    /// not end the series of others: they would begin anew each time. But nobody stays locked out
    /// who is there.
    func isForgotten(_ counter: ThrottleCounter, _ configuration: ThrottleConfiguration, at now: Date) -> Bool {
        switch counter.subject.kind {
        case .known: isFromKnownOrigin
        case .account: !isFromKnownOrigin || configuration.account.blockedUntil(counter, at: now) == .distantFuture
        default: false
        }
    }
}

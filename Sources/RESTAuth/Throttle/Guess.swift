import Crypto
import Foundation

/// A user name and the network from which a password or a code for it comes, before that is
/// compared.
package struct Guess: Sendable {
    /// The user name; `nil` when the text can be no user name.
    let name: Username?
    let caller: Caller
    /// The counter of the factor that a code is for; `nil` for a password, and for a text of which
    /// no factor has the form.
    let factor: ThrottleSubject?
    /// The counter of the trusted devices from one of which a password comes. It alone counts the
    /// guess.
    let device: ThrottleSubject?

    package init(
        name: Username?, by caller: Caller, at factor: ThrottleSubject? = nil, on device: ThrottleSubject? = nil
    ) {
        self.name = name
        self.caller = caller
        self.factor = factor
        self.device = device
    }

    /// The network; `nil` when the address is not known.
    var network: ClientNetwork? { caller.network }

    /// The subjects whose counters can refuse the guess.
    var subjects: [ThrottleSubject] {
        if let device { return [device] }
        return [name.map { .account($0) }, name.flatMap { name in network.map { .account(name, from: $0) } }, factor]
            .compactMap { $0 } + (network?.blocks.map { .network($0) } ?? [])
    }
}

/// A guess whose password or code may be compared.
package struct AdmittedGuess: Sendable {
    let guess: Guess
    /// The time of the last sign-in of the user from that network, to within a day; `nil` for
    /// never.
    let knownSince: Date?

    init(_ guess: Guess, knownSince: Date?) {
        self.guess = guess
        self.knownSince = knownSince
    }

    var isFromKnownOrigin: Bool { knownSince != nil }

    /// Whether guesses from elsewhere never hold it up: from a network where the user has signed in
    /// before, and on a trusted device wherever it is.
    var isFavoured: Bool { isFromKnownOrigin || guess.device != nil }

    /// The limits that count the guess when it is wrong, in the order in which they are counted:
    /// the account, the factor, then the network and the larger blocks. The order is fixed, so that
    /// no two guesses wait for each other, and a guess that is refused in a small network is not
    /// counted in the larger ones.
    func sortedLimits(_ configuration: ThrottleConfiguration) -> [(ThrottleSubject, ThrottleLimit)] {
        if let device = guess.device { return [(device, configuration.account)] }
        var limits: [(ThrottleSubject, ThrottleLimit)] = []
        if let name = guess.name {
            if isFromKnownOrigin, let network = guess.network {
                limits.append((.account(name, from: network), configuration.account))
            } else {
                limits.append((.account(name), configuration.account))
            }
        }
        if let factor = guess.factor { limits.append((factor, configuration.factor)) }
        for block in guess.network?.blocks ?? [] {
            limits.append((.network(block), configuration.network.times(block.allowanceFactor)))
        }
        return limits
    }

    func limits(_ configuration: ThrottleConfiguration) -> [ThrottleSubject: ThrottleLimit] {
        Dictionary(uniqueKeysWithValues: sortedLimits(configuration))
    }

    /// The counters that a wrong guess changes, in the order of ``sortedLimits(_:)``.
    func tallies(_ configuration: ThrottleConfiguration) -> [Tally] {
        sortedLimits(configuration).map { Tally(subject: $0, limit: $1, other: other(of: $0)) }
    }

    /// Whether the failures of a subject can refuse this guess. A guess from a network where the
    /// user has signed in before is refused only because of guesses at the same user from that
    /// network, and one on a trusted device only because of those on the user's trusted devices,
    /// whatever others have done.
    func isHeldUp(by subject: ThrottleSubject) -> Bool {
        switch subject {
        case .device: true
        case .known: isFromKnownOrigin
        case .account, .confirmation, .hashing, .network, .oneTimeCode, .recoveryCode, .registrations: !isFavoured
        }
    }

    /// A digest of the network when an account is counted, and of the account when a network is.
    func other(of subject: ThrottleSubject) -> UInt32? {
        let other: String? =
            switch subject {
            case .account: guess.network?.description
            // Among all customers of a provider there are always wrong passwords for many accounts.
            case .network(let network): network.isProvider ? nil : guess.name?.canonical
            case .confirmation, .device, .hashing, .known, .oneTimeCode, .recoveryCode, .registrations: nil
            }
        return other.map { SHA256.hash(data: Data($0.utf8)).prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }
    }

    /// Whether a complete sign-in resets a counter. The counter of the factor that was given is, as
    /// no wrong code is in a row with a right one. A sign-in from a known network does not reset
    /// the counter of guesses from elsewhere, or attackers would start over each time; it does when
    /// that counter would block for good.
    func isForgotten(_ counter: ThrottleCounter, _ configuration: ThrottleConfiguration, at now: Date) -> Bool {
        switch counter.subject {
        case .device, .oneTimeCode, .recoveryCode: true
        case .known: isFromKnownOrigin
        case .account: !isFromKnownOrigin || configuration.account.blockedUntil(counter, at: now) == .distantFuture
        case .confirmation, .hashing, .network, .registrations: false
        }
    }
}

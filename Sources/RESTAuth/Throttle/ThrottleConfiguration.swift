import Foundation

/// The limits of wrong passwords, registrations, sessions and look-ups.
public struct ThrottleConfiguration: Sendable, Hashable {
    /// Whether guesses and registrations are counted at all.
    public var isOn = true

    /// Wrong passwords for one account before the next has to wait: 30 seconds, then twice as long
    /// each time, up to an hour. After ``longestSeries`` in a row, sign-ins are refused from
    /// networks where the user has not signed in before (NIST SP 800-63B-4 section 3.2.2).
    public var accountFailures = 10

    /// Wrong passwords from one network before the next has to wait: a second, then twice as long
    /// each time, up to an hour. One is forgiven every ten minutes, because many share a network.
    /// The larger blocks of IPv6 have 4 times (/48) and 16 times (/32) as many, and are forgiven as
    /// many times as fast.
    public var networkFailures = 30

    /// Registrations an hour from one network, 4 and 16 times as many from the larger blocks of
    /// IPv6; `nil` for no limit.
    public var registrationsPerHour: Int? = 500

    /// Sessions an hour that one user may start, at most ``sessionsAtOnce`` of them at once,
    /// counted by each process; `nil` for no limit. All users of a network may start
    /// ``sessionsOfNetwork`` times as many, at most ``sessionsOfNetworkAtOnce`` at once, and those
    /// of the larger blocks of IPv6 4 and 16 times as many as that.
    public var sessionsPerHour: Int? = 3600

    /// Different users that one network may look up by id in an hour, a thousand of them at once;
    /// `nil` for no limit.
    public var userLookupsPerHour: Int? = 3600

    /// Milliseconds of hashing a second that all wrong passwords together may cost. Beyond it, only
    /// sign-ins from networks where the user has signed in before are admitted. Up to a minute of
    /// unspent budget can be spent at once.
    public var hashingBudget = 1000

    /// Wrong passwords for one account in a row, after which every further one is refused until the
    /// series is ended.
    public static let longestSeries = 100

    /// Wrong codes of one user's authenticator apps, or recovery codes, before the next has to
    /// wait: 30 seconds, then twice as long each time, up to an hour.
    public static let factorFailures = 5

    package static let accountFailureCounts = 1...longestSeries
    /// Range of the failures of a network, of the numbers per hour, and of the hashing budget in
    /// milliseconds.
    package static let counts = 1...1_000_000

    /// The most sessions that one user may start at once.
    public static let sessionsAtOnce = 600
    /// The factor by which all users of a network may start more sessions than one user.
    public static let sessionsOfNetwork = 20
    /// The most sessions that all users of a network may start at once.
    public static let sessionsOfNetworkAtOnce = 10_000

    public init() {}

    package var account: ThrottleLimit {
        ThrottleLimit(
            allowance: accountFailures, delay: .doubling(from: 30, to: 3600), forgiveness: nil,
            end: max(Self.longestSeries, accountFailures), memory: 7 * 86400)
    }

    package var factor: ThrottleLimit {
        ThrottleLimit(
            allowance: Self.factorFailures, delay: .doubling(from: 30, to: 3600), forgiveness: nil, memory: 7 * 86400)
    }

    package var network: ThrottleLimit {
        ThrottleLimit(allowance: networkFailures, delay: .doubling(from: 1, to: 3600), forgiveness: 600, memory: 86400)
    }

    package func registrations(perHour count: Int) -> ThrottleLimit {
        ThrottleLimit(allowance: count, delay: .untilForgiven, forgiveness: 3600 / TimeInterval(count), memory: 3600)
    }

    /// The limit of a subject; `nil` for one that is not limited.
    func limit(of subject: ThrottleSubject) -> ThrottleLimit? {
        let limit: ThrottleLimit? =
            switch subject {
            case .account, .known, .confirmation, .device: account
            case .hashing: hashing
            case .network: network
            case .oneTimeCode, .recoveryCode: factor
            case .registrations: registrationsPerHour.map(registrations(perHour:))
            }
        return limit?.times(subject.network?.allowanceFactor ?? 1)
    }

    package var hashing: ThrottleLimit {
        ThrottleLimit(
            allowance: 60 * hashingBudget, delay: .untilForgiven, forgiveness: 1 / TimeInterval(hashingBudget),
            memory: 3600, isDone: true)
    }

    func validate() throws(AuthError) {
        try AuthConfiguration.require(accountFailures, in: Self.accountFailureCounts, "account failures")
        try AuthConfiguration.require(networkFailures, in: Self.counts, "network failures")
        try AuthConfiguration.require(registrationsPerHour ?? 1, in: Self.counts, "registrations an hour")
        try AuthConfiguration.require(sessionsPerHour ?? 1, in: Self.counts, "sessions an hour")
        try AuthConfiguration.require(userLookupsPerHour ?? 1, in: Self.counts, "user lookups an hour")
        try AuthConfiguration.require(hashingBudget, in: Self.counts, "hashing budget")
    }
}

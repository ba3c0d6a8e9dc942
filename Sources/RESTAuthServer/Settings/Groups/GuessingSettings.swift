import RESTAuth

struct GuessingSettings: SettingGroup {
    static let title = "Guessing"

    let isOn = Setting(
        "throttle", \.auth.throttle.isOn, .flag,
        "Limit wrong passwords, registrations, sessions and look-ups of users.",
        details: "With `no`, none of these is counted or limited.")
    let accountFailures = Setting(
        "account_failures", \.auth.throttle.accountFailures, .count(in: ThrottleConfiguration.accountFailureCounts),
        "Wrong passwords for one account before the next attempt has to wait.",
        details: "The wait is 30 seconds at first, then twice as long each time, up to an hour.")
    let networkFailures = Setting(
        "network_failures", \.auth.throttle.networkFailures, .count(in: ThrottleConfiguration.counts),
        "Wrong passwords from one network before the next attempt has to wait.",
        details: """
            The wait is a second at first, then twice as long each time, up to an hour. A network is an IPv4 /24 or an \
            IPv6 /56. An IPv6 /48 has 4 times this limit, and a /32 has 16 times.
            """)
    let registrationsPerHour = Setting(
        "registrations_per_hour", \.auth.throttle.registrationsPerHour, .perHour,
        "Registrations per hour from one network; none for no limit.",
        details: """
            All of them may come at once. A network is an IPv4 /24 or an IPv6 /56. An IPv6 /48 has 4 times this limit, \
            and a /32 has 16 times.
            """)
    let sessionsPerHour = Setting(
        "sessions_per_hour", \.auth.throttle.sessionsPerHour, .perHour,
        "Sessions that one user may start per hour; none for no limit.",
        details: """
            Sessions that are started with a password count, and each node counts for itself. A user may start at most \
            600 at once. All users of a network together may start 20 times as many per hour, and at most 10,000 at \
            once.
            """)
    let hashingBudget = Setting(
        "hashing_budget", \.auth.throttle.hashingBudget,
        .duration(in: ThrottleConfiguration.counts, .milliseconds),
        "Time per second that all wrong passwords together may take to hash.",
        details: """
            The sum over all nodes. What the last minute left over may be used at once. Beyond that, users can sign in \
            only from networks where they have signed in before. Each node reads the sum once a second and still \
            hashes what is queued by then, so the limit may be exceeded for a moment.
            """)
    let userLookupsPerHour = Setting(
        "user_lookups_per_hour", \.auth.throttle.userLookupsPerHour, .perHour,
        "Different users that one network may look up by ID per hour; none for no limit.",
        details: "At most 1,000 of them at once. Each node counts for itself.")
}

extension Setting {
    static let guessing = GuessingSettings()
}

extension SettingType<Int?> {
    /// `nil` for no limit.
    fileprivate static let perHour = SettingType<Int>.count(in: ThrottleConfiguration.counts).or("none")
}

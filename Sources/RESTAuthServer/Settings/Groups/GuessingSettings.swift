import RESTAuth

struct GuessingSettings: SettingGroup {
    static let title = "Guessing"

    let isOn = Setting(
        "throttle", \.auth.throttle.isOn, .flag, "Make guesses wait after too many wrong passwords.",
        details: "With `no`, nothing is counted: wrong passwords, registrations and sessions.")
    let accountFailures = Setting(
        "account_failures", \.auth.throttle.accountFailures, .count(in: ThrottleConfiguration.accountFailureCounts),
        "Wrong passwords for one account before the next has to wait.")
    let networkFailures = Setting(
        "network_failures", \.auth.throttle.networkFailures, .count(in: ThrottleConfiguration.counts),
        "Wrong passwords from one network before the next has to wait.",
        details: """
            A network is an IPv4 /24 or an IPv6 /56; 4 times as many may come from an IPv6 /48 and 16 times as many \
            from a /32.
            """)
    let registrationsPerHour = Setting(
        "registrations_per_hour", \.auth.throttle.registrationsPerHour, .perHour,
        "Registrations an hour from one network; none for no limit.",
        details: "4 and 16 times as many from an IPv6 /48 and /32; as many may come at once.")
    let sessionsPerHour = Setting(
        "sessions_per_hour", \.auth.throttle.sessionsPerHour, .perHour,
        "Sessions that a user may start an hour; none for no limit.",
        details: """
            With the password, on each node, and at most 600 of them at once. All users of a network may start 20 \
            times as many, at most 10,000 at once.
            """)
    let hashingBudget = Setting(
        "hashing_budget", \.auth.throttle.hashingBudget,
        .duration(in: ThrottleConfiguration.counts, .milliseconds),
        "How long wrong passwords may be hashed in all, a second.",
        details: "Of all nodes together, exact but for a second and what is queued.")
    let userLookupsPerHour = Setting(
        "user_lookups_per_hour", \.auth.throttle.userLookupsPerHour, .perHour,
        "Different users that one network may look up by number in an hour; none for no limit.",
        details: "A thousand of them at once; each node counts for itself.")
}

extension Setting {
    static let guessing = GuessingSettings()
}

extension SettingType<Int?> {
    /// `nil` for no limit.
    fileprivate static let perHour = SettingType<Int>.count(in: ThrottleConfiguration.counts).or("none")
}

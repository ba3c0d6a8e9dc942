import PasswordHashing
import RESTAuth

struct RegistrationSettings: SettingGroup {
    static let title = "Registration"

    let mode = Setting(
        "registration", \.auth.registration, .choice, "Who may register over HTTP.",
        details: """
            `open`: anyone. `invitation`: anyone with a code from `rest-auth invitations create`. `closed`: nobody. \
            `rest-auth users add` works in each case.
            """)
    let challenge = Setting(
        "registration_challenge", \.auth.registrationChallenge,
        SettingType.count(in: AuthConfiguration.registrationChallenges, of: "bits").or("off", "no", "false"),
        "Proof of work to register, in leading zero bits of a hash; 20 is a million hashes.",
        details: """
            The client has to find a SHA-256 hash that begins with this many zero bits. 16 bits take 65,536 hashes on \
            average; each further bit doubles the work.
            """)
}

struct PasswordSettings: SettingGroup {
    static let title = "Passwords"

    let policy = Setting(
        "password_policy", \.auth.passwordPolicy, .choice, "Rules for new passwords.",
        details: """
            `open`: not empty. `nist`: at least 15 characters, not a common password, and without the user name.
            """)
    let breached = Setting(
        "breached_passwords", \.breachedPasswords, SettingType.file.or("none"),
        "File of breached passwords, made by passwords filter; policy nist refuses them.",
        details: "The file is read again on SIGHUP.")
}

struct HashingSettings: SettingGroup {
    static let title = "Password hashing"

    let memory = Setting(
        "password_memory", \.auth.passwordCost.memory, .size(in: Argon2id.memoryRange, .kibibytes),
        "Memory of Argon2id for a new hash; the default is the minimum.")
    let passes = Setting(
        "password_passes", \.auth.passwordCost.passes, .count(in: Argon2id.passesRange),
        "Passes of Argon2id for a new hash; the default is the minimum.")
}

struct HashingQueueSettings: SettingGroup {
    static let title = "Queue of password hashing"

    let threads = Setting(
        "hashing_threads", \.auth.hashingThreads, .count(in: AuthConfiguration.hashingThreadCounts),
        standard: "one for each core",
        "How many passwords are hashed at the same time.",
        details: "Each of them takes `password_memory`.")
    let queue = Setting(
        "hashing_queue", \.auth.hashingQueue, .count(in: AuthConfiguration.hashingQueues),
        "How many passwords may wait to be hashed.",
        details: "Any more are answered with 503.")
    let patience = Setting(
        "hashing_patience", \.auth.hashingPatience, .duration(in: AuthConfiguration.hashingPatiences),
        "How long a password may wait to be hashed.",
        details: "After that, the request is answered with 503.")
}

struct ImportedUserSettings: SettingGroup {
    static let title = "Imported users"

    let memoryLimit = Setting(
        "password_hash_memory_limit", \.auth.passwordHashLimit.memoryKiB, .size(in: 1...(4 << 20), .kibibytes),
        "Most memory that checking an imported password hash may take.",
        details: "A user whose hash takes more cannot sign in.")
    let timeLimit = Setting(
        "password_hash_time_limit", \.auth.passwordHashLimit.milliseconds, .duration(in: 1...60_000, .milliseconds),
        "Most time that checking an imported password hash may take.",
        details: "A user whose hash takes more cannot sign in.")
    let pepper = Setting(
        "password_pepper", \.auth.passwordPepper, .pepper, standard: "unset", isSecret: true,
        "The pepper that users were imported with (`users import --pepper`).",
        details: "It is needed until each of these users has signed in once.")
    let legacySecret = Setting(
        "legacy_secret", \.auth.legacySecret, .legacySecret, standard: "unset", isSecret: true,
        "The `SECRET_KEY` of a Flask server whose users were imported.",
        details: "The tokens of that server are accepted until they expire.")
}

extension Setting {
    static let registration = RegistrationSettings()
    static let passwords = PasswordSettings()
    static let hashing = HashingSettings()
    static let hashingQueue = HashingQueueSettings()
    static let importedUsers = ImportedUserSettings()
}

extension SettingType<PasswordPepper> {
    fileprivate static let pepper = SettingType(
        placeholder: "pepper", range: "a text of at most \(PasswordPepper.maximumBytes) bytes",
        text: { _ in "(secret)" }
    ) { found throws(AuthError) in
        let pepper: PasswordPepper?
        do throws(PasswordHashingError) {
            pepper = try PasswordPepper(Array(found.value.utf8))
        } catch {
            throw AuthError(.misconfigured, "\(found.place) cannot be used: \(error)")
        }
        guard let pepper else {
            throw AuthError(.misconfigured, "\(found.place) is longer than \(PasswordPepper.maximumBytes) bytes")
        }
        return pepper
    }
}

extension SettingType<LegacySecret> {
    fileprivate static let legacySecret = SettingType(
        placeholder: "secret", range: "the key that the Flask server signs with", text: { _ in "(secret)" }
    ) { found throws(AuthError) in
        try found.explaining { () throws(AuthError) in try LegacySecret(found.value) }
    }
}

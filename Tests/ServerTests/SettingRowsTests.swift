import Foundation
import RESTAuthServer
import Support
import Testing

/// Tests of everything that is made from the rows of settings: each is read from every source into
/// its own field, and belongs to the right group.
@Suite struct SettingRowsTests {
    private static let secret = "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"
    private static let other = "q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO"

    /// A valid value that is not the default, and other settings that it needs.
    private static func sample(_ setting: Setting) throws -> (value: String, beside: [String: String]) {
        switch setting.name {
        case "hostname", "metrics_hostname": return ("127.0.0.2", [:])
        case "socket_mode": return ("0600", [:])
        case "socket_group": return ("7", [:])
        case "tls_certificate", "tls_key":
            return ("new.pem", ["tls_certificate": "chain.pem", "tls_key": "key.pem"])
        case "database_url": return ("sqlite:other.sqlite", [:])
        case "database_schema": return ("auth", [:])
        case "database_pooler": return ("yes", [:])
        case "secret_key": return (secret, [:])
        case "secret_key_next", "secret_key_previous": return (other, ["secret_key": secret])
        case "legacy_secret": return ("kP7vXq2LmZ9dRt4W", [:])
        case "password_pepper": return ("salt and pepper", [:])
        case "public_url": return ("https://auth.example.com", [:])
        case "trusted_proxies": return ("192.0.2.1", [:])
        case "cors_origins": return ("https://app.example.com", [:])
        case "token_audience": return ("api", [:])
        case "personal_token_lifetime": return ("3650d", ["personal_token_maximum_lifetime": "none"])
        case "password_link_url": return ("https://example.com/password", [:])
        case "token_claims": return ("plan,tenant", [:])
        case "second_factor_roles": return ("admin,auditor", [:])
        case "totp_issuer": return ("Example", [:])
        case "webauthn_rp_id": return ("localhost", [:])
        case "webauthn_rp_name": return ("Example", [:])
        case "webauthn_origins": return ("http://localhost:8080", [:])
        case "webauthn_top_origins": return ("https://shop.example", [:])
        case "refresh_token_in_body": return ("no", ["refresh_token_in_cookie": "yes"])
        default: return (try derived(setting), [:])
        }
    }

    /// A value derived from the row's range.
    private static func derived(_ setting: Setting) throws -> String {
        let standard = setting.standard.lowercased()
        if setting.range.hasPrefix("the path of a file") { return "some/file" }
        if setting.range == "yes or no" { return standard == "yes" ? "no" : "yes" }
        if let words = setting.range.firstMatch(of: /^one of (.*)$/) {
            let known = standard.split { " ;".contains($0) }
            return try #require(
                words.output.1.split(separator: ", ").map(String.init).first { !known.contains($0.lowercased()[...]) })
        }
        let bounds = try #require(setting.range.firstMatch(of: /from (\w+) to (\w+)/), "\(setting.name) needs a sample")
        return String(bounds.output.2)
    }

    private static func settings(
        flags: [Setting: String] = [:], environment: [String: String] = [:], file: String? = nil
    ) throws -> Settings {
        try Settings(SettingsSource(flags: flags, environment: environment, file: file))
    }

    private static func variables(_ values: [String: String]) -> [String: String] {
        .init(uniqueKeysWithValues: values.map { ("REST_AUTH_" + $0.key.uppercased(), $0.value) })
    }

    // MARK: Reading

    @Test(arguments: Setting.all)
    func aRowIsReadFromEverywhereIntoItsFieldAndNoOther(setting: Setting) throws {
        let (value, beside) = try Self.sample(setting)
        let before = try Self.settings(environment: Self.variables(beside))
        var sources = [
            try Self.settings(flags: [setting: value], environment: Self.variables(beside)),
            try Self.settings(environment: Self.variables(beside.merging([setting.name: value]) { $1 })),
        ]
        let directory = try TemporaryDirectory()
        func write(_ text: String, to name: String) throws -> String {
            let path = "\(directory.path)/\(name)"
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            chmod(path, 0o600)
            return path
        }
        let lines = beside.merging([setting.name: value]) { $1 }.map { "\($0.key): \"\($0.value)\"\n" }.joined()
        sources.append(try Self.settings(file: write(lines, to: "settings.yaml")))
        if let name = setting.platformName {
            sources.append(
                try Self.settings(environment: Self.variables(beside).merging([name: value]) { $1 }))
        }
        if setting.isAlsoReadFromFile {
            let path = try write(value, to: "value")
            sources.append(
                try Self.settings(
                    environment: Self.variables(beside).merging(["\(setting.environmentName)_FILE": path]) { $1 }))
        }
        for settings in sources {
            if !setting.isSecret {
                #expect(setting.text(in: settings) != setting.text(in: before))
                #expect(setting.text(in: settings).lowercased() == value.lowercased())
            } else {
                #expect(setting.text(in: settings) == "(secret)")
                #expect(setting.text(in: before) == "none")
            }
            for another in Setting.all where another != setting {
                #expect(another.text(in: settings) == another.text(in: before), "\(another.name)")
            }
        }
    }

    /// A default that the page shows as a value is a valid value.
    @Test(arguments: Setting.all) func aDefaultThatIsAValueIsOne(setting: Setting) throws {
        let standard = setting.standard
        guard standard == setting.text(in: .standard) else { return }
        let settings = try Self.settings(flags: [setting: standard])
        #expect(setting.text(in: settings) == standard)
    }

    /// A setting whose help gives the default `none` takes `none` as a value, which also overrides
    /// another source.
    @Test(arguments: Setting.all.filter { $0.standard == "none" }, ["none", "None"])
    func noneIsTakenWhereItIsTheDefault(setting: Setting, word: String) throws {
        let (value, beside) = try Self.sample(setting)
        let environment = Self.variables(beside.merging([setting.name: value]) { $1 })
        var flags = Dictionary(uniqueKeysWithValues: Setting.all.filter { beside[$0.name] != nil }.map { ($0, "none") })
        flags[setting] = word
        let settings = try Self.settings(flags: flags, environment: environment)
        #expect(setting.text(in: settings) == "none")
        #expect(setting.range.hasSuffix(", or none"))
    }

    /// An empty variable counts as not set; an empty flag or line of the file is refused.
    @Test(arguments: Setting.all.filter { $0.range.hasPrefix("the path") || $0.range.hasPrefix("the name") })
    func anEmptyTextIsRefused(setting: Setting) throws {
        let directory = try TemporaryDirectory()
        let file = "\(directory.path)/settings.yaml"
        try "\(setting.name):\n".write(toFile: file, atomically: true, encoding: .utf8)
        for make in [{ try Self.settings(flags: [setting: ""]) }, { try Self.settings(file: file) }] {
            let error = try #require(throws: (any Error).self) { try make() }
            #expect("\(error)".contains(" is \"\" and must be \(setting.range)"), "\(error)")
        }
        _ = try Self.settings(environment: [setting.environmentName: ""])
    }

    // MARK: Refusing

    @Test(arguments: Setting.all) func whatIsOutsideOfARangeIsRefusedByNamePlaceAndRange(setting: Setting) throws {
        guard let bounds = setting.range.firstMatch(of: /from (\w+) to (\w+)/)?.output else { return }
        let highest = try #require(bounds.2.firstMatch(of: /(\d+)(\D*)$/)?.output)
        let tooMuch = "\(bounds.2.dropLast(highest.0.count))\(try #require(Int(highest.1)) + 1)\(highest.2)"
        for value in [tooMuch, "99999999999999999999", "-1", "1.5", "many", "", " ", "1 s", "١"] {
            let error = try #require(throws: (any Error).self) { try Self.settings(flags: [setting: value]) }
            let text = "\(error)"
            #expect(text.contains("\(setting.flag) is \"\(value)\" and must be \(setting.range)"), "\(text)")
        }
        let error = try #require(throws: (any Error).self) {
            try Self.settings(environment: [setting.environmentName: tooMuch])
        }
        #expect("\(error)".contains("\(setting.environmentName) is \"\(tooMuch)\" and must be "), "\(error)")
    }

    // MARK: Naming

    @Test func noTwoSettingsHaveOneName() {
        for names in [Setting.all.map(\.name), Setting.all.map(\.flag), Setting.all.compactMap(\.platformName)] {
            #expect(Set(names).count == names.count)
        }
        for setting in Setting.all { #expect(setting.name.wholeMatch(of: /[a-z0-9_]+/) != nil) }
    }

    @Test func everyMeaningIsASentence() {
        for setting in Setting.all {
            for text in [setting.meaning, setting.details] where !text.isEmpty {
                #expect(text.hasSuffix(".") && text.first != " ", "\(setting.name): \(text)")
            }
        }
    }

    // MARK: Commands

    /// Every command of the program, with the flags of settings among its arguments.
    private func commands() async throws -> [String: [String]] {
        let dump = try await runCommand(["--experimental-dump-help"], directory: TemporaryDirectory()).output
        let root = try #require(JSONSerialization.jsonObject(with: Data(dump.utf8)) as? [String: Any])
        let flags = Set(Setting.all.map(\.flag))
        var found: [String: [String]] = [:]
        var rest = [("", try #require(root["command"] as? [String: Any]))]
        while let (path, command) = rest.popLast() {
            let arguments = command["arguments"] as? [[String: Any]] ?? []
            let names = arguments.flatMap { $0["names"] as? [[String: Any]] ?? [] }.map { "--\($0["name"] ?? "")" }
            found[path] = names.filter(flags.contains)
            rest += (command["subcommands"] as? [[String: Any]] ?? []).map {
                ("\(path) \($0["commandName"] ?? "")".trimmingCharacters(in: .whitespaces), $0)
            }
        }
        return found
    }

    private static let database = ["--database"]
    private static let postgres = ["--database-schema", "--database-timeout", "--database-pooler"]
    private static let core = database + postgres + ["--secret-key-file"]
    private static let log = ["--log-level", "--log-format"]
    private static let keys = ["--signing-algorithm", "--key-rotation"]
    private static let profiles = ["--username-reservation", "--token-claims", "--sign-in-by-email"]
    private static let hashing = ["--password-memory", "--password-passes"]
    private static let guessing = [
        "--throttle", "--account-failures", "--network-failures", "--registrations-per-hour", "--sessions-per-hour",
        "--hashing-budget", "--user-lookups-per-hour",
    ]

    @Test func aCommandHasFlagsForTheSettingsThatConcernItAndNoOthers() async throws {
        let new = ["--password-policy", "--breached-passwords"] + Self.hashing
        let imports = Self.profiles + Self.hashing + ["--password-hash-memory-limit", "--password-hash-time-limit"]
        let expected: [String: [String]] = [
            "users add": Self.core + Self.profiles + new + Self.log, "users set-password": Self.core + new + Self.log,
            "users set": Self.core + Self.profiles + Self.log, "users rename": Self.core + Self.profiles + Self.log,
            "users link": Self.core + ["--password-link-url"] + Self.log,
            "users import": Self.core + imports + Self.log, "users list": Self.core + Self.log,
            "users export": Self.core + Self.log, "invitations create": Self.core + Self.log,
            "sessions list": Self.core + Self.log, "clients add": Self.core + Self.log,
            "keys rotate": Self.core + Self.keys + Self.log, "secret rotate": Self.core + Self.keys + Self.log,
            "secret drop": Self.core + Self.log, "throttle list": Self.core + Self.guessing + Self.log,
            "throttle clear": Self.core + Self.log, "backup": Self.database + ["--secret-key-file"],
            "restore": Self.database + ["--secret-key-file"], "schema apply": Self.database + Self.postgres,
            "health": ["--hostname", "--port", "--tls-certificate", "--tls-key"], "migrate": [],
            "passwords filter": [], "passwords check": [], "": [], "users": [],
        ]
        let commands = try await commands()
        for (command, flags) in expected { #expect(commands[command] == flags, "\(command)") }
        for command in ["serve", "config check", "doctor"] {
            #expect(commands[command] == Setting.all.filter { !$0.isSecret }.map(\.flag), "\(command)")
        }
        #expect(commands["config page"] == nil || commands["config page"] == [])
    }

    @Test func aFlagThatIsNoneOfTheCommandsIsRefused() async throws {
        let directory = try TemporaryDirectory()
        for arguments in [
            ["users", "list", "--port", "1"], ["users", "import", "--csv", "x", "--hostname", "::1"],
            ["health", "--database", "sqlite:x.sqlite"], ["serve", "--secret-key", Self.secret],
            ["serve", "--legacy-secret", Self.secret], ["serve", "--token_duration", "1"],
        ] {
            let outcome = try await runCommand(arguments, directory: directory)
            #expect(outcome.status == 64, "\(arguments)")
            #expect(outcome.error.contains("Unknown option"), "\(outcome.error)")
            #expect(!outcome.error.contains(Self.secret))
        }
        #expect(directory.contents.isEmpty)
    }

    /// A setting without a flag in a command still applies to it.
    @Test func whatACommandHasNoFlagForItReadsFromEnvironmentAndFile() async throws {
        let directory = try TemporaryDirectory()
        let outcome = try await runCommand(
            ["users", "list"], environment: ["REST_AUTH_PORT": "70000"], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("REST_AUTH_PORT is \"70000\""), "\(outcome.error)")
    }

    @Test func helpHasEveryFlagWithItsMeaningAndDefault() async throws {
        let help = try await runCommand(["serve", "--help"], directory: TemporaryDirectory()).output
        let words = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for setting in Setting.all where !setting.isSecret {
            let text = "\(setting.meaning) (default: \(setting.standard))"
            #expect(words.contains(text), "\(text)")
        }
    }
}

import Foundation
import Support
import Testing

/// The sources of settings, their precedence, and invalid settings.
@Suite struct SettingsTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func check(
        _ arguments: [String] = [], environment: [String: String] = [:], file: String? = nil
    ) async throws -> CommandOutcome {
        var arguments = ["config", "check"] + arguments
        if let file {
            try Data(file.utf8).write(to: URL(fileURLWithPath: directory.path + "/process-settings.yaml"))
            arguments += ["--config", "process-settings.yaml"]
        }
        return try await runCommand(arguments, environment: environment, directory: directory)
    }

    @Test func nothingIsGoodAndNothingIsMade() async throws {
        let outcome = try await check()
        #expect(outcome.status == 0)
        #expect(outcome.output == "The settings are good.\n")
        #expect(directory.contents.isEmpty)
    }

    @Test func aFlagWinsOverTheEnvironmentAndThatOverTheFile() async throws {
        let file = "token_duration: 1\nport: 1001\nhostname: 127.0.0.3\n"
        let environment = ["REST_AUTH_TOKEN_DURATION": "2", "REST_AUTH_PORT": "1002"]
        let outcome = try await check(["--token-duration", "3"], environment: environment, file: file)
        #expect(outcome.output.contains("token_duration = 3  (--token-duration)"))
        #expect(outcome.output.contains("port = 1002  (REST_AUTH_PORT)"))
        #expect(outcome.output.contains("hostname = 127.0.0.3  (hostname in process-settings.yaml)"))
    }

    @Test(arguments: [
        ("PORT", "8080", "port"), ("LOG_LEVEL", "debug", "log_level"),
        ("DATABASE_URL", "sqlite:x.sqlite", "database_url"),
    ])
    func thePlatformsNamesAreUnderstoodAndOursWin(name: String, value: String, setting: String) async throws {
        #expect(try await check(environment: [name: value]).output.contains("\(setting) = \(value)  (\(name))"))
        let both = try await check(environment: [name: "wrong", "REST_AUTH_" + name: value])
        #expect(both.output.contains("\(setting) = \(value)  (REST_AUTH_\(name))"))
    }

    @Test func theSecretKeyIsNeverPrinted() async throws {
        let key = "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"
        let outcome = try await check(environment: ["SECRET_KEY": key])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("secret_key = (secret)"))
        #expect(!(outcome.output + outcome.error).contains(key))
    }

    // MARK: Confidential values

    @Test(arguments: [
        "postgres://user@server:geheim@host/db", "postgres://auth:geheim@host/db", "postgres://auth:ge:geheim@host/db",
        "postgres://auth:ge@geheim@host/db", "postgres://auth:ge/geheim@host/db", "postgres://auth:ge?geheim@host/db",
        "postgres://auth:ge#geheim@host/db", "postgres://auth:geheim/host/db", "postgres://a@b@c:geheim@h/db",
        "postgres://host/db?user=auth&password=geheim", "postgres://host/db?user=a@b&PASSWORD=geheim",
        "postgres://host/db?user=auth&p%61ssword=geheim", "postgres://host/db?sslpassword=geheim",
        "postgres://auth@host/db?passwd=geheim", "postgres://host/db?user=auth&password=ab&geheim",
        "postgres://auth:pass@host/db#geheim", "postgres://auth%3Ageheim@host/db",
        "postgres://one:5432,two:geheim/db", "postgresql://auth:geheim@one:5432,two:5433/db",
    ])
    func aDatabasesPasswordIsNeverPrinted(url: String) async throws {
        let secret = ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "PGCONNECT_TIMEOUT": "2"]
        for environment in [["DATABASE_URL": url], [:]] {
            let outcome = try await check(
                environment: environment.merging(secret) { $1 }, file: "database_url: \"\(url)\"")
            #expect(outcome.output.contains("database_url = postgres"), "\(outcome.error)")
            #expect(!(outcome.output + outcome.error).contains("geheim"), "\(outcome.output)\(outcome.error)")
            #expect(outcome.status == 1)
        }
    }

    @Test(arguments: [
        "secret_key: 'geheim", "secret_key: [geheim", "secret_key: geheim: geheim", "legacy_secret: {geheim",
        "public_url: https://miguel:geheim@auth.example.com", "secret_key: geheim\n\tport: 1",
        "database_url: mysql://auth:geheim@host/db", "database_url: sqlite:postgres://auth:geheim@host/db",
    ])
    func whatCannotBeReadIsNotRepeated(file: String) async throws {
        let outcome = try await check(file: file)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: "))
        #expect(!(outcome.output + outcome.error).contains("geheim"), "\(outcome.output)\(outcome.error)")
    }

    @Test func aFileThatOthersCanReadIsSpokenOf() async throws {
        let server = try await RunningServer()
        let directory = server.directory
        let url = "sqlite:\(directory.path)/rest-auth.sqlite"
        try Data("token_duration: 600\ndatabase_url: \(url)\n".utf8).write(to: file("plain.yaml", in: directory))
        try Data("legacy_secret: kP7vXq2LmZ9dRt4W\ndatabase_url: \(url)\n".utf8)
            .write(to: file("secret.yaml", in: directory))
        chmod(directory.path + "/secret.yaml", 0o600)
        func check(_ name: String) async throws -> CommandOutcome {
            try await runCommand(["config", "check", "--config", name], directory: directory)
        }
        for name in ["plain.yaml", "secret.yaml"] {
            let outcome = try await check(name)
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(!outcome.output.contains("chmod"), "\(outcome.output)")
        }
        for mode: mode_t in [0o644, 0o604, 0o666] {
            chmod(directory.path + "/secret.yaml", mode)
            chmod(server.databasePath, mode)
            chmod(directory.path + "/plain.yaml", mode)
            let outcome = try await check("secret.yaml")
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(outcome.output.contains("chmod 600 secret.yaml"), "\(outcome.output)")
            #expect(outcome.output.contains("chmod 600 \(server.databasePath)"), "\(outcome.output)")
            #expect(try await !check("plain.yaml").output.contains("chmod 600 plain.yaml"))
        }
        #expect(try await server.stop() == 0)
        let again = try await RunningServer(directory: directory)
        try await wait(for: "the log to say so") { again.log.contains("chmod 600 \(server.databasePath)") }
    }

    /// Files like these are usual for a Kubernetes volume, or a service's own group.
    @Test func aFileForTheProcesssOwnGroupIsNot() async throws {
        try Data("legacy_secret: kP7vXq2LmZ9dRt4W\n".utf8).write(to: file("secret.yaml", in: directory))
        for mode: mode_t in [0o640, 0o660, 0o440] {
            chmod(directory.path + "/secret.yaml", mode)
            let outcome = try await check(["--config", "secret.yaml"])
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(!outcome.output.contains("warning"), "\(outcome.output)")
        }
    }

    private func file(_ name: String, in directory: TemporaryDirectory) -> URL {
        URL(fileURLWithPath: "\(directory.path)/\(name)")
    }

    // MARK: Refused by serve

    /// Flags, variables, and a part of the reason.
    private static let refused: [([String], [String: String], String)] = [
        (["--database", "postgres://auth@127.0.0.1:1/auth"], [:], "same secret"),
        (["--database", "postgres://auth@127.0.0.1:1/auth", "--secret-key-file", "nowhere"], [:], "nowhere"),
        (
            ["--database", "postgres://auth@127.0.0.1:1/auth"], ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"],
            "cannot be reached"
        ),
        (["--database", "sqlite:nowhere/rest-auth.sqlite"], [:], "nowhere/rest-auth.sqlite"),
        (["--hostname", "192.0.2.1"], [:], "192.0.2.1"), (["--hostname", "nobody.invalid"], [:], "nobody.invalid"),
        (["--database", "sqlite:foreign.sqlite"], [:], "foreign.sqlite"),
        (["--secret-key-file", "open.secret"], [:], "chmod 600 open.secret"),
        (["--secret-key-file", "weak.secret"], [:], "easy to guess"),
        (["--tls-certificate", "no.pem", "--tls-key", "no.pem"], [:], "no.pem"),
        (["--password-policy", "nist", "--breached-passwords", "no.filter"], [:], "no.filter"),
    ]

    @Test func whatServeRefusesIsNotGood() async throws {
        try Data("no database".utf8).write(to: file("foreign.sqlite", in: directory))
        try Data("nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo".utf8).write(to: file("open.secret", in: directory))
        chmod(directory.path + "/open.secret", 0o644)
        try Data(String(repeating: "12345678", count: 4).utf8).write(to: file("weak.secret", in: directory))
        chmod(directory.path + "/weak.secret", 0o600)
        let contents = directory.contents
        for (flags, environment, reason) in Self.refused {
            for command in [["config", "check"], ["serve", "--port", "0"]] {
                let outcome = try await runCommand(command + flags, environment: environment, directory: directory)
                #expect(outcome.status == 1, "\(command) \(flags)")
                #expect(outcome.error.contains(reason), "\(command) \(flags): \(outcome.error)")
                #expect(!outcome.output.contains("are good"))
            }
        }
        #expect(directory.contents.sorted() == contents.sorted())
    }

    @Test func anotherSecretThanTheDatabasesIsNotGood() async throws {
        let server = try await RunningServer()
        let flags = ["--database", "sqlite:\(server.databasePath)"]
        for (more, secret) in [
            ([], ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"]), (["--secret-key-file", "other.secret"], [:]),
            (["--secret-key-file", "nowhere/other.secret"], [:]),
        ] as [([String], [String: String])] {
            let outcome = try await runCommand(
                ["config", "check"] + flags + more, environment: secret, directory: server.directory)
            #expect(outcome.status == 1, "\(more) \(outcome.output)")
            #expect(outcome.error.contains("secret"))
        }
        #expect(!server.directory.contents.contains("other.secret"))
    }

    @Test func besideAServerTheSettingsAreGoodAndNothingIsMade() async throws {
        let server = try await RunningServer()
        let flags = ["--port", "\(server.port)", "--database", "sqlite:\(server.databasePath)"]
        let outcome = try await runCommand(["config", "check"] + flags, directory: server.directory)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.hasSuffix("The settings are good.\n"))
    }

    @Test func aFileMayBeYAMLOrJSONAndAListMayBeAList() async throws {
        let yaml = """
            cors_origins:
              - https://a.example
              - https://b.example
            trusted_proxies: 10.0.0.0/8,::1
            log_format: json # a comment

            """
        let outcome = try await check(file: yaml)
        #expect(outcome.output.contains("cors_origins = https://a.example,https://b.example"))
        #expect(outcome.output.contains("log_format = json"))
        let json = try await check(file: #"{"port": 8080, "password_policy": "nist"}"#)
        #expect(json.output.contains("password_policy = nist"))
        #expect(try await check(file: "").status == 0)
    }

    /// The first three go beyond the maximum, one of them by the default of 90 days.
    @Test(arguments: [
        ("personal_token_maximum_lifetime: 30d", "90d"), ("personal_token_lifetime: 366d", "366d"),
        ("personal_token_lifetime: 61s\npersonal_token_maximum_lifetime: 1m", "1m1s"),
        ("personal_token_lifetime: 1m\npersonal_token_maximum_lifetime: 1m", nil),
        ("personal_token_lifetime: 366d\npersonal_token_maximum_lifetime: none", nil),
    ])
    func theLifetimeOfPersonalTokensKeepsToTheirMaximum(file: String, refused: String?) async throws {
        let outcome = try await check(file: file)
        #expect(outcome.status == (refused == nil ? 0 : 1), "\(outcome.error)")
        guard let refused else { return }
        #expect(outcome.error.contains("personal_token_lifetime is \(refused), and personal_token_maximum_lifetime"))
        #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
    }

    @Test(arguments: [
        ("token_duraton: 600", "token_duration"), ("Port: 1", "port"), ("databse_url: x", "database_url"),
        ("cors_origin: x", "cors_origins"),
    ])
    func anUnknownKeyInTheFileNamesTheNearest(file: String, nearest: String) async throws {
        let outcome = try await check(file: file)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("did you mean \(nearest)?"))
    }

    /// Characters that have a special meaning in YAML.
    @Test(arguments: ["hostname: *", "hostname: ::", "hostname: %", "hostname: @x", "hostname: a: b"])
    func aValueThatNeedsQuotesSaysSo(file: String) async throws {
        let outcome = try await check(file: file)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("stands in quotes"), "\(outcome.error)")
        #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
    }

    @Test func whatHasNoFileOfItsOwnSaysWhichSettingsHave() async throws {
        let variable = try await check(environment: ["REST_AUTH_PORT_FILE": "port"])
        #expect(variable.status == 1)
        #expect(variable.error.contains("the environment has REST_AUTH_PORT_FILE, but only database_url, "))
        let line = try await check(file: "port_file: x")
        #expect(line.error.contains("has port_file, but only ") && line.error.contains("give port itself"))
    }

    @Test func anUnknownVariableOfOursNamesTheNearest() async throws {
        let outcome = try await check(environment: ["REST_AUTH_PASSWORD_POLCY": "nist"])
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("did you mean REST_AUTH_PASSWORD_POLICY?"))
    }

    @Test(arguments: [
        "port: 70000", "port: [1, 2]", "token_renewal: maybe", "- a\n- b", "a: b: c", "port: {a: 1}", "\u{0}",
        "cors_origins: [[a]]",
        "cors_origins: [{a: b}]",
    ])
    func aBadFileIsOneClearLine(file: String) async throws {
        let outcome = try await check(file: file)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: "))
    }

    @Test(arguments: [
        ("registration: closed\nregistration_challenge: off", "closed"),
        ("registration: Invitation\nregistration_challenge: 8", "Invitation"),
        ("registration: open\nregistration_challenge: 30", "open"),
    ])
    func whoMayRegisterIsSetInTheFile(file: String, mode: String) async throws {
        let outcome = try await check(file: file)
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("registration = \(mode)  "))
    }

    @Test(arguments: [
        ["--registration", "nobody"], ["--registration", ""], ["--registration-challenge", "7"],
        ["--registration-challenge", "31"], ["--registration-challenge", "on"],
        ["--registration-challenge", "20 bits"],
    ])
    func aModeOrAChallengeThatIsNoneIsRefused(flags: [String]) async throws {
        let outcome = try await check(flags)
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: \(flags[0]) is \"\(flags[1])\" and must be "))
    }

    // MARK: Server names

    @Test(arguments: [
        ("auth.example.com", "begins with https://"), ("ftp://a.example", "scheme is ftp"),
        ("localhost:5000", "https://"),
        ("https://a.example?x=1", "query"), ("https://a.example/#f", "fragment"), ("https://u:p@a.example", "user"),
        ("https://bücher.example", "xn--"), ("https://a.example/ü", "ASCII"), ("https://a.example:99999", "port"),
        ("https://a.example:", "port"), ("https://a b.example", "host"), ("https://a.example/a b", "\" \""),
        ("https://a.example/\"x", "character"), ("https://a.example/'<>", "character"),
        ("https://a.example/a\\b", "character"), ("https://a.example/auth;x", "\";\""),
        ("https://a.example/../x", ".."), ("https://a.example/%2e./x", ".."), ("https://a.example/.", "."),
        ("https://a.example/%zz", "%"), ("https://", "host"), ("https:///x", "host"),
    ])
    func aURLThatNobodyComesByIsRefusedWithItsReason(url: String, reason: String) async throws {
        let outcome = try await check(["--public-url", url])
        #expect(outcome.status == 1)
        let rule = "must be an http or https URL such as https://auth.example.com: "
        let advice = try #require(outcome.error.components(separatedBy: rule).last)
        #expect(advice != outcome.error)
        #expect(advice.contains(reason), "\(outcome.error)")
    }

    @Test(arguments: [
        "HTTPS://A.example", "http://[::1]:5000", "https://auth.example.com:8443/auth/", "http://auth_server:5000",
        "https://a.example/~a/b%20c(d)/e=f,g@h:i",
    ])
    func aURLIsOneWhateverItsCase(url: String) async throws {
        #expect(try await check(["--public-url", url]).status == 0)
    }

    @Test(arguments: [
        ("localhost", "127.0.0.1,::1"), ("loopback", "127.0.0.1,::1"), ("private_ranges", "172.16.0.0/12"),
        ("*", "the proxy's own"), ("127.0.0.1:8080", "alone: 127.0.0.1\n"), ("[::1]", "alone: ::1\n"),
        ("[fd00::1]:80", "alone: fd00::1\n"), ("10.0.0.1 10.0.0.2", "commas"),
        (#"["10.0.0.1","10.0.0.2"]"#, "quotes"),
        ("unix:/run/x.sock", "write unix: "), ("UNIX:", "write unix: "), ("unix", "write unix: "),
        ("10.0.0.0/255.0.0.0", "bits"), ("10.0.0.0/33", "bits"), ("::ffff:10.0.0.0/104", "bits"),
        ("nginx", "not looked up"), ("10.0.0", "no address"), ("0.0.0.0", "to listen on"), ("::", "to listen on"),
    ])
    func aProxyThatIsNoneIsRefusedWithWhatToWrite(proxy: String, advice: String) async throws {
        let outcome = try await check(["--trusted-proxies", "192.0.2.1,\(proxy)"])
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: --trusted-proxies has \""))
        #expect(outcome.error.contains(advice), "\(outcome.error)")
    }

    @Test(arguments: [#"["api"]"#, #"api,"b""#, "'api'x", "*", "api,*", "{api}", "[api]"])
    func anAudienceThatNoServiceIsCalledIsRefused(audience: String) async throws {
        let outcome = try await check(["--token-audience", audience])
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: --token-audience has "), "\(outcome.error)")
        #expect(outcome.error.contains("as api,https://notes.example.com"))
        #expect(try await check(["--token-audience", "api,https://[::1]:8080/a*b,urn:x:y"]).status == 0)
    }

    @Test(arguments: ["registrations-per-hour", "sessions-per-hour"], ["1", "1000000", "none", "None"])
    func soManyAnHourIsANumberOrNone(name: String, value: String) async throws {
        let setting = name.replacing("-", with: "_")
        let outcomes = [
            try await check(["--\(name)", value]),
            try await check(environment: ["REST_AUTH_\(setting.uppercased())": value]),
            try await check(file: "\(setting): \(value)"),
        ]
        for outcome in outcomes {
            #expect(outcome.status == 0)
            #expect(outcome.output.contains("\(setting) = \(value)  "))
        }
    }

    @Test(
        arguments: ["registrations-per-hour", "sessions-per-hour"], ["0", "-1", "1000001", "1.5", "", "many", "off"])
    func anotherRateIsRefused(name: String, value: String) async throws {
        let outcome = try await check(value.isEmpty ? ["--\(name)", ""] : ["--\(name)=\(value)"])
        #expect(outcome.status == 1)
        #expect(outcome.error.hasPrefix("rest-auth: --\(name) is \"\(value)\" and must be "))
    }

    @Test func theVersionIsPrinted() async throws {
        let outcome = try await runCommand(["--version"], directory: directory)
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("rest-auth "))
    }

    @Test(arguments: [
        ["--help"], ["serve", "--help"], ["users", "--help"], ["users", "add", "--help"],
        ["config", "check", "--help"],
    ])
    func helpIsThere(arguments: [String]) async throws {
        let outcome = try await runCommand(arguments, directory: directory)
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("USAGE: rest-auth"))
    }
}

import Foundation
import Support
import Testing

/// Variables that container runtimes, editors and other programs put into the environment.
@Suite struct EnvironmentTests {
    private static let secret = "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"
    private static let legacy = "kP7vXq2LmZ9dRt4W"

    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func check(_ environment: [String: String], _ arguments: [String] = []) async throws -> CommandOutcome {
        try await runCommand(["config", "check"] + arguments, environment: environment, directory: directory)
    }

    @discardableResult
    private func write(_ bytes: some Sequence<UInt8>, to name: String, mode: mode_t = 0o600) throws -> String {
        let path = "\(directory.path)/\(name)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        chmod(path, mode)
        return path
    }

    // MARK: Services named like the program

    /// The variables in a pod of a namespace with the services `rest-auth` and
    /// `rest-auth-database`.
    private static let kubernetes = [
        "REST_AUTH_SERVICE_HOST": "10.96.0.12", "REST_AUTH_SERVICE_PORT": "80", "REST_AUTH_SERVICE_PORT_HTTP": "80",
        "REST_AUTH_PORT": "tcp://10.96.0.12:80", "REST_AUTH_PORT_80_TCP": "tcp://10.96.0.12:80",
        "REST_AUTH_PORT_80_TCP_PROTO": "tcp", "REST_AUTH_PORT_80_TCP_PORT": "80",
        "REST_AUTH_PORT_80_TCP_ADDR": "10.96.0.12", "REST_AUTH_DATABASE_SERVICE_HOST": "fd00::12",
        "REST_AUTH_DATABASE_SERVICE_PORT": "5432", "REST_AUTH_DATABASE_PORT": "tcp://[fd00::12]:5432",
        "REST_AUTH_DATABASE_PORT_5432_TCP": "tcp://[fd00::12]:5432",
        "REST_AUTH_DATABASE_PORT_5432_TCP_ADDR": "fd00::12", "REST_AUTH_DNS_PORT_53_UDP": "udp://10.96.0.13:53",
        "REST_AUTH_DNS_PORT_53_UDP_PROTO": "udp", "REST_AUTH_SIGNAL_PORT": "sctp://10.96.0.14:2905",
    ]

    /// The variables that `docker run --link web:rest-auth` sets, and Compose's first version.
    private static let docker = [
        "REST_AUTH_NAME": "/app/rest-auth", "REST_AUTH_PORT": "tcp://172.17.0.5:5000",
        "REST_AUTH_PORT_5000_TCP": "tcp://172.17.0.5:5000", "REST_AUTH_PORT_5000_TCP_START": "tcp://172.17.0.5:5000",
        "REST_AUTH_PORT_5000_TCP_END": "tcp://172.17.0.5:5001", "REST_AUTH_PORT_5000_TCP_PORT_START": "5000",
        "REST_AUTH_PORT_5000_TCP_PORT_END": "5001", "REST_AUTH_ENV_POSTGRES_PASSWORD": "geheim",
        "REST_AUTH_1_PORT": "tcp://172.17.0.5:5000",
    ]

    @Test(arguments: [kubernetes, docker])
    func whatIsInjectedForServicesIsPassedOverAndNamed(environment: [String: String]) async throws {
        let outcome = try await check(environment)
        #expect(outcome.status == 0, "\(outcome.error)")
        let line = try #require(outcome.output.split(separator: "\n").first { $0.contains("passed over") })
        for name in environment.keys { #expect(line.contains(name), "\(name)") }
        #expect(!outcome.output.contains("port = "))
        #expect(!outcome.output.contains("geheim"))
    }

    @Test func aServerStartsBesideServicesOfItsNameAndSaysSoInOneLine() async throws {
        let server = try await RunningServer(environment: Self.kubernetes)
        try await wait(for: "the log to say so") { server.log.contains("passed over") }
        let lines = server.log.split(separator: "\n").filter { $0.contains("REST_AUTH_") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("REST_AUTH_SERVICE_HOST") == true)
    }

    /// The platform's name counts where the prefixed name is a service's variable.
    @Test func aServicesPortIsNotOurs() async throws {
        let outcome = try await check(["REST_AUTH_PORT": "tcp://10.96.0.12:80", "PORT": "8080"])
        #expect(outcome.output.contains("port = 8080  (PORT)"), "\(outcome.error)")
        #expect(try await check(["PORT": "tcp://10.96.0.12:80"]).status == 0)
    }

    @Test(arguments: [
        ("REST_AUTH_PRT", "8080"), ("REST_AUTH_HTTP_PORT", "8080"), ("REST_AUTH_SERVICE_HOST", "auth.example.com/x"),
        ("REST_AUTH_SERVICE_PORT", "http"), ("REST_AUTH_PORTS", "tcp://10.96.0.12:80"),
        ("REST_AUTH_PORT_80_TCP_ADDR", "here there"), ("REST_AUTH_PORT_X_TCP", "tcp://10.96.0.12:80"),
        ("REST_AUTH_DATABASE_PORT", "5432"), ("REST_AUTH_NAME", "miguel"), ("REST_AUTH_ENV_TOKEN_DURATION", "60"),
        ("REST_AUTH_PASSWORD_POLCY", "tcp://10.96.0.12:80"), ("REST_AUTH_DATABASE_URI", "tcp://10.96.0.12:80"),
    ])
    func whatOnlyLooksLikeItIsAnUnknownSetting(name: String, value: String) async throws {
        let outcome = try await check([name: value])
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("unknown setting \(name)"), "\(outcome.error)")
    }

    @Test(arguments: ["tcp://", "tcp://10.96.0.12", "http://10.96.0.12:80", "tcp://10.96.0.12:80/x"])
    func aPortThatIsNeitherIsRefused(value: String) async throws {
        #expect(try await check(["REST_AUTH_PORT": value]).error.contains("REST_AUTH_PORT is \"\(value)\""))
    }

    // MARK: Values in files

    @Test(arguments: ["REST_AUTH_LEGACY_SECRET_FILE"])
    func aSecretMayLieInAFile(name: String) async throws {
        try write("\(Self.legacy)\n".utf8, to: "legacy")
        let outcome = try await check([name: "legacy"])
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("legacy_secret = (secret)  (\(name)=legacy)"), "\(outcome.output)")
    }

    @Test(arguments: ["REST_AUTH_DATABASE_URL_FILE", "DATABASE_URL_FILE"])
    func theDatabasesURLMayLieInAFile(name: String) async throws {
        try write("sqlite:other.sqlite\r\n".utf8, to: "url")
        let outcome = try await check([name: "url"])
        #expect(outcome.output.contains("database_url = sqlite:other.sqlite  (\(name)=url)"), "\(outcome.error)")
        #expect(try await check([name: "url"], ["--database", "sqlite:x.sqlite"]).output.contains("sqlite:x.sqlite"))
    }

    @Test(arguments: ["", "REST_AUTH_"]) func theOtherSecretsOfAChangeMayLieInFiles(prefix: String) async throws {
        try write("q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO\n".utf8, to: "other")
        for name in ["SECRET_KEY_NEXT_FILE", "SECRET_KEY_PREVIOUS_FILE"] {
            let outcome = try await check(["SECRET_KEY": Self.secret, prefix + name: "other"])
            #expect(outcome.status == 0, "\(outcome.error)")
            #expect(outcome.output.contains("(secret)  (\(prefix)\(name)=other)"), "\(outcome.output)")
        }
    }

    @Test func theSettingsFileMayNameAFileToo() async throws {
        try write("\(Self.legacy)\n".utf8, to: "legacy")
        try write("legacy_secret_file: legacy\n".utf8, to: "rest-auth.yaml")
        let outcome = try await check([:], ["--config", "rest-auth.yaml"])
        #expect(outcome.output.contains("legacy_secret = (secret)"), "\(outcome.error)")
    }

    @Test(arguments: [
        ("REST_AUTH_LEGACY_SECRET", "REST_AUTH_LEGACY_SECRET_FILE"), ("DATABASE_URL", "DATABASE_URL_FILE"),
        ("REST_AUTH_DATABASE_URL", "REST_AUTH_DATABASE_URL_FILE"), ("DATABASE_URL", "REST_AUTH_DATABASE_URL_FILE"),
        ("SECRET_KEY_NEXT", "SECRET_KEY_NEXT_FILE"), ("SECRET_KEY", "SECRET_KEY_FILE"),
    ])
    func aValueAndAFileAreRefusedByBothNames(value: String, file: String) async throws {
        try write("\(Self.legacy)\n".utf8, to: "legacy")
        let outcome = try await check([value: Self.secret, file: "legacy"])
        #expect(outcome.status == 1)
        #expect(outcome.error.contains(value + " ") && outcome.error.contains(file), "\(outcome.error)")
        #expect(!outcome.error.contains(Self.secret))
    }

    @Test(arguments: [
        (nil, "No such file"), ("", "is empty"), (" \n", "is empty"), ("a\u{0}b234567890", "U+0000"),
        ("kP7vXq2L\nmZ9dRt4W", "U+000A"), (String(repeating: "kP7vXq2LmZ9dRt4W", count: 4096), "bytes"),
    ])
    func aFileWithoutAGoodValueIsRefusedByName(contents: String?, reason: String) async throws {
        if let contents { try write(contents.utf8, to: "legacy") }
        let outcome = try await check(["REST_AUTH_LEGACY_SECRET_FILE": "legacy"])
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("REST_AUTH_LEGACY_SECRET_FILE"), "\(outcome.error)")
        #expect(outcome.error.contains("legacy") && outcome.error.contains(reason), "\(outcome.error)")
        #expect(!outcome.error.contains("kP7v"))
    }

    @Test func aFileThatOthersMayReadOrThatIsNoTextIsRefused() async throws {
        let path = try write(Self.legacy.utf8, to: "legacy", mode: 0o644)
        let variable = ["REST_AUTH_LEGACY_SECRET_FILE": "legacy"]
        #expect(try await check(variable).error.contains("chmod 600 legacy"))
        chmod(path, 0o600)
        #expect(try await check(variable).status == 0)
        try write([0x6B, 0xFF, 0xFE] + Array(Self.legacy.utf8), to: "legacy")
        #expect(try await check(variable).error.contains("UTF-8"))
        let directory = try await check(["REST_AUTH_LEGACY_SECRET_FILE": directory.path])
        #expect(directory.error.contains("is a directory"), "\(directory.error)")
    }

    // MARK: Blanks and quotes around a value

    @Test(arguments: [
        "8080\n", "8080\r\n", "8080\r", " 8080\t", "\"8080\"", "'8080'", "\"8080\"\r\n", "\u{FEFF}8080", "\" 8080 \"",
    ])
    func whatCannotBeMeantIsTakenOff(value: String) async throws {
        let outcome = try await check(["REST_AUTH_PORT": value])
        #expect(outcome.output.contains("port = 8080  (REST_AUTH_PORT)"), "\(outcome.error)")
    }

    @Test func everyKindOfSettingIsCleaned() async throws {
        let environment = [
            "REST_AUTH_LEGACY_SECRET": "\"\(Self.legacy)\"\r", "DATABASE_URL": "'sqlite:x.sqlite'\n",
            "REST_AUTH_TRUSTED_PROXIES": "\"10.0.0.0/8, ::1\"", "REST_AUTH_PASSWORD_POLICY": "nist\r",
            "LOG_LEVEL": "\"debug\"", "REST_AUTH_CORS_ORIGINS": "\"https://a.example\"",
            "REST_AUTH_PUBLIC_URL": "https://a.example\r\n", "\u{FEFF}REST_AUTH_TOKEN_DURATION": "60",
        ]
        let outcome = try await check(environment)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("database_url = sqlite:x.sqlite  "))
        #expect(outcome.output.contains("trusted_proxies = 10.0.0.0/8, ::1  "))
        #expect(outcome.output.contains("token_duration = 60  "))
        // The quotes could have been meant, and the value is not shown.
        #expect(outcome.output.contains("REST_AUTH_LEGACY_SECRET stood in quotes"), "\(outcome.output)")
    }

    @Test(arguments: ["\"\"", "''", " ", "\r\n", "\u{FEFF}"]) func whatIsEmptyThenSetsNothing(value: String)
        async throws
    {
        let outcome = try await check(["REST_AUTH_PORT": value])
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(!outcome.output.contains("port = "))
    }

    /// The secret is the same wherever it was given, so the database opens.
    @Test func aSecretIsTheSameFromEveryPlace() async throws {
        let server = try await RunningServer(environment: ["SECRET_KEY": Self.secret])
        let variables = ["SECRET_KEY": "\"\(Self.secret)\"\r\n"]
        try Data("\u{FEFF}\"\(Self.secret)\"\r\n".utf8).write(
            to: URL(fileURLWithPath: "\(server.directory.path)/given"))
        chmod("\(server.directory.path)/given", 0o600)
        let database = try await server.directory.database().url
        for environment in [variables, ["SECRET_KEY_FILE": "given"]] {
            let outcome = try await runCommand(
                ["keys", "list", "--database", database], environment: environment, directory: server.directory)
            #expect(outcome.status == 0, "\(outcome.error)")
        }
    }

    @Test(arguments: [
        ("nkGnM0nEr7b9YSDW\u{A0}GzVbQ5L6Xa2cTfUo", "U+00A0"), ("nkGnM0nEr7b9YSDW\nGzVbQ5L6Xa2cTfUo", "U+000A"),
        ("nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo\u{200B}", "U+200B"), ("\u{A0}nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo", "U+00A0"),
        ("nkGnM0nEr7b9YSDW\u{FEFF}GzVbQ5L6Xa2cTfUo", "U+FEFF"), ("nkGnM0nEr7b9YSDW\tGzVbQ5L6Xa2cTfUo", "U+0009"),
        ("\u{201C}nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo\u{201D}", "U+201C"),
        ("nkGnM0nEr7b9YSDW\u{202E}GzVbQ5L6Xa2cTfUo", "U+202E"), ("nkGnM0nEr7b9YSDW\u{7}GzVbQ5L6Xa2cTfUo", "U+0007"),
    ])
    func whatCouldBeMeantIsRefusedAndNamed(value: String, character: String) async throws {
        for name in ["SECRET_KEY", "REST_AUTH_LEGACY_SECRET", "REST_AUTH_DATABASE_SCHEMA"] {
            let outcome = try await check([name: value])
            #expect(outcome.status == 1, "\(name)")
            #expect(outcome.error.contains(name) && outcome.error.contains(character), "\(outcome.error)")
            #expect(!outcome.error.contains("nkGn"))
        }
        try write(
            "database_schema: \"\(value.replacing("\n", with: "\\n").replacing("\u{7}", with: "\\a"))\"\n".utf8,
            to: "rest-auth.yaml")
        let outcome = try await check([:], ["--config", "rest-auth.yaml"])
        #expect(outcome.error.contains("database_schema") && outcome.error.contains(character), "\(outcome.error)")
    }

    /// A value in the settings file is taken exactly as it is written.
    @Test func aFlaskKeyWithOddCharactersStandsInTheSettingsFile() async throws {
        try write("legacy_secret: \"\\\"kP7v\\nXq2L\\u00A0mZ9dRt4W\\\"\"\n".utf8, to: "rest-auth.yaml")
        let outcome = try await check([:], ["--config", "rest-auth.yaml"])
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(!outcome.output.contains("quotes"))
    }

    @Test(arguments: ["\u{FEFF}port: 8080\r\n", "port: 8080\r\nhostname: 127.0.0.1 \r\n", "port: '8080 '\n"])
    func aSettingsFileMayComeFromAnyEditor(file: String) async throws {
        try write(file.utf8, to: "rest-auth.yaml")
        let outcome = try await check([:], ["--config", "rest-auth.yaml"])
        #expect(outcome.output.contains("port = 8080  "), "\(outcome.error)")
    }

    @Test func aSettingsFileThatIsNotUTF8SaysSo() async throws {
        try write([0xFF, 0xFE] + "port: 1\n".utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }, to: "wide.yaml")
        let outcome = try await check([:], ["--config", "wide.yaml"])
        #expect(outcome.error.contains("UTF-16"), "\(outcome.error)")
        #expect(try await check([:], ["--config", "no.yaml"]).error.contains("No such file"))
    }

    // MARK: The Flask server's own environment

    @Test func theFlaskServersKeyIsNotOurSecretToo() async throws {
        let key = Self.secret
        try write("\(key)\n".utf8, to: "key")
        for environment in [
            ["SECRET_KEY": key], ["REST_AUTH_SECRET_KEY": key], ["SECRET_KEY_FILE": "key"],
            ["SECRET_KEY": "q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO", "SECRET_KEY_NEXT": key],
        ] {
            for command in [
                ["config", "check"], ["serve", "--port", "0"], ["users", "add", "miguel", "--password-stdin"],
            ] {
                let outcome = try await runCommand(
                    command, environment: environment.merging(["REST_AUTH_LEGACY_SECRET": key]) { $1 },
                    directory: directory, input: "python\n")
                #expect(outcome.status == 1, "\(command)")
                #expect(outcome.error.contains("legacy_secret"), "\(outcome.error)")
                #expect(outcome.error.contains("Flask"), "\(outcome.error)")
                #expect(!outcome.error.contains(key))
            }
        }
        #expect(directory.contents == ["key"])
        // Users who have used the key as the secret can still change it.
        let previous = ["SECRET_KEY": "q8Rz4LxTn1vBjW7sKdYc0UeMhPg5iAfO", "SECRET_KEY_PREVIOUS": key]
        let outcome = try await check(previous.merging(["REST_AUTH_LEGACY_SECRET": key]) { $1 })
        #expect(outcome.status == 0, "\(outcome.error)")
    }

    @Test(arguments: [
        "FLASK_APP", "FLASK_ENV", "FLASK_DEBUG", "FLASK_RUN_PORT", "SQLALCHEMY_DATABASE_URI", "DJANGO_SETTINGS_MODULE",
    ])
    func inAnApplicationsEnvironmentItsKeyIsRefused(variable: String) async throws {
        let environment = ["SECRET_KEY": Self.secret, variable: "app.py"]
        let outcome = try await runCommand(["serve", "--port", "0"], environment: environment, directory: directory)
        #expect(outcome.status == 1)
        for word in ["SECRET_KEY", variable, "REST_AUTH_SECRET_KEY"] { #expect(outcome.error.contains(word)) }
        #expect(directory.contents.isEmpty)
        let own = try await check(["REST_AUTH_SECRET_KEY": Self.secret, variable: "app.py"])
        #expect(own.status == 0, "\(own.error)")
        try write("\(Self.secret)\n".utf8, to: "key")
        let file = try await check(["SECRET_KEY_FILE": "key", variable: "app.py"])
        #expect(file.error.contains("REST_AUTH_SECRET_KEY_FILE"), "\(file.error)")
        let database = try await check(["DATABASE_URL": "sqlite:x.sqlite", variable: "app.py"])
        #expect(database.status == 0)
        #expect(database.output.contains("warning: DATABASE_URL"), "\(database.output)")
    }

    @Test(arguments: ["--from-flask", "--from-django"])
    func anImportRefusesTheKeyThatMayBeTheApplications(source: String) async throws {
        try write([], to: "data.sqlite")
        let outcome = try await runCommand(
            ["users", "import", source, "data.sqlite"], environment: ["SECRET_KEY": Self.secret], directory: directory)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("SECRET_KEY may be"), "\(outcome.error)")
        #expect(outcome.error.contains("REST_AUTH_SECRET_KEY"), "\(outcome.error)")
        #expect(!outcome.error.contains(Self.secret))
        #expect(directory.contents == ["data.sqlite"])
    }
}

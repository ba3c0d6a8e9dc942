import Foundation
import Support
import Testing

/// The findings and the exit status of `rest-auth doctor`.
@Suite struct DoctorTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private struct Finding: Decodable {
        let kind: String
        let subject: String
        let text: String
        let remedy: String?
    }

    private func findings(
        _ arguments: [String] = [], environment: [String: String] = [:]
    ) async throws -> (status: Int32, findings: [Finding]) {
        let outcome = try await runCommand(
            ["doctor", "--json"] + arguments, environment: environment, directory: directory)
        let lines = outcome.output.split(separator: "\n")
        return (outcome.status, try lines.map { try JSONDecoder().decode(Finding.self, from: Data($0.utf8)) })
    }

    @Test func aFreshDirectoryIsWellAndStaysEmpty() async throws {
        let (status, findings) = try await findings()
        #expect(status == 0)
        #expect(findings.allSatisfy { $0.kind == "note" }, "\(findings)")
        #expect(directory.contents.isEmpty)
    }

    @Test func allThatIsWrongIsSaidAtOnce() async throws {
        let outcome = try await runCommand(
            [
                "doctor", "--port", "abc", "--token-duration", "0", "--database", "sqlite:nowhere/users.sqlite",
                "--tls-certificate", "no.pem", "--tls-key", "no.pem",
            ], directory: directory)
        #expect(outcome.status == 1)
        for text in ["--port is \"abc\"", "--token-duration is \"0\"", "nowhere/users.sqlite", "no.pem", "4 wrong"] {
            #expect(outcome.output.contains(text), "\(outcome.output)")
        }
        #expect(directory.contents.isEmpty)
    }

    @Test func everyUnknownSettingIsNamedAndTheOthersAreLookedAt() async throws {
        let file = directory.path + "/process-settings.yaml"
        try Data("prot: 5000\ntoken_duraton: 60\nthrottle: no\n".utf8).write(to: URL(fileURLWithPath: file))
        let (status, findings) = try await findings(
            ["--config", file], environment: ["REST_AUTH_HOSTNAM": "0.0.0.0"])
        #expect(status == 1)
        for name in ["prot", "token_duraton", "REST_AUTH_HOSTNAM"] {
            #expect(
                findings.contains { $0.kind == "wrong" && $0.text.contains("unknown setting \(name);") }, "\(findings)")
        }
        #expect(findings.contains { $0.kind == "dangerous" && $0.subject == "throttle" }, "\(findings)")
    }

    @Test(arguments: [
        (["--hostname", "0.0.0.0"], "password_policy"), (["--hostname", "0.0.0.0"], "tls_certificate"),
        (["--throttle", "no"], "throttle"), (["--trusted-proxies", "10.0.0.1,0.0.0.0/0"], "trusted_proxies"),
        (["--trusted-proxies", "::/0"], "trusted_proxies"),
        (["--public-url", "https://auth.example.com"], "trusted_proxies"),
        (["--public-url", "http://auth.example.com"], "public_url"),
        (["--breached-passwords", "list.filter"], "breached_passwords"),
        (["--hostname", "unix:a.sock", "--socket-mode", "0666", "--trusted-proxies", "unix:"], "socket_mode"),
    ])
    func whatSettingsEndangerIsSaid(arguments: [String], subject: String) async throws {
        let (status, findings) = try await findings(arguments)
        #expect(status == 2)
        #expect(
            findings.contains { $0.kind == "dangerous" && $0.subject == subject && $0.remedy != nil }, "\(findings)")
    }

    @Test(arguments: [
        (["--hashing-threads", "1024"], "hashing_threads"), (["--max-connections", "1000000"], "max_connections"),
    ])
    func whatIsSlowIsSaidAndIsNoFailure(arguments: [String], subject: String) async throws {
        let (status, findings) = try await findings(arguments)
        #expect(status == 0)
        #expect(findings.contains { $0.kind == "slow" && $0.subject == subject }, "\(findings)")
    }

    // MARK: Environment

    @Test func whatKubernetesSaysIsANoteAndAnApplicationsDatabaseADanger() async throws {
        let links = [
            "REST_AUTH_PORT": "tcp://10.96.0.12:80", "REST_AUTH_SERVICE_HOST": "10.96.0.12",
            "REST_AUTH_PORT_80_TCP_ADDR": "10.96.0.12",
        ]
        let (status, found) = try await findings(environment: links)
        #expect(status == 0)
        let note = try #require(found.first { $0.subject == "environment" })
        #expect(note.kind == "note" && links.keys.allSatisfy { note.text.contains($0) }, "\(note)")
        let flask = ["FLASK_APP": "api.py", "DATABASE_URL": "sqlite:\(directory.path)/process-data.sqlite"]
        let (danger, others) = try await findings(environment: flask)
        #expect(danger == 2)
        #expect(others.contains { $0.kind == "dangerous" && $0.text.contains("FLASK_APP") }, "\(others)")
    }

    @Test func threeSlashesBeforeAPathAreANote() async throws {
        let (_, found) = try await findings(["--database", "sqlite:///tmp/data.sqlite"])
        #expect(
            found.contains { $0.kind == "note" && $0.remedy?.contains("sqlite:tmp/data.sqlite") == true }, "\(found)")
    }

    @Test func aServerThatRunsIsAskedAndWhateverElseListensIsWrong() async throws {
        let server = try await RunningServer()
        #expect(try await findings(["--port", "\(server.port)"]).status == 0)
        let other = try await DatabaseProxy(to: PostgresServer.shared())
        let (status, found) = try await findings(["--port", "\(other.port)"])
        #expect(status == 1)
        #expect(found.contains { $0.kind == "wrong" && $0.subject == "hostname" }, "\(found)")
    }

    // MARK: Files

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func whatRootLeftInAServicesDirectoryIsWrong() async throws {
        let server = try await RunningServer(directory: directory)
        #expect(try await server.stop() == 0)
        chown(directory.path, 65534, 65534)
        let (status, found) = try await findings(["--database", "sqlite:\(server.databasePath)"])
        #expect(status == 1)
        let finding = try #require(found.first { $0.subject == server.databasePath && $0.kind == "wrong" })
        #expect(finding.remedy?.hasPrefix("chown ") == true, "\(finding)")
    }

    @Test func aDatabaseThatOthersReadIsDangerous() async throws {
        let server = try await RunningServer(directory: directory)
        #expect(try await findings(["--database", "sqlite:\(server.databasePath)"]).status == 0)
        chmod(server.databasePath, 0o644)
        let (status, found) = try await findings(["--database", "sqlite:\(server.databasePath)"])
        #expect(status == 2)
        #expect(found.contains { $0.kind == "dangerous" && $0.subject == server.databasePath }, "\(found)")
    }

    @Test func aSecretThatOthersReadIsWrongAndSaidOnce() async throws {
        let path = "\(directory.path)/process-key"
        try Data("nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo".utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o644)
        for environment in [["SECRET_KEY_FILE": path], ["REST_AUTH_LEGACY_SECRET_FILE": path]] {
            let (status, found) = try await findings(environment: environment)
            #expect(status == 1)
            let said = found.filter { $0.text.contains("can be read by others") }
            #expect(said.map(\.kind) == ["wrong"], "\(said)")
            let mending = said.first?.remedy ?? said.first?.text
            #expect(mending?.hasSuffix("take that away with: chmod 600 \(path)") == true, "\(said)")
        }
    }

    @Test func anotherSecretThanTheDatabasesIsWrong() async throws {
        let server = try await RunningServer(directory: directory)
        let (status, found) = try await findings(
            ["--database", "sqlite:\(server.databasePath)"],
            environment: ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"])
        #expect(status == 1)
        #expect(found.contains { $0.kind == "wrong" && $0.text.contains("secret") }, "\(found)")
    }

    // MARK: The clock

    /// The environment of a program whose clock is `days` days ahead.
    private func ahead(days: Int) async throws -> [String: String] {
        try await ["LD_PRELOAD": directory.shiftedClock(), "CLOCK_SHIFT": "\(days * 86400)"]
    }

    @Test func rowsThatAreYetToComeAreDangerous() async throws {
        let server = try await RunningServer(environment: ahead(days: 1), directory: directory)
        #expect(try await server.register("miguel", "python").status == 201)
        let (status, found) = try await findings(["--database", "sqlite:\(server.databasePath)"])
        #expect(status == 2)
        #expect(found.contains { $0.kind == "dangerous" && $0.subject == "clock" }, "\(found)")
    }

    // MARK: Users

    @Test func aPepperThatUsersNeedAndTheServerHasNotIsWrong() async throws {
        let path = "\(directory.path)/process-users.sqlite"
        let hash = "$2b$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"
        let pepper = ["REST_AUTH_PASSWORD_PEPPER": "dXU3cHWnPBhGjkkTCGsXZ1sn"]
        let outcome = try await runCommand(
            ["users", "import", "--json", "-", "--pepper", "hmac-sha512", "--database", "sqlite:\(path)"],
            environment: pepper, directory: directory, input: #"{"username":"miguel","password_hash":"\#(hash)"}"#)
        #expect(outcome.status == 0, "\(outcome.error)")
        let (status, found) = try await findings(["--database", "sqlite:\(path)"])
        #expect(status == 1)
        #expect(found.contains { $0.kind == "wrong" && $0.subject == "password_pepper" }, "\(found)")
        let with = try await findings(["--database", "sqlite:\(path)"], environment: pepper)
        #expect(!with.findings.contains { $0.subject == "password_pepper" })
    }

    @Test func hashesBeyondTheLimitsAreWrong() async throws {
        let path = "\(directory.path)/process-costly.sqlite"
        let hash = "$2b$10$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe"
        let outcome = try await runCommand(
            ["users", "import", "--json", "-", "--database", "sqlite:\(path)"], directory: directory,
            input: #"{"username":"miguel","password_hash":"\#(hash)"}"#)
        #expect(outcome.status == 0, "\(outcome.error)")
        let (status, found) = try await findings(
            ["--database", "sqlite:\(path)", "--password-hash-time-limit", "10"])
        #expect(status == 1)
        #expect(found.contains { $0.kind == "wrong" && $0.subject == "password_hash_time_limit" }, "\(found)")
    }

    // MARK: PostgreSQL

    /// The findings on a new database, as a node with the database's secret would have them.
    private func findingsOnPostgres(
        _ arguments: [String] = [], environment: [String: String] = [:]
    ) async throws -> (status: Int32, findings: [Finding]) {
        let url = try await PostgresServer.shared().makeDatabase()
        let own = try TemporaryDirectory(database: url)
        let secret = try await own.database().environment
        return try await findings(["--database", url] + arguments, environment: secret.merging(environment) { $1 })
    }

    @Test func aDatabaseThatCanLoseWhatItAcknowledgedIsDangerous() async throws {
        // The tests' own server does not wait for its disk.
        let (status, found) = try await findingsOnPostgres()
        #expect(status == 2)
        #expect(found.contains { $0.kind == "dangerous" && $0.text.contains("fsync = off") }, "\(found)")
    }

    @Test func aClockThatIsNotTheDatabasesIsDangerous() async throws {
        let (_, found) = try await findingsOnPostgres(environment: ahead(days: 1))
        #expect(found.contains { $0.subject == "clock" && $0.text.contains("behind this machine's") }, "\(found)")
    }

    @Test func allThatADatabaseLacksIsSaidAtOnce() async throws {
        let shared = try await PostgresServer.shared()
        let name = "unfit_\(UUID().uuidString.prefix(8).lowercased())"
        try await shared.execute(
            "CREATE DATABASE \(name) ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        try await shared.execute("ALTER DATABASE \(name) SET default_transaction_read_only = on")
        let (status, found) = try await findings(
            ["--database", shared.url(name)], environment: ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"])
        #expect(status == 1)
        for word in ["LATIN1", "default_transaction_read_only"] {
            #expect(found.count { $0.kind == "wrong" && $0.text.contains(word) } == 1, "\(found)")
        }
        try await shared.execute("DROP DATABASE \(name) WITH (FORCE)")
    }

    @Test func aPoolerIsANoteAndWrongWhereTheSettingsSayThereIsNone() async throws {
        let shared = try await PostgresServer.shared()
        let url = try await shared.makeDatabase()
        let pooler = try await Pooler(before: shared, PostgresServer.name(in: url))
        let environment = ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"]
        let (_, found) = try await findings(["--database", pooler.url], environment: environment)
        #expect(found.contains { $0.kind == "note" && $0.subject == "database_pooler" }, "\(found)")
        let denied = try await findings(
            ["--database", pooler.url, "--database-pooler", "no"], environment: environment)
        #expect(denied.status == 1)
        #expect(denied.findings.contains { $0.kind == "wrong" && $0.text.contains("database_pooler") }, "\(denied)")
    }

    @Test func moreConnectionsThanTheDatabaseGivesAreDangerous() async throws {
        let (_, found) = try await findingsOnPostgres(["--database-connections", "1000"])
        #expect(found.contains { $0.kind == "dangerous" && $0.subject == "database_connections" }, "\(found)")
    }

    /// A database on another machine is safe only if its URL has the parameter
    /// `sslmode=verify-full`.
    @Test(arguments: [
        ("postgres://miguel@db.example:1/x", true), ("postgres://miguel@127.0.0.1.example:1/x", true),
        ("postgres://miguel:sslmode=verify-full@db.example:1/x", true),
        ("postgres://miguel@db.example:1/x?application_name=sslmode=verify-full", true),
        ("postgres://miguel@db.example:1/x?sslmode=verify-full&sslmode=require", true),
        ("postgres://miguel@db.example:1/x?sslmode=require", true),
        ("postgres://miguel@db.example:1/x?connect_timeout=2&sslmode=verify-full", false),
        ("postgres://miguel@127.0.0.1:1/x", false), ("postgres://miguel@[::1]:1/x", false),
        ("postgres://miguel@localhost:1/x", false), ("postgres:///x?host=/nowhere", false),
    ])
    func aDatabaseElsewhereThatIsNotVerifiedIsDangerous(url: String, isDangerous: Bool) async throws {
        let (_, findings) = try await findings(["--database", url])
        #expect(
            findings.contains { $0.kind == "dangerous" && $0.subject == "database_url" } == isDangerous, "\(findings)")
    }

    @Test func aDatabaseThatDoesNotAnswerIsWrongAndTheRestIsSaidAllTheSame() async throws {
        let (status, found) = try await findings(
            ["--database", "postgres://auth:geheim@127.0.0.1:1/auth", "--throttle", "no"],
            environment: ["SECRET_KEY": "nkGnM0nEr7b9YSDWGzVbQ5L6Xa2cTfUo"])
        #expect(status == 1)
        #expect(found.contains { $0.kind == "wrong" && $0.subject == "database_url" }, "\(found)")
        #expect(found.contains { $0.subject == "throttle" })
        #expect(!"\(found)".contains("geheim"))
    }

    // MARK: Certificates

    /// A certificate for the name, valid for `days` days from now on.
    private func certificate(_ name: String?, days: Int) async throws -> [String] {
        let files = ["key", "certificate"].map { "\(directory.path)/process-\($0).pem" }
        try await SecureServer.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "\(days)",
                "-subj", "/CN=auth", "-keyout", files[0], "-out", files[1],
            ] + (name.map { ["-addext", "subjectAltName=\($0.contains(":") ? "" : "DNS:")\($0)"] } ?? []), in: directory
        )
        return ["--tls-key", files[0], "--tls-certificate", files[1]]
    }

    @Test(
        arguments: [
            ("localhost", 100, nil, nil), ("localhost", 3, nil, "dangerous"), ("localhost", -1, nil, "wrong"),
            ("auth.example.com", 100, "https://auth.example.com", nil),
            ("*.example.com", 100, "https://auth.example.com/x", nil),
            ("auth.example.com", 100, "https://AUTH.example.com:8443", nil),
            ("*.example.com", 100, "https://example.com", "wrong"),
            ("*.example.com", 100, "https://a.auth.example.com", "wrong"),
            ("localhost", 100, "https://auth.example.com", "wrong"), (nil, 100, nil, "wrong"),
            (nil, 100, "https://auth.example.com", "wrong"), ("IP:192.0.2.1", 100, "https://auth.example.com", "wrong"),
            ("IP:192.0.2.1", 100, "https://192.0.2.1", nil), ("IP:192.0.2.1", 100, "https://192.0.2.2", "wrong"),
            ("IP:2001:db8::1", 100, "https://[2001:DB8:0::1]:8443", nil), ("IP:192.0.2.1", 100, nil, nil),
            ("auth.example.com", 100, "https://192.0.2.1", "wrong"),
        ] as [(String?, Int, String?, String?)])
    func aCertificateIsHeldAgainstTimeAndName(
        name: String?, days: Int, publicURL: String?, kind: String?
    ) async throws {
        // OpenSSL before 3.4 cannot make an expired certificate: the server's clock is set forward
        // instead.
        let files = try await certificate(name, days: max(days, 1))
        let environment = days < 0 ? try await ahead(days: 2) : [:]
        let (_, found) = try await findings(
            files + (publicURL.map { ["--public-url", $0] } ?? []), environment: environment)
        #expect(found.first { $0.subject.hasSuffix("certificate.pem") }?.kind == kind, "\(found)")
    }
}

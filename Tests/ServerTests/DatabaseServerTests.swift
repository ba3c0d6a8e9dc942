import Foundation
import Support
import Synchronization
import Testing

/// A PostgreSQL, or a URL, that cannot be used: the start fails with a message that says what to
/// do.
@Suite struct DatabaseServerTests {
    let shared: PostgresServer

    init() async throws { shared = try await PostgresServer.shared() }

    /// Expects `serve` and `config check` to refuse it, in one line.
    private func expectRefusal(_ url: String, saying texts: [String]) async throws {
        let directory = try TemporaryDirectory(database: url)
        for command in [["serve", "--port", "0"], ["config", "check"]] {
            let outcome = try await runCommand(
                command + ["--database", url], environment: directory.database().environment, directory: directory)
            #expect(outcome.status == 1, "\(command)")
            #expect(outcome.error.hasPrefix("rest-auth: "))
            #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
            for text in texts { #expect(outcome.error.contains(text), "\(outcome.error)") }
            #expect(!outcome.error.contains("geheim"), "\(outcome.error)")
        }
    }

    // MARK: URLs of other clients

    @Test(arguments: [
        ("pgbouncer=true", "database_pooler"), ("prepareThreshold=0", "database_pooler"),
        ("statement_cache_capacity=0", "database_pooler"), ("statement_cache_size=0", "database_pooler"),
        ("prepared_statements=false", "database_pooler"), ("schema=auth", "database_schema"),
        ("currentSchema=auth", "database_schema"), ("search_path=auth", "database_schema"),
        ("connection_limit=5", "database_connections"), ("pool=5", "database_connections"),
        ("pool_timeout=10", "database_timeout"), ("socketTimeout=3", "database_timeout"),
        ("statement_timeout=3", "database_timeout"), ("connectTimeout=10", "connect_timeout"),
        ("sslmode=no-verify", "sslmode=require"), ("sslmode=true", "verify-full"), ("sslmode=", "verify-full"),
        ("sslaccept=strict", "sslmode=verify-full"), ("sslaccept=accept_invalid_certs", "sslmode=require"),
        ("ssl=no-verify", "sslmode"), ("ApplicationName=x", "application_name"),
        ("targetServerType=primary", "target_session_attrs"), ("charset=utf8", "charset"),
        ("serverVersion=15", "serverVersion"), ("no_such_option=1", "no_such_option"),
        ("%70gbouncer=true", "database_pooler"), ("sslmode=disable&pgbouncer=true", "database_pooler"),
        ("options=-csearch_path%3Dx&schema=auth", "database_schema"), ("password=geheim&schema=x", "database_schema"),
        ("TimeZone=UTC", "TimeZone"), ("channel_binding=maybe", "channel_binding"),
    ])
    func aParameterOfAnotherClientNamesOurSetting(parameter: String, setting: String) async throws {
        let name = parameter.contains("%70") ? "pgbouncer" : setting
        try await expectRefusal(
            shared.networkURL("postgres", user: "postgres:geheim", options: parameter), saying: [setting, name])
    }

    @Test(arguments: [
        "postgresql+psycopg2://", "postgresql+asyncpg://", "postgresql+psycopg://", "postgres+pg8000://",
        "jdbc:postgresql://", "postgresql://",
    ])
    func aURLThatMeansTheSameIsTaken(scheme: String) async throws {
        let url = try await shared.makeDatabase()
        let directory = try TemporaryDirectory(database: url)
        let rest = "postgres@127.0.0.1:\(shared.port)/\(PostgresServer.name(in: url))?channel_binding=prefer"
        let outcome = try await runCommand(
            ["users", "list", "--database", scheme + rest], environment: directory.database().environment,
            directory: directory)
        // The URL was accepted: there are no tables yet.
        #expect(outcome.error.contains("has no tables of rest-auth"), "\(outcome.error)")
    }

    @Test(arguments: ["mysql://u:geheim@h/d", "pgsql://u:geheim@h/d", "ecto://u:geheim@h/d", "host=h password=geheim"])
    func whatIsNoURLOfPostgreSQLIsNotRepeated(url: String) async throws {
        let outcome = try await runCommand(["config", "check", "--database", url], directory: TemporaryDirectory())
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("postgres://"), "\(outcome.error)")
        #expect(!outcome.error.contains("geheim") && !outcome.output.contains("geheim"))
    }

    // MARK: Unsuitable databases

    @Test(arguments: ["LATIN1", "SQL_ASCII", "LATIN9", "WIN1252", "EUC_JP"])
    func aDatabaseOfAnotherEncodingIsRefused(encoding: String) async throws {
        let name = "encoded_\(encoding.lowercased())_\(UUID().uuidString.prefix(8).lowercased())"
        try await shared.execute(
            "CREATE DATABASE \(name) ENCODING '\(encoding)' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
        try await expectRefusal(shared.url(name), saying: [encoding, "ENCODING 'UTF8' TEMPLATE template0"])
        #expect(
            try await shared.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", at: shared.url(name))
                == "0")
        try await shared.execute("DROP DATABASE \(name) WITH (FORCE)")
    }

    @Test func aDatabaseThatIsOnlyReadIsRefused() async throws {
        let url = try await shared.makeDatabase()
        let name = PostgresServer.name(in: url)
        try await shared.execute("ALTER DATABASE \(name) SET default_transaction_read_only = on")
        try await expectRefusal(
            url,
            saying: ["default_transaction_read_only", "ALTER DATABASE \(name) RESET default_transaction_read_only"])
        try await shared.execute("ALTER DATABASE \(name) RESET default_transaction_read_only")
        let role = "\(name)_reader"
        try await shared.execute("CREATE ROLE \(role) LOGIN; ALTER ROLE \(role) SET default_transaction_read_only = on")
        try await expectRefusal(
            shared.url(name, user: role), saying: ["ALTER ROLE \(role) RESET default_transaction_read_only"])
    }

    @Test func aRoleThatMayNotWriteIsToldWhichTableAndHowToMendIt() async throws {
        let url = try await shared.makeDatabase()
        let name = PostgresServer.name(in: url)
        let node = try await RunningServer(directory: TemporaryDirectory(database: url))
        #expect(try await node.stop() == 0)
        let role = "\(name)_half"
        try await shared.execute("CREATE ROLE \(role) LOGIN")
        try await shared.execute(
            """
            GRANT SELECT ON ALL TABLES IN SCHEMA public TO \(role);
            GRANT INSERT, UPDATE, DELETE ON users, user_roles, clients, revocations TO \(role)
            """, at: url)
        try await expectRefusal(
            shared.url(name, user: role),
            saying: [role, "sessions", "rest-auth schema apply --runtime-role \(role)"])
    }

    @Test func aServerThatFallsSilentIsNotWaitedForForEver() async throws {
        let url = try await shared.makeDatabase()
        let proxy = try AlteringProxy(to: shared)
        defer { proxy.end() }
        // The server accepts the login, and sends nothing more.
        let isSignedIn = Atomic(false)
        proxy.alter { message in
            if message.is("R") { isSignedIn.store(false, ordering: .relaxed) }
            guard !isSignedIn.load(ordering: .relaxed) else { return [] }
            if message.is("Z") { isSignedIn.store(true, ordering: .relaxed) }
            return message.bytes
        }
        try await expectRefusal(proxy.url(PostgresServer.name(in: url)), saying: ["does not answer"])
    }

    @Test func aServerThatAnswersNothingToAQuestionIsSaidTo() async throws {
        let url = try await shared.makeDatabase()
        let proxy = try AlteringProxy(to: shared)
        defer { proxy.end() }
        proxy.alter { message in "TDCt12n".contains { message.is($0) } ? [] : message.bytes }
        try await expectRefusal(proxy.url(PostgresServer.name(in: url)), saying: ["does not fit what it was asked"])
    }

    @Test func aStandbyIsRefused() async throws {
        let primary = try await PostgresServer(options: ["-c", "fsync=off"])
        let standby = try await PostgresServer(standbyOf: primary)
        try await primary.execute("CREATE DATABASE auth")
        try await wait(for: "the standby to have it") {
            (try? await standby.execute("SELECT 1", database: "auth")) == "1"
        }
        for options in ["", "target_session_attrs=any"] {
            try await expectRefusal(standby.networkURL("auth", options: options), saying: ["standby", "primary"])
        }
        // When both are named, the primary is found.
        let both = "postgres://postgres@127.0.0.1:\(standby.port),127.0.0.1:\(primary.port)/auth"
        let node = try await RunningServer(directory: TemporaryDirectory(database: both))
        #expect(try await node.register("miguel", "python").status == 201)
    }
}

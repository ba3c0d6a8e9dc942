import Foundation
import RESTAuth
import RESTAuthSQLite
import Support
import Testing

/// The domain of passkeys, as it follows from the settings.
@Suite struct PasskeySettingsTests {
    private func check(_ arguments: [String] = []) async throws -> CommandOutcome {
        let port = try FreePort.next()
        return try await runCommand(
            ["config", "check", "--port", "\(port)"] + arguments, directory: TemporaryDirectory())
    }

    @Test func onThisMachineTheyJustWork() async throws {
        let server = try await RunningServer()
        let answer = try await server.send("POST", "/api/passkeys/options")
        #expect(answer.status == 200)
        #expect(answer.json["rpId"] as? String == "localhost")
        #expect(try await server.send("GET", "/.well-known/webauthn").status == 404)
        #expect(try await !check().output.contains("no passkeys"))
    }

    @Test func theyAreBoundToTheHostOfThePublicURL() async throws {
        let server = try await RunningServer([
            "--public-url", "https://auth.example.com/accounts", "--webauthn-origins",
            "https://auth.example.com,https://shop.example",
        ])
        let answer = try await server.send("POST", "/api/passkeys/options")
        #expect(answer.json["rpId"] as? String == "auth.example.com")
        let related = try await server.send("GET", "/.well-known/webauthn")
        #expect(related.status == 200 && related.json["origins"] as? [String] == ["https://shop.example"])
    }

    @Test(arguments: [
        (["--public-url", "http://192.0.2.7"], "passkeys need a public URL with https"),
        (["--public-url", "https://192.0.2.7"], "passkeys need a public URL with https"),
        (["--hostname", "0.0.0.0"], "passkeys need a domain: set public_url"),
    ])
    func whereThereIsNoDomainThereIsANote(arguments: [String], note: String) async throws {
        let outcome = try await check(arguments)
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.output.contains("note: no passkeys: \(note)"), "\(outcome.output)")
    }

    @Test(arguments: [
        (["--webauthn-rp-id", "Example.com"], "--webauthn-rp-id"),
        (["--webauthn-rp-id", "192.0.2.7"], "--webauthn-rp-id"),
        (["--webauthn-origins", "https://example.com/path"], "--webauthn-origins"),
        (["--webauthn-origins", "https://*.example.com"], "--webauthn-origins"),
        (["--webauthn-origins", ","], "--webauthn-origins"),
        (["--webauthn-top-origins", "android:apk-key-hash:x"], "--webauthn-top-origins"),
        (["--webauthn-rp-id", "example.com", "--public-url", "https://example.org"], "example.com"),
        (["--webauthn-rp-name", "Example", "--public-url", "http://192.0.2.7"], "public URL"),
        (["--webauthn-rp-name", "Example", "--hostname", "0.0.0.0"], "public_url"),
    ])
    func whatDoesNotFitIsRefused(arguments: [String], place: String) async throws {
        let outcome = try await check(arguments)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains(place), "\(outcome.error)")
    }

    /// The database of a server, in which miguel has a passkey of `example.org`.
    private func newDatabase(in directory: TemporaryDirectory) async throws {
        let outcome = try await runCommand(
            ["users", "add", "miguel", "--password-stdin"], directory: directory, input: "python\n")
        try #require(outcome.status == 0, "\(outcome.error)")
        let storage = try await SQLiteStorage(path: directory.path + "/rest-auth.sqlite", createsMissing: false)
        let user = try #require(try await storage.credentials(canonicalUsername: "miguel")).user.id
        _ = try await storage.userHandle(of: user, orInsert: [UInt8](repeating: 1, count: 64))
        let passkey = Passkey(
            id: "ID", userID: user, name: "my phone", credentialID: [1], publicKey: [1], signCount: 0,
            isBackupEligible: false, isBackedUp: false, isUserVerified: true, aaguid: [UInt8](repeating: 0, count: 16),
            transports: [], isDiscoverable: true, createdAt: Date(timeIntervalSince1970: 1_800_000_000))
        let event = AuthEvent.passkeyAdded(passkey).by(.application, at: passkey.createdAt)
        let insertion = try await storage.insertPasskey(
            passkey, for: "example.org", limit: 20,
            spending: SpentChallenge(digest: [1], expiresAt: passkey.createdAt),
            recoveryCodes: StoredRecoveryCodes(sealedKey: [1], digests: [[1]]), recording: event, and: event)
        #expect(insertion == .inserted(hasNewCodes: true))
    }

    /// Also where there would be no passkeys at all: whoever has nothing else could not sign in.
    @Test(arguments: [
        ["--public-url", "https://example.com"], ["--public-url", "https://192.0.2.7"],
        ["--trusted-proxies", "192.0.2.1"], [],
    ])
    func anotherPublicURLIsRefusedAsLongAsThereArePasskeys(arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        try await newDatabase(in: directory)
        let port = ["--port", "\(try FreePort.next())"]
        for command in [["config", "check"], ["serve"]] {
            let outcome = try await runCommand(command + port + arguments, directory: directory)
            #expect(outcome.status == 1, "\(command)")
            #expect(outcome.error.contains("bound to example.org"), "\(outcome.error)")
        }
        let good = try await runCommand(
            ["config", "check"] + port + ["--public-url", "https://example.org"], directory: directory)
        #expect(good.status == 0, "\(good.error)")
        let removed = try await runCommand(["users", "factors", "remove", "miguel"], directory: directory)
        #expect(removed.status == 0, "\(removed.error)")
        let checked = try await runCommand(["config", "check"] + port + arguments, directory: directory)
        #expect(checked.status == 0, "\(checked.error)")
    }

    @Test func anOperatorSeesThePasskeysOfAUser() async throws {
        let directory = try TemporaryDirectory()
        try await newDatabase(in: directory)
        let text = try await runCommand(["users", "factors", "list", "miguel"], directory: directory)
        #expect(text.output.contains("ID\tpasskey\tmy phone\t2027-01-15T08:00:00Z\tnot used"), "\(text.output)")
        let json = try await runCommand(["users", "factors", "list", "miguel", "--json"], directory: directory)
        #expect(json.output.contains(#""type":"passkey","id":"ID","name":"my phone""#), "\(json.output)")
    }
}

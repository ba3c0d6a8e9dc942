import Foundation
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
}

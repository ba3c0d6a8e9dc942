import Foundation
import Support
import Testing

/// Where settings come from, who wins, and what is refused.
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

    @Test(arguments: [
        ("token_duraton: 600", "token_duration"), ("Port: 1", "port"), ("databse_url: x", "database_url"),
        ("cors_origin: x", "cors_origins"),
    ])
    func anUnknownKeyInTheFileNamesTheNearest(file: String, nearest: String) async throws {
        let outcome = try await check(file: file)
        #expect(outcome.status == 1)
        #expect(outcome.error.contains("did you mean \(nearest)?"))
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

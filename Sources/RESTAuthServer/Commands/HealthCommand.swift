import ArgumentParser

struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask the server on this machine whether it is ready.",
        discussion: """
            Exit status 0 when it is, 1 with the reason when not: for a container's health check, where there is no \
            curl and no shell.

              rest-auth health
              rest-auth health --live --config /etc/rest-auth.yaml

            It asks where the settings say that the server listens, in HTTP or TLS as they say. Whether the \
            certificate is good for that address is not looked at.
            """)

    @Flag(help: "Ask only whether the process answers, not its database.") var live = false
    @Option(help: ArgumentHelp("How long it may take.", valueName: "duration"))
    var timeout = DurationArgument(seconds: 5)
    @OptionGroup var options: SettingsOptions<AddressSettings, TLSSettings>

    func validate() throws {
        guard (1...600).contains(timeout.seconds) else { throw ValidationError("--timeout is 1s to 10m.") }
    }

    func run() async throws {
        try await options.withSettings { settings in
            try await HealthCheck(settings: settings, timeout: timeout.seconds).require(isReady: !live)
        }
        Output.report("ok")
    }
}

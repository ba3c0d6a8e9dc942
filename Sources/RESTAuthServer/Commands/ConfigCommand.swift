import ArgumentParser
import RESTAuth

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Look at the settings.",
        discussion: """
              rest-auth config check --config rest-auth.yaml
            """,
        subcommands: [Check.self, Page.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the settings without starting, and say where each comes from.",
            discussion: """
                Exit status 0 when serve would accept them, 1 with the reason when not: files, certificate, address, \
                secret and database are looked at. Nothing is made or changed.

                  rest-auth config check --config rest-auth.yaml
                """)

        @OptionGroup var options: AllOptions

        func run() async throws {
            let source = try options.source()
            let settings = try Settings(source)
            for setting in Setting.all {
                guard let found = source[setting] else { continue }
                try Output.write("\(setting.name) = \(setting.shown(found.value))  (\(found.place))")
            }
            for remark in settings.remarks { try Output.write("note: \(remark)") }
            if let obstacle = settings.passkeyObstacle { try Output.write("note: no passkeys: \(obstacle)") }
            try await settings.withLog { try await settings.rehearse() }
            for warning in settings.warnings + settings.exposedFiles.compactMap(\.advice) {
                try Output.write("warning: \(warning)")
            }
            try Output.write("The settings are good.")
        }
    }

    struct Page: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what the page Settings of the documentation says of each setting.", shouldDisplay: false)

        func run() throws { try Output.write(SettingsPage(of: RESTAuthCommand.self).text) }
    }
}

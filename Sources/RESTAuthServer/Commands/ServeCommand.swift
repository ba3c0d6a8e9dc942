import ArgumentParser
import Foundation

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve users and tokens over HTTP.",
        discussion: """
            Starts with no configuration at all, on http://127.0.0.1:5000, with its data in rest-auth.sqlite in the current directory. \
            SIGTERM and SIGINT let requests in flight finish.

              rest-auth serve
              rest-auth serve --port 8080 --database sqlite:/var/lib/rest-auth/rest-auth.sqlite
              rest-auth serve --hostname 0.0.0.0 --tls-certificate chain.pem --tls-key key.pem --password-policy nist
            """)

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        try await Server(settings: options.load()).run()
    }
}

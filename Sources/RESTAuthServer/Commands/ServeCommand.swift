import ArgumentParser
import Foundation

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve users and tokens over HTTP.",
        discussion: """
            Starts with no configuration at all, on http://127.0.0.1:5000, with its data in rest-auth.sqlite in the \
            current directory. SIGTERM and SIGINT let requests in flight finish. SIGHUP reads the TLS files, the list \
            of breached passwords and the log level again. Sockets that systemd passes on are served in place of \
            --hostname and --port.

              rest-auth serve
              rest-auth serve --port 8080 \\
                  --database sqlite:/var/lib/rest-auth/rest-auth.sqlite
              rest-auth serve --hostname 0.0.0.0 --password-policy nist \\
                  --tls-certificate chain.pem --tls-key key.pem
              rest-auth serve --hostname unix:/run/rest-auth/rest-auth.sock \\
                  --trusted-proxies unix:
              rest-auth serve --database postgres://rest_auth@db.example.com/auth \\
                  --wait-for-database 60
              rest-auth serve --metrics-port 9464
            """)

    @OptionGroup var options: AllOptions

    func run() async throws {
        let options = options
        let source = try options.source()
        try await Server(settings: Settings(source), source: source, read: { try options.source() }).run()
    }
}

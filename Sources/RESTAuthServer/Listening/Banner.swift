import Foundation
import NIOCore
import RESTAuth
import RESTAuthHummingbird

/// The text that a server prints when it is up: where it listens, and what to try. All suggestions
/// work under the settings in force.
struct Banner {
    /// Name of the user that the suggestions register.
    static let username = "miguel"

    let settings: Settings
    let addresses: [SocketAddress]
    /// Addresses of the metrics port; empty where metrics are not served.
    let metricsAddresses: [SocketAddress]
    /// Whether a user of that name exists, whose password is unknown here.
    let isNameTaken: Bool

    func show() {
        let listens = addresses.map { address in
            if case .unixDomainSocket = address {
                address.shown
            } else {
                "\(settings.routes.scheme)://\(address.shown)"
            }
        }.joined(separator: " and ")
        let policy =
            switch settings.auth.passwordPolicy {
            case .open: "open: any password that is not empty (--password-policy nist is stricter)"
            case .nist: "nist: 15 characters or more, not a common one, not the user name"
            }
        let text = """
            rest-auth \(RESTAuthCommand.version) listens on \(listens)
            data      \(settings.database)\(otherFile)
            passwords \(policy)
            \(settings.registrationRestriction.map { "register  \($0)\n" } ?? "")\(metrics)
            Try it:
            \(suggestions.map { "  \($0)\n" }.joined())
            """
        // The server runs even when standard output cannot be written.
        try? Output.write(text)
    }

    private var metrics: String {
        let places = metricsAddresses.map { "http://\($0.shown)\(MetricsAnswers.path)" }
        return places.isEmpty ? "" : "metrics   \(places.joined(separator: " and "))\n"
    }

    /// Hint for a database in the root directory, which is hardly what three slashes were meant to
    /// say.
    private var otherFile: String {
        guard let name = settings.relativeReading, !name.contains("/") else { return "" }
        return " (three slashes begin at the root directory; sqlite:\(name) is in this one)"
    }

    // MARK: Suggestions

    private var suggestions: [String] {
        let password = settings.auth.passwordPolicy == .open ? "python" : Self.randomPassword()
        let (registration, knowsPassword) = registering(password)
        let credentials = knowsPassword ? "\(Self.username):\(password)" : Self.username
        return registration + ["/api/token", "/api/resource"].map { curl("-u \(credentials) -i", $0) }
    }

    /// The commands that register the user, and whether the password is known then; otherwise curl
    /// asks for it.
    private func registering(_ password: String) -> (commands: [String], knowsPassword: Bool) {
        if isNameTaken { return ([], false) }
        // A registration challenge is solved by a program; no command here does that.
        if settings.auth.registration == .closed || settings.auth.registrationChallenge != nil {
            return ([command("users add \(Self.username)")], false)
        }
        let isInvited = settings.auth.registration == .invitation
        let invitation = isInvited ? #","invitation":"CODE""# : ""
        let body = #"{"username":"\#(Self.username)","password":"\#(password)"\#(invitation)}"#
        return (
            (isInvited ? [command("invitations create")] : [])
                + [curl("-i -X POST -H 'Content-Type: application/json' -d '\(body)'", "/api/users")], true
        )
    }

    private func command(_ words: String) -> String {
        // The path that started the program, when it is not installed.
        let program = CommandLine.arguments.first.map { $0.contains("/") ? $0 : "rest-auth" } ?? "rest-auth"
        return ([Self.quoted(program), words] + settings.commandArguments.map(Self.quoted)).joined(separator: " ")
    }

    /// A curl command for this machine: a proxy in front of the server need not be running yet.
    private func curl(_ options: String, _ path: String) -> String {
        guard let address = addresses.first else { return "" }
        let socket = address.isUnixSocket ? " --unix-socket \(Self.quoted(address.pathname ?? ""))" : ""
        guard let tls = settings.tls else { return "curl\(socket) \(options) http://\(address.reachable)\(path)" }
        // Uses a name in the certificate, and trusts only that certificate.
        let publicName = settings.routes.publicURL.flatMap { URLComponents(string: $0)?.host }
        let names = tls.leaf?.hostNames.map { $0.replacing("*", with: "auth") } ?? []
        let known = publicName.flatMap { names.contains($0) ? $0 : nil } ?? names.first
        let host = known.map { name in address.port.map { "\(name):\($0)" } ?? name } ?? address.reachable
        let way = address.isUnixSocket || known == nil ? socket : " --connect-to \(host):\(address.reachable)"
        return "curl --cacert \(Self.quoted(tls.certificate))\(way) \(options) https://\(host)\(path)"
    }

    /// A password that is in no list of common passwords.
    private static func randomPassword() -> String {
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        let groups = (0..<4).map { _ in String((0..<5).map { _ in letters.randomElement() ?? "x" }) }
        return groups.joined(separator: "-")
    }

    /// The text quoted as one word of a shell.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.wholeMatch(of: /[A-Za-z0-9_.,:\/@%+=-]+/) != nil
        return isPlain ? word : "'" + word.replacing("'", with: #"'\''"#) + "'"
    }
}

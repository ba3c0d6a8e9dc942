import Foundation
import RESTAuth
import RESTAuthHummingbird

/// What a newcomer reads when the server is up: where it is, and what to try. Everything that is
/// suggested works under the settings in force.
struct Banner {
    /// Who is registered by what is suggested.
    static let username = "miguel"

    let settings: Settings
    let port: Int
    /// Whether there is such a user, whose password is known to nobody here.
    let isNameTaken: Bool

    func show() {
        let host = settings.hostname.contains(":") ? "[\(settings.hostname)]" : settings.hostname
        let policy =
            switch settings.passwordPolicy {
            case .open: "open: any password that is not empty (--password-policy nist is stricter)"
            case .nist: "nist: 15 characters or more, not a common one, not the user name"
            }
        let text = """
            rest-auth \(RESTAuthCommand.version) listens on \(settings.scheme)://\(host):\(port)
            data      \(settings.database)\(otherFile)
            passwords \(policy)
            \(settings.registrationRestriction.map { "register  \($0)\n" } ?? "")
            Try it:
            \(suggestions.map { "  \($0)\n" }.joined())


            """
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    /// In the root directory nobody wants it who has counted the slashes.
    private var otherFile: String {
        guard let name = settings.relativeReading, !name.contains("/") else { return "" }
        return " (three slashes begin at the root directory; sqlite:\(name) is in this one)"
    }

    // MARK: What to try

    private var suggestions: [String] {
        let password = settings.passwordPolicy == .open ? "python" : Self.randomPassword()
        let (registration, knowsPassword) = registering(password)
        let credentials = knowsPassword ? "\(Self.username):\(password)" : Self.username
        return registration + ["/api/token", "/api/resource"].map { curl("-u \(credentials) -i", $0) }
    }

    /// How that user comes to be, and whether with that password; otherwise curl asks for it.
    private func registering(_ password: String) -> (commands: [String], knowsPassword: Bool) {
        if isNameTaken { return ([], false) }
        // Work is for a program to do, and for no command of ours.
        if settings.registration == .closed || settings.registrationChallenge != nil {
            return ([command("users add \(Self.username)")], false)
        }
        let isInvited = settings.registration == .invitation
        let invitation = isInvited ? #","invitation":"CODE""# : ""
        let body = #"{"username":"\#(Self.username)","password":"\#(password)"\#(invitation)}"#
        return (
            (isInvited ? [command("invitations create")] : [])
                + [curl("-i -X POST -H 'Content-Type: application/json' -d '\(body)'", "/api/users")], true
        )
    }

    private func command(_ words: String) -> String {
        // As it was started, where it is not installed.
        let program = CommandLine.arguments.first.map { $0.contains("/") ? $0 : "rest-auth" } ?? "rest-auth"
        return ([Self.quoted(program), words] + settings.commandArguments.map(Self.quoted)).joined(separator: " ")
    }

    private func curl(_ options: String, _ path: String) -> String {
        guard let tls = settings.tls else { return "curl \(options) http://\(reachable):\(port)\(path)" }
        // By a name that the certificate is for, and trusting just that certificate.
        let publicName = settings.publicURL.flatMap { URLComponents(string: $0)?.host }
        let names = tls.hostNames
        let name = publicName.flatMap { names.contains($0) ? $0 : nil } ?? names.first ?? reachable
        let way = name == reachable ? "" : " --connect-to \(name):\(port):\(reachable):\(port)"
        return "curl --cacert \(Self.quoted(tls.certificate))\(way) \(options) https://\(name):\(port)\(path)"
    }

    /// From this machine: every address of it is none to connect to, and what stands in front of
    /// the server need not be there yet.
    private var reachable: String {
        switch settings.hostname {
        case "0.0.0.0": "127.0.0.1"
        case "::": "[::1]"
        case let host: host.contains(":") ? "[\(host)]" : host
        }
    }

    /// What no list of common passwords has.
    private static func randomPassword() -> String {
        let letters = Array("abcdefghjkmnpqrstuvwxyz23456789")
        let groups = (0..<4).map { _ in String((0..<5).map { _ in letters.randomElement() ?? "x" }) }
        return groups.joined(separator: "-")
    }

    /// As one word of a shell.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.wholeMatch(of: /[A-Za-z0-9_.,:\/@%+=-]+/) != nil
        return isPlain ? word : "'" + word.replacing("'", with: #"'\''"#) + "'"
    }
}

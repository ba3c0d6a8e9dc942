import Foundation
import RESTAuth
import RESTAuthHummingbird

/// Findings from the settings alone. `serve` logs them at its start.
extension Settings {
    /// The first address that other machines can reach.
    var openAddress: String? {
        (try? listenAddress.addresses(port: port))?.first { !$0.isLoopback }?.shown
    }

    /// - Parameter address: the first address that other machines can reach; `nil` where there is
    ///   none.
    func advice(reachableAt address: String?) -> [Finding] {
        adviceOnPasswords + adviceOnTheDatabase + (address.map(adviceWhereReachable) ?? []) + adviceOnProxies
            + adviceOnBrowsers + adviceOnMetrics
    }

    private var adviceOnPasswords: [Finding] {
        var findings: [Finding] = []
        if breachedPasswords != nil, auth.passwordPolicy == .open {
            findings.append(
                .dangerous(
                    .passwords.breached, "the open password policy does not ask the list of breached passwords",
                    "set --password-policy nist"))
        }
        if auth.legacySecret != nil {
            findings.append(
                .dangerous(
                    .importedUsers.legacySecret, "tokens of a Flask server are accepted",
                    "take legacy_secret out of the settings once the last of them has expired"))
        }
        if !auth.throttle.isOn {
            findings.append(
                .dangerous(
                    .guessing.isOn,
                    "wrong passwords are not counted, so anybody may guess as fast as passwords are hashed",
                    "set --throttle yes"))
        }
        return findings
    }

    private var adviceOnTheDatabase: [Finding] {
        guard database.isOpenToOthers, ProcessInfo.processInfo.environment["PGSSLMODE"] != "verify-full" else {
            return []
        }
        return [
            .dangerous(
                .database.url, "whether the database is the right one is not checked",
                "add sslmode=verify-full&sslrootcert=FILE to its URL")
        ]
    }

    private func adviceWhereReachable(at address: String) -> [Finding] {
        var findings: [Finding] = []
        if auth.passwordPolicy == .open {
            findings.append(
                .dangerous(
                    .passwords.policy,
                    "the open password policy takes any password, and \(address) can be reached from other machines",
                    "consider --password-policy nist"))
        }
        if routes.publicUsers {
            findings.append(
                .dangerous(
                    .clients.publicUsers, "anybody may look up the name of a user by number",
                    "set --public-users no where only who is signed in should"))
        }
        if routes.publicRevocations {
            findings.append(
                .dangerous(
                    .clients.publicRevocations, "anybody may read which sessions have ended",
                    "set --public-revocations no where only clients should"))
        }
        if tls == nil, trustedProxies.isEmpty {
            findings.append(
                .dangerous(
                    .tls.certificate, "passwords travel in the clear to \(address)",
                    """
                    set --tls-certificate and --tls-key, or put a TLS proxy in front and name it with --trusted-proxies
                    """
                ))
        }
        return findings
    }

    private var adviceOnProxies: [Finding] {
        var findings: [Finding] = []
        if let publicURL = routes.publicURL, publicURL.utf8.starts(with: "http:".utf8),
            !AuthRoutesConfiguration.isLoopbackInTheClear(publicURL)
        {
            findings.append(
                .dangerous(
                    .clients.publicURL, "clients are told to use \(publicURL), where passwords travel in the clear",
                    "use https there"))
        }
        if let publicURL = routes.publicURL, publicURL.utf8.starts(with: "https:".utf8), tls == nil,
            trustedProxies.isEmpty
        {
            findings.append(
                .dangerous(
                    .clients.trustedProxies,
                    """
                    public_url is https and this server speaks http, so a proxy stands in front and none is named: all \
                    clients count as one network
                    """,
                    "set --trusted-proxies to the proxy's address"))
        }
        if trustedProxies.contains(where: \.isEverybody) {
            findings.append(
                .dangerous(
                    .clients.trustedProxies, "everybody is a trusted proxy, so every client may claim any address",
                    "name the proxies' own addresses"))
        }
        if case .unixSocket(let path) = listenAddress, socketMode & 0o002 != 0,
            trustedProxies.contains(where: \.isUnixSockets)
        {
            findings.append(
                .dangerous(
                    .socket.mode,
                    """
                    every user of this machine may connect to \(path) and is a trusted proxy, so each may claim any \
                    address
                    """,
                    "set --socket-mode 0660, and --socket-group to the proxy's group"))
        }
        return findings
    }

    private var adviceOnMetrics: [Finding] {
        guard let metricsPort,
            let address = (try? metricsAddress.addresses(port: metricsPort))?.first(where: { !$0.isLoopback })
        else { return [] }
        return [
            .dangerous(
                .metrics.hostname,
                "who reaches \(address.shown) may read how many sign in and fail, and when keys change",
                "let a firewall or a network of its own admit Prometheus alone")
        ]
    }

    private var adviceOnBrowsers: [Finding] {
        guard routes.refreshTokenInCookie, !routes.refreshTokenCookieSecure else { return [] }
        return [
            .dangerous(
                .sessions.refreshTokenCookieSecure,
                "the cookie is given without Secure to who comes by http://localhost",
                "take refresh_token_cookie_secure out of the settings elsewhere")
        ]
    }
}

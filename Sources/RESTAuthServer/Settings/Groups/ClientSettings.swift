import RESTAuth
import RESTAuthHummingbird

struct ClientSettings: SettingGroup {
    static let title = "Clients, proxies and browsers"

    let publicURL = Setting(
        "public_url", \.routes.publicURL, .publicURL, standard: "from the request",
        "URL that clients reach this server by.",
        details: """
            Without user, query and fragment. Also the issuer of the server's tokens, so changing it ends the live ones.
            """)
    let trustedProxies = Setting(
        "trusted_proxies", \.trustedProxies, SettingType.networks.orNone,
        "Proxies that are believed about their clients, with commas between.",
        details: """
            Addresses or CIDR ranges, and `unix:` for a unix-domain socket. Their `X-Forwarded-For`, `-Host`, `-Proto` \
            and `-Port` count.
            """)
    let forwardedFields = Setting(
        "forwarded_fields", \.forwardedFields, .choice,
        "Where trusted proxies say for whom they ask: X-Forwarded-For and its like, or Forwarded.",
        details: """
            `x-forwarded` also reads `X-Real-IP` where there is no `X-Forwarded-For`; `forwarded` is RFC 7239. The \
            fields of the other family never count.
            """)
    let corsOrigins = Setting(
        "cors_origins", \.corsOrigins, SettingType.origins.orNone,
        "Origins whose pages may call this server, with commas between; * for all.",
        details: """
            `https://app.example.com`, `https://*.example.com` for every host below it, `http://localhost:*` for every \
            port, `capacitor://localhost` for an application's own scheme. `*` is for all, without cookies.
            """)
    let publicUsers = Setting(
        "public_users", \.routes.publicUsers, .flag, "Whether GET /api/users/ID answers anybody.",
        details: "With `no`, it answers whoever is signed in.")
    let publicRevocations = Setting(
        "public_revocations", \.routes.publicRevocations, .flag, "Whether GET /api/revocations answers anybody.",
        details: "With `no`, it answers clients only, which `rest-auth clients add` makes.")
}

extension Setting {
    static let clients = ClientSettings()
}

extension SettingType<String> {
    fileprivate static let publicURL = SettingType(
        placeholder: "url", range: "an http or https URL such as https://auth.example.com", text: \.self,
        shown: DatabaseURL.withoutPassword
    ) { found throws(AuthError) in
        do throws(AuthError) {
            return try PublicURL.read(found.value)
        } catch {
            throw found.refused("must be an http or https URL such as https://auth.example.com: \(error.detail)")
        }
    }
}

extension SettingType<[Network]> {
    fileprivate static let networks = SettingType(
        placeholder: "list", range: "addresses and CIDR ranges with commas between, and unix: for a socket",
        text: { $0.map { "\($0)" }.joined(separator: ",") }
    ) { found throws(AuthError) in
        var networks: [Network] = []
        for text in found.list {
            do throws(AuthError) {
                networks.append(try Network(written: text))
            } catch {
                throw AuthError(.misconfigured, "\(found.place) has \"\(text)\": \(error.detail)")
            }
        }
        return networks
    }
}

extension SettingType<[String]> {
    fileprivate static let origins = list("origins", "origins with commas between, or *") {
        origins, found throws(AuthError) in
        for origin in origins where origin != "*" {
            do throws(AuthError) {
                _ = try OriginPattern(origin)
            } catch {
                throw AuthError(.misconfigured, "\(found.place) has \(error.detail)")
            }
        }
    }
}

import RESTAuth
import RESTAuthHummingbird

struct ClientSettings: SettingGroup {
    static let title = "Clients, proxies and browsers"

    let publicURL = Setting(
        "public_url", \.routes.publicURL, .publicURL, standard: "from the request",
        "URL by which clients reach this server.",
        details: """
            Without user, query and fragment. It is also the issuer of the tokens, so a change invalidates all live \
            tokens.
            """)
    let trustedProxies = Setting(
        "trusted_proxies", \.trustedProxies, SettingType.networks.orNone,
        "Proxies that are trusted to name their clients, separated by commas.",
        details: """
            Addresses or CIDR ranges, and `unix:` for a unix-domain socket. Their `X-Forwarded-For`, `-Host`, `-Proto` \
            and `-Port` are used, or their `Forwarded`, as `forwarded_fields` says.
            """)
    let forwardedFields = Setting(
        "forwarded_fields", \.forwardedFields, .choice,
        "Fields in which trusted proxies name the client: X-Forwarded-For and the like, or Forwarded.",
        details: """
            `x-forwarded` also reads `X-Real-IP` if there is no `X-Forwarded-For`; `forwarded` is the field of RFC \
            7239. The fields of the other family are never used.
            """)
    let corsOrigins = Setting(
        "cors_origins", \.corsOrigins, SettingType.origins.orNone,
        "Origins whose pages may call this server, separated by commas; * for all.",
        details: """
            For example `https://app.example.com`, `https://*.example.com` for every host below it, \
            `http://localhost:*` for every port, `capacitor://localhost` for an application with a scheme of its own. \
            `*` allows all origins, without cookies.
            """)
    let publicUsers = Setting(
        "public_users", \.routes.publicUsers, .flag, "Whether anyone may use GET /api/users/ID without signing in.",
        details: "With `no`, only users who are signed in may use it.")
    let publicRevocations = Setting(
        "public_revocations", \.routes.publicRevocations, .flag, "Whether anyone may use GET /api/revocations.",
        details: "With `no`, only clients that were made with `rest-auth clients add` may use it.")
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

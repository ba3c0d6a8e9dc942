import RESTAuth
import RESTAuthHummingbird

struct PasskeySettings: SettingGroup {
    static let title = "Passkeys"

    let id = Setting(
        "webauthn_rp_id", \.passkeys.id, .relyingParty, standard: "the host of public_url",
        "Domain that passkeys are bound to.",
        details: """
            It is fixed with the first passkey: with another one the server does not start. Without `public_url` there \
            are no passkeys, except on this machine, by `http://localhost` and the port.
            """)
    let name = Setting(
        "webauthn_rp_name", \.passkeys.name, .text("name", "a name"), standard: "that domain",
        "Name of this service in authenticators.")
    let origins = Setting(
        "webauthn_origins", \.passkeys.origins, .passkeyOrigins, standard: "that of public_url",
        "Pages and apps that may use passkeys, separated by commas.",
        details: """
            Origins such as `https://app.example.com`, `android:apk-key-hash:` with the digest of an app's certificate \
            in base64url, `ios:bundle-id:` with an app's name. Those of other domains are listed in \
            `/.well-known/webauthn`.
            """)
    let topOrigins = Setting(
        "webauthn_top_origins", \.passkeys.topOrigins, SettingType.topOrigins.orNone,
        "Pages that may use passkeys in a frame of theirs, separated by commas.",
        details: "For example `https://shop.example`, in whose pages a page of `webauthn_origins` is a frame.")
}

extension Setting {
    static let passkeys = PasskeySettings()
}

/// The settings that a relying party is made of.
struct PasskeyNames: Sendable {
    var id: String?
    var name: String?
    var origins: [String]?
    var topOrigins: [String] = []
}

extension SettingType<String> {
    fileprivate static let relyingParty = SettingType(
        placeholder: "domain", range: "a domain in small letters such as example.com", text: \.self
    ) { found throws(AuthError) in
        try found.explaining { () throws(AuthError) in try RelyingParty.checkID(found.value) }
        return found.value
    }
}

extension SettingType<[String]> {
    fileprivate static let passkeyOrigins = list("origins", "origins of pages or apps with commas between") {
        origins, found throws(AuthError) in
        try found.explaining { () throws(AuthError) in
            guard !origins.isEmpty else { throw AuthError(.misconfigured, "there is no origin in it") }
            try RelyingParty.checkOrigins(origins)
        }
    }

    fileprivate static let topOrigins = list("origins", "origins of pages with commas between") {
        origins, found throws(AuthError) in
        try found.explaining { () throws(AuthError) in try RelyingParty.checkTopOrigins(origins) }
    }
}

extension Settings {
    /// Makes the relying party of passkeys.
    /// - Returns: the reason why there is none, in words; `nil` when there is one.
    /// - Throws: `misconfigured` for settings of passkeys that do not fit together.
    mutating func makeRelyingParty(_ source: SettingsSource) throws(AuthError) -> String? {
        let given = Setting.passkeys
        let isAsked = [given.id, given.name, given.origins, given.topOrigins].contains { source[$0] != nil }
        do throws(AuthError) {
            guard let url = routes.publicURL ?? localURL else {
                throw AuthError(.misconfigured, "passkeys need a domain: set public_url")
            }
            auth.relyingParty = try RelyingParty(
                id: passkeys.id, name: passkeys.name, publicURL: url, origins: passkeys.origins,
                topOrigins: passkeys.topOrigins)
            return nil
        } catch {
            if isAsked { throw error }
            return error.detail
        }
    }

    /// The URL by which a browser on this machine finds the server; `nil` where that is not known.
    private var localURL: String? {
        guard case .host = listenAddress, openAddress == nil, trustedProxies.isEmpty, port != 0 else { return nil }
        return "\(tls == nil ? "http" : "https")://localhost:\(port)"
    }
}

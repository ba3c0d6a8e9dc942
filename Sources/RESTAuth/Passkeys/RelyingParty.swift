import Crypto

/// The relying party of passkeys: a domain, and the pages and apps that may use its passkeys.
public struct RelyingParty: Sendable {
    /// The domain that passkeys are bound to for ever.
    public let id: String
    /// Shown by authenticators.
    public let name: String
    /// Pages, and apps of Android and iOS, as client data names them.
    public let origins: [String]
    /// Pages that may have one of ``origins`` in a frame, where a passkey is used.
    public let topOrigins: [String]
    let idHash: [UInt8]

    /// - Parameters:
    ///   - id: the domain; by default the host of `publicURL`.
    ///   - name: by default the domain.
    ///   - publicURL: the URL of the server.
    ///   - origins: `https://example.org`, `android:apk-key-hash:` with the digest of an app's
    ///     certificate in base64url, `ios:bundle-id:` with an app's name; by default the origin of
    ///     `publicURL`. An app of iOS that uses associated domains says `https://` and the domain.
    ///   - topOrigins: pages that may have those of `origins` in a frame; by default none.
    /// - Throws: `misconfigured`.
    public init(
        id: String? = nil, name: String? = nil, publicURL: String, origins: [String]? = nil, topOrigins: [String] = []
    ) throws(AuthError) {
        guard let own = WebOrigin(ofURL: publicURL) else {
            throw AuthError(
                .misconfigured,
                """
                passkeys need a public URL with https and the name of a host (or http://localhost), and not \
                \(publicURL): browsers give none to an address
                """
            )
        }
        let id = id ?? own.host
        try Self.checkID(id)
        let origins = origins ?? [own.text]
        try Self.checkOrigins(origins)
        try Self.checkTopOrigins(topOrigins)
        guard origins.contains(where: { WebOrigin($0)?.isWithin(id) ?? false }) else {
            throw AuthError(
                .misconfigured,
                """
                none of the origins of passkeys (\(origins.joined(separator: ", "))) is at \(id) or below it: set \
                webauthn_origins to a page there
                """)
        }
        self.id = id
        self.name = name ?? id
        self.origins = origins
        self.topOrigins = topOrigins
        idHash = Array(SHA256.hash(data: Array(id.utf8)))
    }

    package static func checkID(_ id: String) throws(AuthError) {
        guard DomainName.isValid(WireText(id)),
            DomainName.isLocal(WireText(id)) || id.utf8.contains(UInt8(ascii: "."))
        else {
            throw AuthError(
                .misconfigured, "passkeys cannot be bound to \(id): give a domain in small letters, as auth.example.com"
            )
        }
    }

    package static func checkOrigins(_ origins: [String]) throws(AuthError) {
        for origin in origins where WebOrigin(origin) == nil && !isApp(origin) {
            throw AuthError(
                .misconfigured,
                "\(origin) is no origin of passkeys: give it as https://example.org without a path, or as an app's"
            )
        }
    }

    package static func checkTopOrigins(_ origins: [String]) throws(AuthError) {
        for origin in origins where WebOrigin(origin) == nil {
            throw AuthError(.misconfigured, "\(origin) is no origin of a page: give it as https://example.org")
        }
    }

    private static func isApp(_ text: String) -> Bool {
        let text = WireText(text)
        if let digest = text.after("android:apk-key-hash:") { return Base64.url.decode(digest.bytes)?.count == 32 }
        guard let name = text.after("ios:bundle-id:") else { return false }
        return (1...155).contains(name.bytes.count)
            && name.bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// The document that browsers read at `/.well-known/webauthn` of the domain (Level 3 section
    /// 5.11): the pages elsewhere. `nil` when there are none.
    package var relatedOrigins: JSON? {
        let related = origins.filter { WebOrigin($0)?.isWithin(id) == false }
        return related.isEmpty ? nil : ["origins": .array(related.map(JSON.string))]
    }

    /// Checks where an answer was made (sections 7.1 steps 9 to 11, 7.2 steps 12 to 14), byte by
    /// byte.
    ///
    /// A page in a frame of another origin is accepted only where the client names that origin, and
    /// it is one of ``topOrigins``.
    func accepts(_ data: ClientData) throws(PasskeyRefusal) {
        guard Self.contains(origins, data.origin) else { throw .origin }
        switch (data.isCrossOrigin, data.topOrigin) {
        case (false, nil): return
        case (true, let top?) where Self.contains(topOrigins, top): return
        default: throw .crossOrigin
        }
    }

    private static func contains(_ list: [String], _ text: String) -> Bool {
        list.contains { $0.utf8.elementsEqual(text.utf8) }
    }
}

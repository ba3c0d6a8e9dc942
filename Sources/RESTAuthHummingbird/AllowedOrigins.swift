public import RESTAuth

/// A pattern for the origins whose pages may call, as an operator writes it.
///
/// | Written | Stands for |
/// |---|---|
/// | `https://app.example.com` | that origin |
/// | `https://*.example.com` | every host below `example.com`, not `example.com` itself |
/// | `http://localhost:*` | that host on every port |
/// | `capacitor://localhost` | the pages of an application with a scheme of its own |
///
/// Upper case, a trailing slash and the scheme's default port make no difference.
public struct OriginPattern: Sendable, Hashable {
    private let parts: OriginParts
    /// The end of the host names, with its leading dot, when the host begins with a star.
    private let domain: WireText?

    /// - Throws: `misconfigured`, with what to write, for text that is no origin and no pattern of
    ///   origins.
    public init(_ text: String) throws(AuthError) {
        let whole = WireText(text)
        guard let parts = OriginParts(whole) else {
            throw Self.refusal(of: whole, Self.adviceOnForm(whole) ?? Self.adviceOnScheme(whole))
        }
        if let advice = Self.adviceOnForm(whole) ?? Self.advice(on: parts) { throw Self.refusal(of: whole, advice) }
        self.parts = parts
        domain = parts.host.after("*")
    }

    func includes(_ origin: OriginParts) -> Bool {
        guard parts.scheme == origin.scheme, parts.port == .any || parts.port == origin.port else { return false }
        guard let domain else { return parts.host == origin.host }
        let (host, end) = (origin.host.bytes, domain.bytes)
        return host.count > end.count && host.reversed().starts(with: end.reversed())
    }

    // MARK: Refusals

    private static func refusal(of text: WireText, _ advice: String) -> AuthError {
        // The text before an at sign may be a password, so it is not shown.
        let shown = text.bytes.contains(UInt8(ascii: "@")) ? "a user in it" : "\"\(text.string)\""
        return AuthError(.misconfigured, "\(shown), which is no origin: \(advice)")
    }

    private static let everybody =
        "write * if pages of all sites may call, or serve the page from an origin such as https://app.example.com"

    private static func adviceOnForm(_ text: WireText) -> String? {
        let schemes: [StaticString] = ["file:", "about:", "data:"]
        if text.isWord("null") || schemes.contains(where: { text.lowercased.begins(with: $0) }) {
            return "null is what browsers say of files, and of a frame of whatever site; \(everybody)"
        }
        if text.bytes.contains(where: { $0 <= 0x20 || "\"';".utf8.contains($0) }) {
            return "origins stand with commas between them and without quotes, as https://a.example,https://b.example"
        }
        if text.bytes.contains(where: { #"\^$(){}|"#.utf8.contains($0) }) {
            return """
                it is taken as it stands, and a star is all that stands for others: in front of a domain, as in \
                https://*.example.com, or for the port, as in http://localhost:*
                """
        }
        return text.bytes.allSatisfy { $0 < 0x80 }
            ? nil : "write the host as browsers send it, in ASCII: https://xn--bcher-kva.example"
    }

    private static func adviceOnScheme(_ text: WireText) -> String {
        let text = text.lowercased
        let all: [StaticString] = ["all", "any", "true", "yes", "**", "*.*"]
        if all.contains(where: { text.equals($0) }) { return everybody }
        let none: [StaticString] = ["self", "same-origin", "none", "false", "no"]
        if none.contains(where: { text.equals($0) }) {
            return "pages of the server's own origin may call anyway; leave it out where no others may"
        }
        if let own = withSlashes(text) { return "two slashes stand after a scheme, write \(own)" }
        let page = text.after("blob:") ?? text
        let rest =
            page.from(":").after("://") ?? page.after("https:") ?? page.after("http:") ?? page.after("https//")
            ?? page.after("http//") ?? page
        let name = String(Substring(rest.bytes.drop { $0 == UInt8(ascii: "/") }))
        let host = HostName.canonicalIPv6(name).map { "[\($0)]" } ?? name
        let meant = OriginParts(WireText("https://\(host)"))
        let scheme = meant?.isLoopback == true ? "http" : "https"
        return "it begins with a scheme, write \(suggestion(meant, scheme: scheme))"
    }

    /// The pattern with two slashes after its scheme, for text with an application's own scheme and
    /// without the slashes. `nil` for a host with a port, and for `http` and `https`.
    private static func withSlashes(_ text: WireText) -> String? {
        let scheme = text.before(":")
        guard let rest = text.from(":").after(":"), let first = rest.bytes.first,
            first != UInt8(ascii: "*"), WireText(Substring(rest.bytes.prefix(1))).isDigits == false,
            let parts = OriginParts(WireText("\(scheme.string)://\(rest.string)")), !parts.isWeb, parts.hasHost,
            parts.rest.isEmpty, parts.port != .invalid
        else { return nil }
        return suggestion(parts, scheme: scheme.string)
    }

    private static func advice(on parts: OriginParts) -> String? {
        let hasStar = parts.host.bytes.contains(UInt8(ascii: "*"))
        if parts.host.equals("*") { return "\(everybody); https://*.example.com stands for all hosts below one domain" }
        if hasStar && !isBelowDomain(parts.host) || parts.host.begins(with: ".") && parts.isWeb {
            return "a star stands for all that is in front of a domain of one's own, as in https://*.example.com"
        }
        if !hasStar && !parts.hasValidHost {
            return """
                its host is no name or address as browsers send it, write https://app.example.com, \
                http://127.0.0.1:3000 or http://[::1]:3000
                """
        }
        if parts.scheme.equals("wss") || parts.scheme.equals("ws") {
            return "a page has the scheme http or https, write \(suggestion(parts, scheme: "https"))"
        }
        if parts.port == .invalid { return "a port is a number from 1 to 65535, or *" }
        guard parts.rest.isEmpty || parts.rest.equals("/"), !parts.hasUser else {
            return "it has a scheme, a host and a port only, write \(suggestion(parts, scheme: parts.scheme.string))"
        }
        return nil
    }

    /// Whether the host is a star in front of a domain. The domain needs two labels or more,
    /// because nobody can say who owns the hosts below a single label; `localhost` is the
    /// exception.
    private static func isBelowDomain(_ host: WireText) -> Bool {
        guard let domain = host.after("*."), let parts = OriginParts(WireText("https://\(domain.string)")),
            parts.hasHost, !HostName.isIPv4(domain.string), !domain.begins(with: "[")
        else { return false }
        return domain.equals("localhost") || domain.trimmingEnd(".").bytes.contains(UInt8(ascii: "."))
    }

    private static func suggestion(_ parts: OriginParts?, scheme: String) -> String {
        guard let parts, parts.hasValidHost || isBelowDomain(parts.host) else { return "https://app.example.com" }
        let port =
            switch parts.port {
            case .number(let number): ":\(number)"
            case .any: ":*"
            case .standard, .invalid: ""
            }
        return "\(scheme)://\(parts.host.string)\(port)"
    }
}

/// The origins whose pages may call the routes.
struct AllowedOrigins: Sendable {
    enum Standing {
        /// Allowed by a pattern.
        case named
        /// Allowed only by the star, which also allows a value that is no origin, such as `null`.
        case any
        case stranger
    }

    private let patterns: [OriginPattern]
    private let allowsAll: Bool

    /// - Parameter texts: each an ``OriginPattern`` or `*` for all origins. Text that is neither is
    ///   ignored.
    init(_ texts: some Sequence<String>) {
        allowsAll = texts.contains { WireText($0).equals("*") }
        patterns = texts.compactMap { try? OriginPattern($0) }
    }

    /// The standing of a request's origin.
    /// - Parameter values: the values of all `Origin` fields of the request.
    /// - Returns: `nil` when the request has no such field.
    func standing(of values: [String]) -> Standing? {
        guard let value = values.first else { return nil }
        // With two fields, it is not known which one names the page.
        guard values.count == 1 else { return .stranger }
        if let origin = OriginParts(WireText(value)), origin.isOrigin,
            patterns.contains(where: { $0.includes(origin) })
        {
            return .named
        }
        return allowsAll ? .any : .stranger
    }
}

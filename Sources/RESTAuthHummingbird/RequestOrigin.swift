import HTTPTypes
import Hummingbird
import RESTAuth

/// The scheme and host that the client used, for the URLs in an answer.
struct RequestOrigin {
    private let base: String

    /// Takes the public URL, or else the host of the request.
    /// - Throws: 400 for a host that is missing or cannot stand in a URL, with the field that it
    ///   came by.
    init(_ request: Request, configuration: AuthRoutesConfiguration) throws(Problem) {
        if let url = configuration.publicURL {
            base = url
            return
        }
        var scheme = configuration.scheme
        var (host, field) = (request.head.authority, "Host field")
        if configuration.believesForwardedFields {
            let proto = request.headers[.xForwardedProto].map { WireText($0) }
            if proto?.isWord("http") == true || proto?.isWord("ws") == true { scheme = "http" }
            if proto?.isWord("https") == true || proto?.isWord("wss") == true { scheme = "https" }
            if let forwarded = request.headers[.xForwardedHost] {
                (host, field) = (forwarded, "host that the proxy names (X-Forwarded-Host, or Forwarded)")
            }
        }
        guard let host, HostName.isValid(host) else {
            throw Problem(.badRequest, code: "invalid_host", detail: "The \(field) is missing or is not a host name.")
        }
        base = "\(scheme)://\(host)"
    }

    /// Whether these URLs are `http` on a loopback host.
    var isLoopbackInTheClear: Bool { AuthRoutesConfiguration.isLoopbackInTheClear(base) }

    /// Whether `origin` is the scheme, host and port of these URLs (RFC 6454). Browsers leave out a
    /// scheme's default port.
    func isOrigin(_ origin: WireText) -> Bool {
        let own = WireText(base).lowercased
        let (scheme, port): (StaticString, StaticString) =
            own.begins(with: "https://") ? ("https://", ":443") : ("http://", ":80")
        guard let authority = own.after(scheme)?.before("/"), let named = origin.lowercased.after(scheme) else {
            return false
        }
        return named == (authority.before(end: port) ?? authority)
    }

    /// The path of a request as its client sees it, without a trailing slash.
    static func path(of request: Request, configuration: AuthRoutesConfiguration) -> String {
        (configuration.publicURL.map(path(ofURL:)) ?? "") + request.uri.path.trimmingSlashes
    }

    /// The path in a URL; empty for none.
    static func path(ofURL url: String) -> String {
        let url = WireText(url)
        return (url.after("https://") ?? url.after("http://") ?? url).from("/").string
    }

    /// The absolute URL of a path that starts with a slash.
    func url(of path: some StringProtocol) -> String { base + path }
}

extension String {
    /// The text without trailing slashes.
    var trimmingSlashes: String { WireText(self).trimmingEnd("/").string }

    /// The path without its last segment and the slashes before that.
    var droppingSegment: String {
        let end = utf8.lastIndex(of: UInt8(ascii: "/")) ?? startIndex
        return String(self[..<end]).trimmingSlashes
    }
}

extension HTTPField.Name {
    static let via = Self("Via")!
    static let pragma = Self("Pragma")!
}

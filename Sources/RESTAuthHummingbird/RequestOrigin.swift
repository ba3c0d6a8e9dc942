import HTTPTypes
import Hummingbird

/// The scheme and host that the client used, for the URLs in an answer.
struct RequestOrigin {
    private let base: String

    /// - Throws: 400 for a missing host or one that could not stand in a URL.
    init(_ request: Request, configuration: AuthRoutesConfiguration) throws(Problem) {
        if let url = configuration.publicURL {
            base = url
            return
        }
        var scheme = configuration.scheme
        var host = request.head.authority
        if configuration.believesForwardedFields {
            if let proto = request.headers[.xForwardedProto]?.lowercased(), proto == "http" || proto == "https" {
                scheme = proto
            }
            if let forwarded = request.headers[.xForwardedHost] { host = forwarded }
        }
        guard let host, HostName.isValid(host) else {
            throw Problem(.badRequest, code: "invalid_host", detail: "The Host field is missing or is not a host name.")
        }
        base = "\(scheme)://\(host)"
    }

    /// Whether `origin` is the scheme, host and port of these URLs (RFC 6454). Browsers leave a
    /// scheme's own port out.
    func isOrigin(_ origin: String) -> Bool {
        let afterScheme = base.firstRange(of: "://")?.upperBound ?? base.startIndex
        let own = base[..<(base[afterScheme...].firstIndex(of: "/") ?? base.endIndex)].lowercased()
        let ownPort = own.hasPrefix("https:") ? ":443" : ":80"
        return (own.hasSuffix(ownPort) ? String(own.dropLast(ownPort.count)) : own) == origin.lowercased()
    }

    /// The path of a request as its client sees it, without a slash at the end.
    static func path(of request: Request, configuration: AuthRoutesConfiguration) -> String {
        let prefix = configuration.publicURL.flatMap { url in
            url.firstRange(of: "://").flatMap { url[$0.upperBound...].firstIndex(of: "/") }.map { String(url[$0...]) }
        }
        return (prefix ?? "") + request.uri.path.trimmingSlashes
    }

    /// The absolute URL of a path that starts with a slash.
    func url(of path: some StringProtocol) -> String { base + path }
}

extension String {
    /// Without slashes at the end.
    var trimmingSlashes: Substring {
        var path = self[...]
        while path.last == "/" { path.removeLast() }
        return path
    }
}

extension HTTPField.Name {
    static let xForwardedFor = Self("X-Forwarded-For")!
    static let xForwardedProto = Self("X-Forwarded-Proto")!
    static let xForwardedHost = Self("X-Forwarded-Host")!
    static let pragma = Self("Pragma")!
}

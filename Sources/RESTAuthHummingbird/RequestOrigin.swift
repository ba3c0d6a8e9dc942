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
            if let proto = request.headers[.xForwardedProto]?.lowercased(), proto == "http" || proto == "https" { scheme = proto }
            if let forwarded = request.headers[.xForwardedHost] { host = forwarded }
        }
        guard let host, HostName.isValid(host) else {
            throw Problem(.badRequest, code: "invalid_host", detail: "The Host field is missing or is not a host name.")
        }
        base = "\(scheme)://\(host)"
    }

    /// The absolute URL of a path that starts with a slash.
    func url(of path: some StringProtocol) -> String { base + path }
}

extension HTTPField.Name {
    static let xForwardedFor = Self("X-Forwarded-For")!
    static let xForwardedProto = Self("X-Forwarded-Proto")!
    static let xForwardedHost = Self("X-Forwarded-Host")!
    static let pragma = Self("Pragma")!
}

import RESTAuthHummingbird

struct RequestSettings: SettingGroup {
    static let title = "Requests and connections"

    let headLimit = Setting(
        "head_limit", \.headLimits.ordinary, .size(in: HeadLimits.range),
        "Largest head of a request: path and fields.",
        details: "The path and each field may have half of that.")
    let verifyHeadLimit = Setting(
        "verify_head_limit", \.headLimits.verify, .size(in: HeadLimits.range),
        "The same at /api/verify, where the fields of other applications come along.",
        details: "One field may have all of it.")
    let bodyLimit = Setting("body_limit", \.routes.bodyLimit, .size(in: 1024...(16 << 20)), "Largest request body.")
    let requestTimeout = Setting(
        "request_timeout", \.requestTimeout, .duration(in: 1...3600),
        "Time for a request to arrive whole; the first begins in it, TLS included.")
    let idleTimeout = Setting(
        "idle_timeout", \.idleTimeout, .duration(in: 1...3600),
        "Time that a connection may be without a request, from its start on.")
    let shutdownTimeout = Setting(
        "shutdown_timeout", \.shutdownTimeout, .duration(in: 1...3600),
        "Time to finish requests in flight when told to stop; then they are cut off.",
        details: "A second after that the process has ended.")
    let maxConnections = Setting(
        "max_connections", \.maxConnections, .count(in: 1...1_000_000), "Connections open at once.")
    let http2Cleartext = Setting(
        "http2_cleartext", \.http2Cleartext, .flag,
        "Without TLS, speak HTTP/2 with clients that begin with it, as a mesh's do.",
        details: "With prior knowledge, beside HTTP/1.1 on the same port.")
}

extension Setting {
    static let requests = RequestSettings()
}

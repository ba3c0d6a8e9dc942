import RESTAuthHummingbird

struct RequestSettings: SettingGroup {
    static let title = "Requests and connections"

    let headLimit = Setting(
        "head_limit", \.headLimits.ordinary, .size(in: HeadLimits.range),
        "Largest head of a request: path and header fields.",
        details: """
            The path and each field may take at most half of it. `verify_head_limit` is the limit for `/api/verify`.
            """)
    let verifyHeadLimit = Setting(
        "verify_head_limit", \.headLimits.verify, .size(in: HeadLimits.range),
        "Largest head of a request to /api/verify: path and header fields.",
        details: """
            Proxies send it the header fields of requests to other applications, cookies included. One field may take \
            all of it.
            """)
    let bodyLimit = Setting(
        "body_limit", \.routes.bodyLimit, .size(in: 1024...(16 << 20)), "Largest body of a request.")
    let requestTimeout = Setting(
        "request_timeout", \.requestTimeout, .duration(in: 1...3600),
        "Time for the rest of a request to arrive after its head.",
        details: """
            The head of the first request has to arrive within this time from the start of the connection, TLS \
            included, or within `idle_timeout` if that is shorter. A client that does not read its answer is cut off \
            after this time, too.
            """)
    let idleTimeout = Setting(
        "idle_timeout", \.idleTimeout, .duration(in: 1...3600),
        "How long a connection may stay open without a request.",
        details: """
            Until the head of the first request has arrived, the shorter of this time and `request_timeout` applies, \
            from the start of the connection, TLS included.
            """)
    let shutdownTimeout = Setting(
        "shutdown_timeout", \.shutdownTimeout, .duration(in: 1...3600),
        "Time to finish requests when told to stop; then they are cut off.",
        details: "The process ends one second after that at the latest.")
    let maxConnections = Setting(
        "max_connections", \.maxConnections, .count(in: 1...1_000_000), "How many connections may be open at once.")
    let http2Cleartext = Setting(
        "http2_cleartext", \.http2Cleartext, .flag,
        "Without TLS, also accept HTTP/2 from clients that begin with it, as in a mesh.",
        details: "This is HTTP/2 with prior knowledge, on the same port as HTTP/1.1.")
}

extension Setting {
    static let requests = RequestSettings()
}

import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import NIOSSL
import RESTAuth
import RESTAuthHummingbird
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
    import CMalloc
#endif

/// The place where things are put together: settings in, a running server out.
struct Server {
    let settings: Settings

    /// Runs until SIGTERM or SIGINT.
    ///
    /// What can be wrong is looked at before anything is made: settings, certificate, port, then
    /// the database.
    func run() async throws {
        growMemoryInLargeSteps()
        let sink = settings.startLogging(level: settings.logLevel ?? .info)
        defer { sink.flush() }
        let logger = Logger(label: "rest-auth")
        let tls = try settings.tls?.configuration()
        try checkPort()
        let auth = try await settings.openAuth(createsMissing: true, isServer: true)
        raiseFileLimit()
        warn(logger)
        for missing in try await auth.missingPeppers() { logger.warning("\(missing.text)") }

        let completion = Completion(
            log: RequestLog(sink: sink, level: settings.logLevel ?? .info),
            proxies: settings.trustedProxies.isEmpty ? nil : ForwardedFields(trusted: settings.trustedProxies),
            isSecure: tls != nil)
        let service = HTTPService(
            builder: serverBuilder(tls, immediate: ImmediateRoutes(auth: auth), completion),
            configuration: ServerConfiguration(
                address: .hostname(settings.hostname, port: settings.port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(settings.maxConnections)),
            router: router(auth).buildResponder(), completion: completion, logger: logger,
            onServerRunning: { channel in
                Banner(settings: settings, port: channel.localAddress?.port ?? settings.port).show()
            })
        let limit = StopLimit(seconds: settings.shutdownTimeout, logger: logger)
        var group = ServiceGroupConfiguration(
            services: auth.services + [service, limit], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(settings.shutdownTimeout)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let error as IOError {
            throw cannotListen(error)
        }
        logger.info("stopped")
    }

    private func router(_ auth: Auth) -> Router<ServerContext> {
        let router = Router(context: ServerContext.self)
        if !settings.corsOrigins.isEmpty {
            router.add(
                middleware: CrossOrigin(origins: settings.corsOrigins, allowsCookies: settings.refreshTokenInCookie))
        }
        auth.addRoutes(to: router, configuration: settings.routesConfiguration)
        auth.addHealthRoutes(to: router)
        DescriptionRoutes().add(to: router)
        // Last: a middleware stands around what is added after it, and after the routes there is
        // only what no route answers.
        router.add(middleware: ProblemResponses())
        return router
    }

    // MARK: Listening

    private func serverBuilder(
        _ tls: TLSConfiguration?, immediate: ImmediateRoutes, _ completion: Completion
    ) -> HTTPServerBuilder {
        let limits = ConnectionLifetime.Limits(
            idle: .seconds(Int64(settings.idleTimeout)), request: .seconds(Int64(settings.requestTimeout)),
            shutdown: .seconds(Int64(settings.shutdownTimeout)))
        let bodyLimit = settings.bodyLimit
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ConnectionGuard(requestTimeout: limits.request, bodyLimit: bodyLimit),
                RequestTurns(),
                ImmediateAnswers(routes: immediate, completion: completion),
            ],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 8 << 10, maxHeaderListSize: ConnectionGuard.headLimit, maxHeaderFieldCount: 100))
        return HTTPServerBuilder { responder in
            guard let tls else {
                return BoundedChannel(base: HTTP1Channel(responder: responder, configuration: http), limits: limits)
            }
            return BoundedChannel(
                base: try HTTP2UpgradeChannel(
                    tlsConfiguration: tls, configuration: .init(streamConfiguration: http), responder: responder),
                limits: limits)
        }
    }

    /// Binds and lets go again, so that a port in use is found before a database is made. It never
    /// listens: a client that came in between would wait for an answer for ever.
    /// - Parameter isFree: whether nobody may listen there.
    func checkPort(isFree: Bool = true) throws {
        guard let address = try? SocketAddress.makeAddressResolvingHost(settings.hostname, port: settings.port) else {
            throw AuthError(.misconfigured, "\(settings.hostname) is not an address of this machine")
        }
        let descriptor = socket(
            address.protocol.rawValue == NIOBSDSocket.ProtocolFamily.inet6.rawValue ? AF_INET6 : AF_INET,
            Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        guard address.withSockAddr({ bind(descriptor, $0, socklen_t($1)) }) == 0 || errno == EADDRINUSE && !isFree
        else {
            throw cannotListen(IOError(errnoCode: errno, reason: "bind"))
        }
    }

    private func cannotListen(_ error: IOError) -> AuthError {
        let reason =
            switch error.errnoCode {
            case EADDRINUSE: "is in use; stop what listens there or choose another with --port"
            case EACCES: "needs privileges; choose one above 1023 with --port"
            case EADDRNOTAVAIL: "cannot be used: \(settings.hostname) is not an address of this machine"
            default: "cannot be used: \(String(cString: strerror(error.errnoCode)))"
            }
        return AuthError(.misconfigured, "port \(settings.port) on \(settings.hostname) \(reason)")
    }

    /// One connection is one file; the soft limit is often 1024.
    private func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(settings.maxConnections + 256))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Each time that memory is asked of the system takes a lock, which a thread that hashes holds
    /// for milliseconds while its own is brought in; on an event loop all clients of that loop
    /// would wait with it. What is reserved and not used costs nothing.
    private func growMemoryInLargeSteps() {
        #if canImport(Glibc)
            mallopt(M_TOP_PAD, 16 << 20)
        #endif
    }

    // MARK: Warnings

    private func warn(_ logger: Logger) {
        logger.notice("password policy \(settings.passwordPolicy.rawValue)")
        for file in settings.exposedFiles { logger.warning("\(ConfigCommand.Check.exposed(file))") }
        if let restriction = settings.registrationRestriction { logger.notice("registration \(restriction)") }
        if settings.database.isOpenToOthers, ProcessInfo.processInfo.environment["PGSSLMODE"] != "verify-full" {
            logger.warning(
                "whether the database is the right one is not checked; add sslmode=verify-full&sslrootcert=FILE to its URL"
            )
        }
        if settings.breachedPasswords != nil, settings.passwordPolicy == .open {
            logger.warning(
                "the open password policy does not ask the list of breached passwords; set --password-policy nist")
        }
        if settings.legacySecret != nil {
            logger.warning(
                "tokens of a Flask server are accepted; take legacy_secret out of the settings once the last of them has expired"
            )
        }
        guard !settings.isLoopback else { return }
        if settings.passwordPolicy == .open {
            logger.warning(
                "the open password policy takes any password, and \(settings.hostname) can be reached from other machines; consider --password-policy nist"
            )
        }
        if settings.publicUsers {
            logger.warning(
                "anybody may look up the name of a user by number; set --public-users no where only who is signed in should"
            )
        }
        if settings.publicRevocations {
            logger.warning(
                "anybody may read which sessions have ended; set --public-revocations no where only clients should")
        }
        if settings.tls == nil, settings.trustedProxies.isEmpty {
            logger.warning(
                "passwords travel in the clear to \(settings.hostname); set --tls-certificate and --tls-key, or put a TLS proxy in front and name it with --trusted-proxies"
            )
        }
    }
}

/// What a newcomer reads when the server is up.
private struct Banner {
    let settings: Settings
    let port: Int

    func show() {
        let host = settings.hostname.contains(":") ? "[\(settings.hostname)]" : settings.hostname
        // Every address of the machine is none to connect to.
        let reachable = ["0.0.0.0", "[::]"].contains(host) ? "127.0.0.1" : host
        let url = settings.publicURL ?? "\(settings.scheme)://\(reachable):\(port)"
        let policy =
            switch settings.passwordPolicy {
            case .open: "open: any password that is not empty (--password-policy nist is stricter)"
            case .nist: "nist: 15 characters or more, not a common one, not the user name"
            }
        let text = """
            rest-auth \(RESTAuthCommand.version) listens on \(settings.scheme)://\(host):\(port)
            data      \(settings.database)
            passwords \(policy)
            \(settings.registrationRestriction.map { "register  \($0)\n" } ?? "")
            Try it:
              curl -i -X POST -H 'Content-Type: application/json' -d '{"username":"miguel","password":"python"}' \(url)/api/users
              curl -u miguel:python -i \(url)/api/token
              curl -u miguel:python -i \(url)/api/resource


            """
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}

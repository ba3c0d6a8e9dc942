import CoreMetrics
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
    import CLinux
#endif

/// The complete server, made from the settings.
struct Server {
    let settings: Settings
    let source: SettingsSource
    /// Reads the settings again, for a reload.
    let read: @Sendable () throws -> SettingsSource

    /// Runs until SIGTERM or SIGINT.
    ///
    /// Everything that can be wrong is checked before anything is made: settings, certificate and
    /// port, then the database.
    func run() async throws {
        endOnSignals()
        try settings.requireFiles()
        growMemoryInLargeSteps()
        let environment = ProcessInfo.processInfo.environment
        let manager = ServiceManager(environment: environment)
        let sink = settings.startLogging(level: settings.logLevel ?? .info)
        defer { sink.flush() }
        let logger = Logger(label: "rest-auth")
        let certificate = try settings.tls.map { try CertificateInUse($0.configuration()) }
        let inherited = try InheritedSockets(environment: environment)
        if let obstacle = InheritedSockets.obstacle(environment: environment) { logger.warning("\(obstacle)") }
        InheritedSockets.forget()
        let sockets = try inherited.map { ListeningSockets($0) } ?? ListeningSockets(settings)
        defer { sockets.close() }
        let metricsSockets = try ListeningSockets(metricsOf: settings, beside: sockets.addresses)
        defer { metricsSockets?.close() }
        try settings.refuseCookieInTheClear(at: sockets.addresses)
        raiseFileLimit(logger)
        // The registry is set before any object that records metrics is made.
        let registry = metricsSockets.map { _ in MetricRegistry() }
        if let registry { MetricsSystem.bootstrap(registry) }
        let auth = try await settings.openAuthWhenThere(logger, manager)
        warn(logger, sockets)
        for missing in try await auth.missingPeppers() { logger.warning("\(missing.text)") }
        let isNameTaken = (try? await auth.users.find(named: Banner.username)) != nil

        let routes = ServerRoutes(
            auth, configuration: settings.routes, settings: Setting.all.map { $0.json(in: settings, from: source) })
        let immediate = ImmediateRoutes(routes.all)
        let longRequests = LongRequests(routes.all)
        let router = router(routes)
        // Files of the database, files opened for a moment, and the files of the metrics port.
        let reservedFiles = settings.postgres.connections + 16 + (registry == nil ? 0 : MetricsService.files)
        let connections = ConnectionCount(limit: settings.maxConnections, reserve: reservedFiles)
        let completion = Completion(
            log: RequestLog(sink: sink),
            proxies: ForwardedFields(trusted: settings.trustedProxies, family: settings.forwardedFields),
            isSecure: certificate != nil,
            metrics: registry.map { requestMetrics($0, routes, immediate, connections) })
        let service = HTTPService(
            makeChannel: channelMaker(certificate, immediate: immediate, longRequests, completion),
            sockets: sockets, connections: connections, router: router.buildResponder(),
            longRequests: longRequests, completion: completion, logger: logger,
            onServerRunning: {
                Banner(
                    settings: settings, addresses: sockets.addresses,
                    metricsAddresses: metricsSockets?.addresses ?? [], isNameTaken: isNameTaken
                ).show()
                manager.ready("serving")
            })
        let reload = await Reload(
            signals: UnixSignalsSequence(trapping: .sighup), settings: settings, source: source, read: read,
            certificate: certificate, passwords: auth.passwords,
            sink: sink, manager: manager, logger: logger)
        let supervised = Supervised(manager: manager, loops: HTTPService.loops)
        let limit = StopLimit(seconds: settings.shutdownTimeout, logger: logger)
        let metrics = try registry.flatMap { registry in
            try metricsSockets.map { try metricsService(registry, $0) }
        }
        var group = ServiceGroupConfiguration(
            // Services stop in reverse order, so the metrics stay available while the server stops.
            services: [metrics].compactMap(\.self) + auth.services + [reload, service, limit, supervised],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(settings.shutdownTimeout)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            auth.abandon()
            throw error
        }
        auth.close()
        logger.info("stopped")
    }

    private func router(_ routes: ServerRoutes) -> Router<ServerContext> {
        let router = Router(context: ServerContext.self)
        if !settings.corsOrigins.isEmpty {
            router.add(
                middleware: CrossOrigin(
                    origins: settings.corsOrigins, allowsCookies: settings.routes.refreshTokenInCookie))
        }
        for table in routes.tables { table.add(to: router) }
        // Added last: a middleware wraps what is added after it, and after the routes there are
        // only requests that no route answers.
        router.add(middleware: ProblemResponses())
        return router
    }

    // MARK: Listening

    private func channelMaker(
        _ certificate: CertificateInUse?, immediate: ImmediateRoutes, _ longRequests: LongRequests,
        _ completion: Completion
    ) -> HTTPService.ChannelMaker {
        let limits = connectionLimits
        let (headLimits, bodyLimit) = (settings.headLimits, settings.routes.bodyLimit)
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ConnectionGuard(
                    requestTimeout: limits.request, headLimits: headLimits, bodyLimit: bodyLimit,
                    longRequests: longRequests),
                RequestTurns(longRequests: longRequests),
                ImmediateAnswers(routes: immediate, completion: completion),
            ],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headLimits.largest, maxHeaderListSize: headLimits.largest,
                maxHeaderFieldCount: 100))
        return { responder in
            guard let certificate else {
                let http1 = HTTP1Channel(responder: responder, configuration: http)
                guard settings.http2Cleartext else { return BoundedChannel(base: http1, limits: limits) }
                let http2 = HTTP2Channel(responder: responder, configuration: .init(streamConfiguration: http))
                return BoundedChannel(base: ClearTextChannel(http1: http1, http2: http2), limits: limits)
            }
            return BoundedChannel(
                base: try CertifiedChannel(certificate) {
                    try HTTP2UpgradeChannel(
                        tlsConfiguration: $0, configuration: .init(streamConfiguration: http), responder: responder)
                },
                limits: limits)
        }
    }

    var connectionLimits: ConnectionLifetime.Limits {
        ConnectionLifetime.Limits(
            idle: .seconds(Int64(settings.idleTimeout)), request: .seconds(Int64(settings.requestTimeout)),
            shutdown: .seconds(Int64(settings.shutdownTimeout)))
    }

    /// Ends the process on SIGTERM and SIGINT until services run that can be stopped. The first
    /// process of a container gets no signal that it has no handler for, and SIGHUP would end any
    /// other process.
    private func endOnSignals() {
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(EXIT_SUCCESS) } }
        signal(SIGHUP, SIG_IGN)
    }

    /// Raises the soft limit of open files, which is often 1024; each connection needs one.
    private func raiseFileLimit(_ logger: Logger) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(settings.maxConnections + Settings.filesBesideConnections))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        if limit.rlim_cur < rlim_t(settings.maxConnections) {
            logger.warning(
                """
                the process may have \(limit.rlim_cur) files open, fewer than max_connections \
                \(settings.maxConnections): raise that, with LimitNOFILE= in a unit of systemd or --ulimit nofile= of \
                a container, or lower max_connections
                """)
        }
    }

    /// Makes the allocator request memory in large steps. Each request to the system takes a lock,
    /// which a hashing thread holds for milliseconds while its memory is mapped; on an event loop
    /// all clients of that loop would wait for it. Memory that is reserved and not used costs
    /// nothing.
    private func growMemoryInLargeSteps() {
        #if canImport(Glibc)
            mallopt(M_TOP_PAD, 16 << 20)
        #endif
    }

    // MARK: Warnings

    private func warn(_ logger: Logger, _ sockets: ListeningSockets) {
        logger.notice("password policy \(settings.auth.passwordPolicy.rawValue)")
        for remark in settings.remarks { logger.notice("\(remark)") }
        for warning in settings.warnings + settings.exposedFiles.compactMap(\.advice) { logger.warning("\(warning)") }
        if let restriction = settings.registrationRestriction { logger.notice("registration \(restriction)") }
        if sockets.areInherited {
            let addresses = sockets.addresses.map(\.shown).joined(separator: ", ")
            logger.notice("serving sockets of the service manager", metadata: ["addresses": "\(addresses)"])
        }
        let advice = settings.advice(reachableAt: sockets.addresses.first { !$0.isLoopback }?.shown)
        for finding in advice { logger.warning("\(finding.line)") }
    }
}

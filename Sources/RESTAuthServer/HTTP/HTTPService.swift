import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import RESTAuthHummingbird
import ServiceLifecycle

/// The way of a request from its connection to the router, and of its answer back.
///
/// Hummingbird's `Application` does the same and makes a logger for each request; here only who logs pays for one.
struct HTTPService: Service {
    let builder: HTTPServerBuilder
    let configuration: ServerConfiguration
    let router: RouterResponder<ServerContext>
    let proxies: ForwardedFields?
    let isSecure: Bool
    let log: RequestLog
    let logger: Logger
    let onServerRunning: @Sendable (any Channel) async -> Void

    init(
        builder: HTTPServerBuilder, configuration: ServerConfiguration, router: RouterResponder<ServerContext>,
        proxies: ForwardedFields?, isSecure: Bool, log: RequestLog, logger: Logger,
        onServerRunning: @escaping @Sendable (any Channel) async -> Void
    ) {
        self.builder = builder
        self.configuration = configuration
        self.router = router
        self.proxies = proxies
        self.isSecure = isSecure
        self.log = log
        self.logger = logger
        self.onServerRunning = onServerRunning
    }

    /// Serves until graceful shutdown, and then until the requests in flight are answered.
    func run() async throws {
        let server = try builder.buildServer(
            configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger,
            responder: { request, writer, channel in try await respond(to: request, writer, channel) },
            onServerRunning: onServerRunning)
        try await server.run()
    }

    private func respond(to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        let start = NIODeadline.now()
        let context = ServerContext(source: .init(channel: channel, logger: logger))
        let (request, client) = proxies?.believe(request, from: channel.remoteAddress) ?? (request, nil)
        var response = try await RequestID.$current.withValue(context.requestID) {
            do {
                return try await router.respond(to: request, context: context)
            } catch let error as HTTPParserError {
                // The connection has been answered and closed already.
                throw error
            } catch {
                return Problem.response(to: error, request: request, context: context)
            }
        }
        response.headers[.date] = HTTPDate.text
        if isSecure { response.headers[.strictTransportSecurity] = "max-age=31536000" }
        log.write(request, response, context, client: client, peer: channel.remoteAddress, took: .now() - start)
        do {
            try await writer.write(response: response.head, body: response.body)
        } catch is HTTPParserError {
            // Not the same error again: that would be answered a second time.
            throw ChannelError.ioOnClosedChannel
        }
    }
}

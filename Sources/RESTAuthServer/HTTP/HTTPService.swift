import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import RESTAuth
import RESTAuthHummingbird
import ServiceLifecycle

/// The way of a request from its connection to the router, and of its answer back.
///
/// Hummingbird's `Application` does the same and makes a logger for each request; here only who
/// logs pays for one.
struct HTTPService: Service {
    let builder: HTTPServerBuilder
    let configuration: ServerConfiguration
    let router: RouterResponder<ServerContext>
    let completion: Completion
    let logger: Logger
    let onServerRunning: @Sendable (any Channel) async -> Void

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
        var context = ServerContext(source: .init(channel: channel, logger: logger))
        let mark = completion.mark(request.head, context.requestID, from: context.peerAddress)
        context.clientAddress = mark.address
        let believed = completion.proxies.believe(request, from: context.peerAddress)
        let response = try await RequestMark.$current.withValue(mark) { [context] in
            try await Departure.$current.withValue(Departure(of: channel)) {
                do {
                    return try await router.respond(to: believed, context: context)
                } catch let error as HTTPParserError {
                    // The connection has been answered and closed already.
                    throw error
                } catch {
                    return Problem.response(to: error, request: request, context: context)
                }
            }
        }
        var head = response.head
        completion.complete(&head, to: request.head, route: context.endpointPath ?? "-", mark, since: start)
        do {
            try await writer.write(response: head, body: response.body)
        } catch is HTTPParserError {
            // Not the same error again: that would be answered a second time.
            throw ChannelError.ioOnClosedChannel
        }
    }
}

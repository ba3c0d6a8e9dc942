import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import RESTAuth
import RESTAuthHummingbird
import ServiceLifecycle

/// Carries a request from its connection to the router, and its answer back.
///
/// Hummingbird's `Application` does the same and makes a logger for each request; here a logger is
/// made only for requests that log something.
struct HTTPService: Service {
    /// Makes the server channel for the protocols in use, around the function that answers a
    /// request.
    typealias ChannelMaker = @Sendable (@escaping HTTPChannelHandler.Responder) throws -> any ServerChildChannel

    let makeChannel: ChannelMaker
    let sockets: ListeningSockets
    let connections: ConnectionCount
    let router: RouterResponder<ServerContext>
    let longRequests: LongRequests
    let completion: Completion
    let logger: Logger
    let onServerRunning: @Sendable () async -> Void

    /// The threads that serve connections.
    static let loops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

    private static let backlog: Int32 = 1024

    /// Serves until graceful shutdown, and then until the requests in flight are answered.
    func run() async throws {
        let channel = try makeChannel { request, writer, channel in
            try await respond(to: request, writer, channel)
        }
        try await serve(channel)
    }

    private func serve<Connection: ServerChildChannel>(_ connection: Connection) async throws {
        let descriptors = try sockets.listen(backlog: Self.backlog)
        let stops = descriptors.map { _ in ServerQuiescingHelper(group: Self.loops) }
        try await withGracefulShutdownHandler {
            var channels: [NIOAsyncChannel<Connection.Value, Never>] = []
            for (descriptor, stop) in zip(descriptors, stops) {
                channels.append(
                    try await bootstrap(stop).bind(descriptor) { [logger] channel in
                        connection.setup(channel: channel, logger: logger)
                    })
                // Binding an inherited socket calls listen again, with a smaller backlog.
                listen(descriptor, Self.backlog)
            }
            await onServerRunning()
            await withDiscardingTaskGroup { group in
                for channel in channels { group.addTask { await accept(from: channel, as: connection) } }
            }
        } onGracefulShutdown: {
            for stop in stops { stop.initiateShutdown(promise: nil) }
        }
    }

    private func bootstrap(_ stop: ServerQuiescingHelper) -> ServerBootstrap {
        ServerBootstrap(group: Self.loops)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(FileLimitWatch())
                    try pipeline.addHandler(ConnectionGate(connections))
                    try pipeline.addHandler(stop.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
    }

    private func accept<Connection: ServerChildChannel>(
        from channel: NIOAsyncChannel<Connection.Value, Never>, as connection: Connection
    ) async {
        await withDiscardingTaskGroup { [logger] group in
            do {
                try await channel.executeThenClose { inbound in
                    for try await accepted in inbound {
                        group.addTask { await connection.handle(value: accepted, logger: logger) }
                    }
                }
            } catch {
                logger.error("no connections are accepted any more", metadata: ["error": "\(error)"])
            }
        }
    }

    private func respond(to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        let start = NIODeadline.now()
        completion.metrics?.began()
        defer { completion.metrics?.ended() }
        var context = ServerContext(source: .init(channel: channel, logger: logger))
        let mark = completion.mark(request.head, context.requestID, from: context.peerAddress)
        context.clientAddress = mark.address
        // Where no proxy is configured, the forwarding fields are only checked for presence.
        let proxies = completion.proxies
        let believed = proxies.areNamed ? proxies.believe(request, from: context.peerAddress) : request
        let response = try await RequestMark.$current.withValue(mark) { [context] in
            try await Departure.$current.withValue(Departure(of: channel)) {
                guard longRequests.contains(request.head) else { return try await respond(to: believed, context) }
                return try await LongBody.$current.withValue(LongBody(of: channel)) {
                    try await respond(to: believed, context)
                }
            }
        }
        var head = response.head
        if request.method == .head, response.body.contentLength == nil {
            // Zero would be a wrong length of what `GET` answers (RFC 9110 section 8.6).
            head.headerFields[.contentLength] = nil
            channel.triggerUserOutboundEvent(AnswerWithoutLength(), promise: nil)
        }
        let route = context.endpointPath
        completion.complete(
            &head, to: request.head, route: route ?? "-", completion.metrics?.series(request.method, route), mark,
            since: start)
        do {
            try await writer.write(response: head, body: response.body)
        } catch is HTTPParserError {
            // Not the same error again: it would be answered a second time.
            throw ChannelError.ioOnClosedChannel
        }
    }

    private func respond(to request: Request, _ context: ServerContext) async throws -> Response {
        do {
            return try await router.respond(to: request, context: context)
        } catch let error as HTTPParserError {
            // The connection has already been answered and closed.
            throw error
        } catch {
            return Problem.response(to: error, request: request, context: context)
        }
    }
}

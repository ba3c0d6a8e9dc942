import Foundation
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOHTTPTypesHTTP1
import NIOPosix
import ServiceLifecycle

/// Serves the metrics on a port and a thread of their own, so that they can be read when the server
/// is overloaded.
struct MetricsService: Service {
    let registry: MetricRegistry
    /// Sockets that listen already: a client that connects before the service runs waits for its
    /// turn.
    let descriptors: [Int32]
    let limits: ConnectionLifetime.Limits
    let headLimits: HeadLimits
    let bodyLimit: Int

    /// Largest number of connections at once; one Prometheus uses one.
    static let maxConnections = 16
    /// Number of file descriptors that the port uses: connections, sockets, and those of the
    /// thread.
    static let files = maxConnections + 8

    /// Serves until graceful shutdown.
    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await serve(on: group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private func serve(on group: MultiThreadedEventLoopGroup) async throws {
        let count = ConnectionCount(limit: Self.maxConnections, reserve: 0)
        let stops = descriptors.map { _ in ServerQuiescingHelper(group: group) }
        for (descriptor, stop) in zip(descriptors, stops) {
            _ = try await bootstrap(group, count, stop).withBoundSocket(descriptor).get()
        }
        try? await gracefulShutdown()
        for stop in stops {
            let stopped = group.any().makePromise(of: Void.self)
            stop.initiateShutdown(promise: stopped)
            try? await stopped.futureResult.get()
        }
    }

    private func bootstrap(
        _ group: MultiThreadedEventLoopGroup, _ count: ConnectionCount, _ stop: ServerQuiescingHelper
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(FileLimitWatch())
                    try pipeline.addHandler(ConnectionGate(count))
                    try pipeline.addHandler(stop.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelOption(ChannelOptions.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try setUp(channel.pipeline.syncOperations) }
            }
    }

    private func setUp(_ pipeline: ChannelPipeline.SynchronousOperations) throws {
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = headLimits.largest
        decoderLimits.maxHeaderListSize = headLimits.largest
        decoderLimits.maxHeaderFieldCount = 100
        try pipeline.addHandler(ConnectionLifetime(limits))
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
            withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoderLimits)
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandlers([
            ConnectionGuard(requestTimeout: limits.request, headLimits: headLimits, bodyLimit: bodyLimit),
            RequestTurns(),
            MetricsAnswers(registry: registry),
        ])
    }
}

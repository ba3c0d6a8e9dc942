import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import RESTAuth

/// Asks the server that runs with these settings on this machine how it is.
///
/// In HTTP or TLS as they say, where they say that it listens. Whether the certificate is good for
/// that address is not looked at.
struct HealthCheck {
    let settings: Settings
    /// In seconds.
    let timeout: Int

    /// - Parameter isReady: whether its database has to answer as well.
    /// - Throws: `storage_unavailable`, with what it answers or that it does not.
    func require(isReady: Bool) async throws {
        let address = try address()
        let answer = try await ask(isReady ? "/health/ready" : "/health/live", at: address)
        guard let end = answer.firstIndex(of: UInt8(ascii: "\r")) else {
            throw AuthError(.storageUnavailable, "what listens on \(address.shown) is no server of HTTP")
        }
        let line = String(decoding: answer[..<end], as: UTF8.self)
        guard answer.starts(with: "HTTP/1.1 200 ".utf8) else {
            let body = answer.firstRange(of: Array("\r\n\r\n".utf8)).map { answer[$0.upperBound...] } ?? []
            throw AuthError(
                .storageUnavailable, "not ready: \(line) \(String(decoding: body.prefix(1000), as: UTF8.self))")
        }
    }

    /// Where a server with these settings can be asked.
    private func address() throws -> SocketAddress {
        if settings.listenAddress == .everywhere {
            return try SocketAddress(ipAddress: "127.0.0.1", port: settings.port)
        }
        let address = try settings.listenAddress.addresses(port: settings.port).first
        guard let address, address.ipAddress != "0.0.0.0" else {
            return try SocketAddress(ipAddress: "127.0.0.1", port: settings.port)
        }
        return address
    }

    private func ask(_ path: String, at address: SocketAddress) async throws -> [UInt8] {
        let (limit, isSecure) = (TimeAmount.seconds(Int64(timeout)), settings.tls != nil)
        let answer = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: [UInt8].self)
        let request = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        do {
            let channel = try await ClientBootstrap(group: answer.futureResult.eventLoop)
                .connectTimeout(limit)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if isSecure {
                            var configuration = TLSConfiguration.makeClientConfiguration()
                            configuration.certificateVerification = .none
                            configuration.applicationProtocols = ["http/1.1"]
                            let context = try NIOSSLContext(configuration: configuration)
                            try channel.pipeline.syncOperations.addHandler(
                                NIOSSLClientHandler(context: context, serverHostname: nil))
                        }
                        try channel.pipeline.syncOperations.addHandler(Reading(answer))
                    }
                }.connect(to: address).get()
            let deadline = channel.eventLoop.scheduleTask(in: limit) {
                answer.fail(Silence())
                channel.close(promise: nil)
            }
            defer { deadline.cancel() }
            try await channel.writeAndFlush(ByteBuffer(string: request))
            return try await answer.futureResult.get()
        } catch {
            // Harmless where it has been kept.
            answer.fail(error)
            throw AuthError(.storageUnavailable, "no answer from \(address.shown) in \(timeout) seconds: \(error)")
        }
    }

    /// The connection was taken, and no more.
    private struct Silence: Error, CustomStringConvertible {
        let description = "it was asked and says nothing"
    }

    /// Everything that comes until the end.
    private final class Reading: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let answer: EventLoopPromise<[UInt8]>
        private var bytes: [UInt8] = []

        private static let capacity = 64 << 10

        init(_ answer: EventLoopPromise<[UInt8]>) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += unwrapInboundIn(data).readableBytesView
            if bytes.count > Self.capacity { context.close(promise: nil) }
        }

        func channelInactive(context: ChannelHandlerContext) { answer.succeed(bytes) }

        /// Whatever goes wrong after the answer, such as an end without a farewell, changes
        /// nothing.
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

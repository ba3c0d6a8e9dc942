import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import RESTAuth

/// Asks the server that runs with these settings on this machine for its health.
///
/// The settings give the address, and whether it uses TLS. The names in the certificate are not
/// checked.
struct HealthCheck {
    let settings: Settings
    /// The timeout in seconds, for connecting and answering together.
    let timeout: Int

    /// - Parameter isReady: whether the database has to answer as well.
    /// - Throws: `storage_unavailable`, with the reason, also when another program listens there.
    ///   The text of the answer is not repeated, because it may come from another program.
    func require(isReady: Bool) async throws {
        let address = try address()
        let path = isReady ? "/health/ready" : "/health/live"
        let answer = try await ask(path, at: address)
        guard let status = Self.status(of: answer) else {
            let language =
                settings.tls == nil
                ? "HTTP: it is no rest-auth, or one with" : "HTTP over TLS: it is no rest-auth, or one without"
            throw failure("what listens on \(address.shown) does not speak \(language) TLS")
        }
        let body = Self.body(of: answer)
        if status == 200, isReady ? Parts(body) != nil : body.elementsEqual(#"{"status":"ok"}"#.utf8) { return }
        if status == 503, let parts = Parts(body) {
            throw failure("the server on \(address.shown) is not ready: \(parts.text)")
        }
        let isRefusal =
            (500...599).contains(status) && (try? JSONDecoder().decode(Refusal.self, from: Data(body))) != nil
        let program =
            isRefusal
            ? "the server on \(address.shown) is not ready" : "what listens on \(address.shown) is no rest-auth"
        throw failure("\(program): it answers \(path) with \(status)")
    }

    private func failure(_ text: String) -> AuthError { AuthError(.storageUnavailable, text) }

    // MARK: Answer

    /// Parses the status code, the three digits after the version.
    private static func status(of answer: [UInt8]) -> Int? {
        guard answer.starts(with: "HTTP/1.1 ".utf8) || answer.starts(with: "HTTP/1.0 ".utf8) else { return nil }
        let digits = WireText(String(decoding: answer.dropFirst(9).prefix(3), as: UTF8.self))
        return digits.decimalNumber.map(Int.init)
    }

    private static func body(of answer: [UInt8]) -> ArraySlice<UInt8> {
        answer.firstRange(of: Array("\r\n\r\n".utf8)).map { answer[$0.upperBound...] } ?? []
    }

    /// The members of this server's readiness document; those of other programs differ.
    private struct Parts: Decodable {
        enum State: String, Decodable { case ok, unavailable }

        let storage: State
        let revocations: State
        let throttle: State

        init?(_ body: ArraySlice<UInt8>) {
            guard let parts = try? JSONDecoder().decode(Parts.self, from: Data(body)) else { return nil }
            self = parts
        }

        var text: String {
            "storage \(storage.rawValue), revocations \(revocations.rawValue), throttle \(throttle.rawValue)"
        }
    }

    /// A problem document of this server.
    private struct Refusal: Decodable { let code: String }

    /// The address at which a server with these settings is reached from this machine.
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
        let end = NIODeadline.now() + limit
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
            let deadline = channel.eventLoop.scheduleTask(deadline: end) {
                answer.fail(Silence())
                channel.close(promise: nil)
            }
            defer { deadline.cancel() }
            try await channel.writeAndFlush(ByteBuffer(string: request))
            return try await answer.futureResult.get()
        } catch {
            // Does nothing when there is an answer already.
            answer.fail(error)
            throw failure(reason(error, at: address))
        }
    }

    private func reason(_ error: any Error, at address: SocketAddress) -> String {
        switch error {
        case let error as IOError where [ECONNREFUSED, ENOENT].contains(error.errnoCode):
            "nothing listens on \(address.shown)"
        case let error as IOError:
            "no answer from \(address.shown): \(String(cString: strerror(error.errnoCode)))"
        case ChannelError.connectTimeout, is Silence: "no answer from \(address.shown) in \(timeout) seconds"
        default: "no answer from \(address.shown): the connection was closed"
        }
    }

    /// The error for a connection that was accepted and not answered.
    private struct Silence: Error {}

    /// A handler that collects all bytes until the end.
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

        /// An error after the answer, such as an end of TLS without `close_notify`, changes
        /// nothing.
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

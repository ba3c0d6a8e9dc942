import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import RESTAuth

struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask the server on this machine whether it is ready.",
        discussion: """
            Exit status 0 when it is, 1 with the reason when not: for a container's health check, where there is no curl and no shell.

              rest-auth health
              rest-auth health --live --config /etc/rest-auth.yaml

            It asks where the settings say that the server listens, in HTTP or TLS as they say. Whether the certificate is good for that address is \
            not looked at.
            """)

    @Flag(help: "Ask only whether the process answers, not its database.") var live = false
    @Option(help: ArgumentHelp("How long it may take.", valueName: "seconds")) var timeout = 5
    @OptionGroup var options: SettingsOptions

    func validate() throws {
        guard (1...600).contains(timeout) else { throw ValidationError("--timeout is 1 to 600.") }
    }

    func run() async throws {
        let settings = try options.load()
        let address = try Self.address(of: settings)
        let path = live ? "/health/live" : "/health/ready"
        let answer = try await ask(path, at: address, isSecure: settings.tls != nil)
        guard let end = answer.firstIndex(of: UInt8(ascii: "\r")) else {
            throw AuthError(.storageUnavailable, "what listens on \(address.shown) is no server of HTTP")
        }
        let line = String(decoding: answer[..<end], as: UTF8.self)
        guard answer.starts(with: "HTTP/1.1 200 ".utf8) else {
            let body = answer.firstRange(of: Array("\r\n\r\n".utf8)).map { answer[$0.upperBound...] } ?? []
            throw AuthError(
                .storageUnavailable, "not ready: \(line) \(String(decoding: body.prefix(1000), as: UTF8.self))")
        }
        Output.report("ok")
    }

    /// Where a server with these settings can be asked.
    private static func address(of settings: Settings) throws -> SocketAddress {
        if settings.listenAddress == .everywhere {
            return try SocketAddress(ipAddress: "127.0.0.1", port: settings.port)
        }
        let address = try settings.listenAddress.addresses(port: settings.port).first
        guard let address, address.ipAddress != "0.0.0.0" else {
            return try SocketAddress(ipAddress: "127.0.0.1", port: settings.port)
        }
        return address
    }

    private func ask(_ path: String, at address: SocketAddress, isSecure: Bool) async throws -> [UInt8] {
        let limit = TimeAmount.seconds(Int64(timeout))
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

        /// Whatever goes wrong after the answer, such as an end without a farewell, changes nothing.
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

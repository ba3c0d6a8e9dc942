import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore

/// A connection without TLS: HTTP/1, or HTTP/2 for a client with prior knowledge (RFC 9113 section
/// 3.3).
///
/// An HTTP/1 request to switch to HTTP/2 (`Upgrade: h2c`) is ignored: a proxy might forward such a
/// request from anybody, and then carry traffic that it does not read.
struct ClearTextChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        fileprivate let spoken: EventLoopFuture<Spoken>
        let channel: any Channel
    }

    fileprivate enum Spoken: Sendable {
        case http1(HTTP1Channel.Value)
        case http2(HTTP2Channel.Value)
    }

    let http1: HTTP1Channel
    let http2: HTTP2Channel

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let spoken = channel.eventLoop.makePromise(of: Spoken.self)
            let reader = PrefaceReader(spoken) { isHTTP2 in
                if isHTTP2 {
                    http2.setup(channel: channel, logger: logger).map { .http2($0) }
                } else {
                    http1.setup(channel: channel, logger: logger).map { .http1($0) }
                }
            }
            try channel.pipeline.syncOperations.addHandler(reader)
            return Value(spoken: spoken.futureResult, channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        // A client that sent nothing speaks neither protocol.
        switch try? await value.spoken.get() {
        case .http1(let connection): await http1.handle(value: connection, logger: logger)
        case .http2(let connection): await http2.handle(value: connection, logger: logger)
        case nil: break
        }
    }
}

/// Waits for the first bytes of a connection, which tell HTTP/1 from HTTP/2.
///
/// Buffers at most the length of the preface. ``ConnectionLifetime`` limits how long a client may
/// take to send it.
private final class PrefaceReader: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// The client connection preface (RFC 9113 section 3.4).
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let spoken: EventLoopPromise<ClearTextChannel.Spoken>
    private let setUp: (_ isHTTP2: Bool) -> EventLoopFuture<ClearTextChannel.Spoken>
    private var bytes = ByteBuffer()
    private var isDecided = false
    private var isInputClosed = false

    init(
        _ spoken: EventLoopPromise<ClearTextChannel.Spoken>,
        setUp: @escaping (_ isHTTP2: Bool) -> EventLoopFuture<ClearTextChannel.Spoken>
    ) {
        self.spoken = spoken
        self.setUp = setUp
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var new = unwrapInboundIn(data)
        bytes.writeBuffer(&new)
        guard !isDecided else { return }
        let known = bytes.readableBytesView
        if known.starts(with: Self.preface) {
            decide(context, isHTTP2: true)
        } else if !Self.preface.starts(with: known) {
            decide(context, isHTTP2: false)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // No more bytes will come, so the preface cannot be completed.
        if event as? ChannelEvent == .inputClosed, !isDecided {
            isInputClosed = true
            decide(context, isHTTP2: false)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if !isDecided { spoken.fail(ChannelError.eof) }
    }

    private func decide(_ context: ChannelHandlerContext, isHTTP2: Bool) {
        isDecided = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        setUp(isHTTP2).whenComplete { result in
            let (reader, context) = bound.value
            reader.spoken.completeWith(result)
            guard case .success = result else { return context.close(promise: nil) }
            let bytes = reader.bytes
            reader.bytes = ByteBuffer()
            if bytes.readableBytes > 0 { context.fireChannelRead(reader.wrapInboundOut(bytes)) }
            context.fireChannelReadComplete()
            if reader.isInputClosed { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }
}

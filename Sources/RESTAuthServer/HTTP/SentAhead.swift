import NIOCore

/// Keeps what a client sends ahead of its turn as the bytes that they are, before anything is
/// parsed: a request that waits takes many times the room that its bytes do.
///
/// What is kept is at most what had been read when ``hold()`` was called, or when the client ended
/// its side: then the system hands over all that it has.
final class SentAhead: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = Any

    /// How many bytes are parsed before it is asked whether they are enough.
    private static let portion = 4096

    private var context: ChannelHandlerContext?
    private var isHeld = false
    private var bytes: ByteBuffer?
    /// Somebody wants to read on.
    private var isReadWanted = false
    private var isInputClosed = false

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Hands nothing on and reads nothing until ``release()``.
    func hold() {
        isHeld = true
    }

    /// Hands on what was kept, unless that holds it again.
    func release() {
        guard isHeld else { return }
        isHeld = false
        if let context { handOn(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var new = unwrapInboundIn(data)
        if bytes != nil {
            bytes?.writeBuffer(&new)
        } else if isHeld || new.readableBytes > Self.portion {
            bytes = new
            handOn(context)
        } else {
            context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        if isHeld || bytes != nil { isReadWanted = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed, bytes != nil {
            isInputClosed = true
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        bytes = nil
        isInputClosed = false
        context.fireChannelInactive()
    }

    private func handOn(_ context: ChannelHandlerContext) {
        while !isHeld, let portion = nextPortion() { context.fireChannelRead(wrapInboundOut(portion)) }
        guard !isHeld, bytes == nil else { return }
        if isInputClosed {
            isInputClosed = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if isReadWanted {
            isReadWanted = false
            context.read()
        }
    }

    private func nextPortion() -> ByteBuffer? {
        guard let count = bytes?.readableBytes, count > Self.portion else {
            defer { bytes = nil }
            return bytes
        }
        return bytes?.readSlice(length: Self.portion)
    }
}

import NIOCore

/// Keeps what a client sends ahead of its turn as raw bytes, before parsing: a parsed request takes
/// many times the memory of its bytes.
///
/// At most what had been read when ``hold()`` was called is kept, or what was read when the client
/// closed its side: then the system delivers everything it has.
final class SentAhead: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = Any

    /// The number of bytes parsed at a time, before checking whether to hold the rest.
    private static let portion = 4096

    private var context: ChannelHandlerContext?
    private var isHeld = false
    private var bytes: ByteBuffer?
    /// Whether a read was requested while the bytes were held.
    private var isReadWanted = false
    private var isInputClosed = false

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Stops passing bytes on and reading, until ``release()``.
    func hold() {
        isHeld = true
    }

    /// Passes on what was kept, unless a passed portion calls ``hold()`` again.
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

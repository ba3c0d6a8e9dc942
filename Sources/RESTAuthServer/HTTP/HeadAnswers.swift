import NIOCore

/// An event that comes before the answer to a `HEAD` whose `GET` would be a stream: it has no
/// length, and no body either.
struct AnswerWithoutLength: Sendable {}

/// Drops the end of a body in chunks where an answer to `HEAD` has none (RFC 9110 section 9.3.2).
///
/// An answer without a length is one in chunks to the encoder behind this, which does not know the
/// method, and would write the chunk that ends the body.
final class HeadAnswers: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Whether such an answer is being written.
    private var isAnswering = false

    func answerBegins() { isAnswering = true }
    func answerEnded() { isAnswering = false }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isAnswering, case .byteBuffer(let bytes) = unwrapOutboundIn(data),
            bytes.readableBytesView.elementsEqual("0\r\n\r\n".utf8)
        else { return context.write(data, promise: promise) }
        // Nothing, but in its turn.
        context.write(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: promise)
    }
}

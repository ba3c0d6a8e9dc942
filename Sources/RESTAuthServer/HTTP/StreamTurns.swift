import NIOCore

/// The streams of one HTTP/2 connection that wait for a turn. The connection has one turn in each
/// round, as an HTTP/1 connection has, however many streams it opens.
final class StreamTurns: ChannelInboundHandler, TurnTaker {
    typealias InboundIn = Any

    private var streams = CircularBuffer<RequestTurns>()
    private var isWaiting = false

    /// The turns of the connection that carries `stream`.
    static func ofConnection(of stream: any Channel) -> StreamTurns? {
        guard let pipeline = stream.parent?.pipeline.syncOperations else { return nil }
        if let turns = try? pipeline.handler(type: StreamTurns.self) { return turns }
        let turns = StreamTurns()
        return (try? pipeline.addHandler(turns)) == nil ? nil : turns
    }

    func join(_ stream: RequestTurns, on eventLoop: any EventLoop) {
        streams.append(stream)
        guard !isWaiting else { return }
        isWaiting = true
        Rounds.current(on: eventLoop).join(self)
    }

    func takeTurn() -> Bool {
        // A stream that was reset has no whole request and is skipped.
        while let stream = streams.popFirst() {
            guard stream.hasWholeRequest else { continue }
            _ = stream.takeTurn()
            break
        }
        isWaiting = !streams.isEmpty
        return isWaiting
    }
}

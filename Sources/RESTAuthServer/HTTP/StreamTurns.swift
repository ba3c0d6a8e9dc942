import NIOCore

/// The streams of one connection of HTTP/2 that wait for a turn. The connection has one in each
/// round, as one of HTTP/1 has, however many streams it opens.
final class StreamTurns: ChannelInboundHandler, TurnTaker {
    typealias InboundIn = Any

    private var streams = CircularBuffer<RequestTurns>()
    private var isWaiting = false

    /// That of the connection which `stream` is part of.
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
        // One that was taken back is none.
        while let stream = streams.popFirst() {
            guard stream.hasWholeRequest else { continue }
            _ = stream.takeTurn()
            break
        }
        isWaiting = !streams.isEmpty
        return isWaiting
    }
}

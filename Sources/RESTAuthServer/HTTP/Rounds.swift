import Foundation
import NIOCore
import NIOPosix

/// A connection that waits for its turn on an event loop.
protocol TurnTaker: AnyObject {
    /// Starts at most one request.
    /// - Returns: whether another is ready for the next round.
    func takeTurn() -> Bool
}

/// Turns for everything that waits on one event loop: one turn each in a round, and all connections
/// of the loop are polled before the next round.
///
/// Tasks submitted while an event loop runs its tasks are run before the loop polls its connections
/// again: a chain of such tasks would starve all connections. A round begins instead when a byte
/// arrives through a pipe from the loop to itself.
final class Rounds: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Pipe {
        case opening
        case open(any Channel)
        /// The system could not open a pipe: the next round is scheduled as an ordinary task.
        case missing
    }

    private static let ofThisThread = ThreadSpecificVariable<NIOLoopBoundBox<Rounds>>()

    private let eventLoop: any EventLoop
    private var pipe = Pipe.opening
    private var waiting = CircularBuffer<any TurnTaker>()
    /// Whether the next round has been requested.
    private var isCalled = false

    /// The rounds of the calling event loop, made at the first call and kept as long as its thread.
    static func current(on eventLoop: any EventLoop) -> Rounds {
        eventLoop.preconditionInEventLoop()
        if let rounds = ofThisThread.currentValue?.value { return rounds }
        let rounds = Rounds(on: eventLoop)
        ofThisThread.currentValue = NIOLoopBoundBox(rounds, eventLoop: eventLoop)
        rounds.openPipe()
        return rounds
    }

    private init(on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    private func openPipe() {
        let pipe = Foundation.Pipe()
        let ends = [pipe.fileHandleForReading, pipe.fileHandleForWriting].map { dup($0.fileDescriptor) }
        // NIO takes no other for a descriptor; there is none when the process has no more files.
        guard ends.allSatisfy({ $0 >= 0 }) else {
            for end in ends where end >= 0 { close(end) }
            self.pipe = .missing
            return
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        NIOPipeBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(bound.value) }
            }
            .takingOwnershipOfDescriptors(input: ends[0], output: ends[1])
            .whenComplete { result in
                switch result {
                case .success(let channel): bound.value.pipe = .open(channel)
                case .failure:
                    for end in ends { close(end) }
                    bound.value.pipe = .missing
                }
                if bound.value.isCalled { bound.value.send() }
            }
    }

    /// Lets `taker`, which must not be waiting already, take its turn in the next round.
    func join(_ taker: any TurnTaker) {
        waiting.append(taker)
        call()
    }

    private func call() {
        guard !isCalled else { return }
        isCalled = true
        send()
    }

    private func send() {
        switch pipe {
        case .opening: break
        case .open(let channel): channel.writeAndFlush(ByteBuffer(bytes: [0]), promise: nil)
        case .missing: eventLoop.assumeIsolated().execute { self.round() }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        round()
    }

    private func round() {
        isCalled = false
        for _ in 0..<waiting.count {
            guard let taker = waiting.popFirst() else { break }
            if taker.takeTurn() { waiting.append(taker) }
        }
        if !waiting.isEmpty { call() }
    }
}

import Dispatch
import Foundation
import Logging
import Synchronization

/// Where log lines go: a buffer that a thread of its own empties into standard error.
///
/// A line costs its formatting and nothing more; the requests that write them never wait for a
/// terminal or a disk. The buffer is bounded: when standard error does not take lines as fast as
/// they come, lines are dropped and counted. ``flush()`` empties it; lines of the last 50
/// milliseconds before a `kill -9` are lost.
final class LogSink: Sendable {
    enum Format: String, CaseIterable {
        case text
        case json
    }

    private struct State {
        var buffer: [UInt8] = []
        var dropped = 0
        var clock = LogClock()
    }

    private static let capacity = 8 << 20
    private static let pause: UInt32 = 50_000

    private let format: Format
    private let state = Mutex(State())
    private let writing = Mutex(())
    private let isFilled = DispatchSemaphore(value: 0)

    init(format: Format) {
        self.format = format
        let thread = Thread { [self] in
            while true {
                isFilled.wait()
                usleep(Self.pause)
                flush()
            }
        }
        thread.name = "log"
        thread.start()
    }

    /// Writes out what is in the buffer.
    func flush() {
        // Held while writing, so that two flushes cannot change the order of lines.
        writing.withLock { _ in
            let (bytes, dropped) = state.withLock { state in
                defer { (state.buffer, state.dropped) = ([], 0) }
                return (state.buffer, state.dropped)
            }
            writeFully(bytes)
            if dropped > 0 { writeFully(Array("\(dropped) log lines were dropped\n".utf8)) }
        }
    }

    /// Adds a line.
    /// - Parameter fields: writes the fields after time, level and message.
    func write(_ level: Logger.Level, _ message: String, fields: (inout LogLine) -> Void) {
        let wasEmpty = state.withLock { state in
            guard state.buffer.count < Self.capacity else {
                state.dropped += 1
                return false
            }
            let wasEmpty = state.buffer.isEmpty
            var line = LogLine(format: format, buffer: state.buffer)
            state.buffer = []
            line.begin(&state.clock, level: level, message: message)
            fields(&line)
            line.end()
            state.buffer = line.buffer
            return wasEmpty
        }
        if wasEmpty { isFilled.signal() }
    }

    private func writeFully(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let count = Foundation.write(STDERR_FILENO, rest.baseAddress, rest.count)
                guard count > 0 || errno == EINTR else { return }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(max(count, 0)))
            }
        }
    }
}

import Dispatch
import Foundation
import Logging
import Synchronization

/// A buffer of log lines, which a separate thread writes to standard error.
///
/// Requests never wait for a terminal or a disk. The buffer is bounded: when standard error is
/// slower than the lines arrive, lines are dropped and counted. ``flush()`` writes the buffer; the
/// lines of the last 50 milliseconds before a `kill -9` are lost.
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
    private let leastLevel: Mutex<Logger.Level>
    private let state = Mutex(State())
    private let writing = Mutex(())
    private let isFilled = DispatchSemaphore(value: 0)

    /// - Parameter level: the lowest level that is written.
    init(format: Format, level: Logger.Level) {
        self.format = format
        leastLevel = Mutex(level)
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

    /// The lowest level that is written.
    var level: Logger.Level {
        get { leastLevel.withLock(\.self) }
        set { leastLevel.withLock { $0 = newValue } }
    }

    /// Writes the buffer to standard error.
    func flush() {
        // The lock is held while writing, so that two flushes cannot change the order of lines.
        writing.withLock { _ in
            let (bytes, dropped) = state.withLock { state in
                defer { (state.buffer, state.dropped) = ([], 0) }
                return (state.buffer, state.dropped)
            }
            Output.log(bytes)
            if dropped > 0 { Output.note("\(dropped) log lines were dropped\n") }
        }
    }

    /// Adds a line to the buffer.
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
}

import Foundation
import Synchronization

/// Waits for sockets, on one thread for all of them: a waiting test gives its own thread to other
/// tests.
final class Readiness: Sendable {
    enum Event: Sendable {
        case readable, writable

        fileprivate var bits: Int16 { Int16(self == .readable ? POLLIN : POLLOUT) }
    }

    struct TimedOut: Error {}

    private struct Wait: Sendable {
        let descriptor: Int32
        let event: Event
        let deadline: ContinuousClock.Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var next = 0
        var waits: [Int: Wait] = [:]
        /// Waits that were cancelled before they began.
        var cancelled: Set<Int> = []
    }

    static let shared = Readiness()

    private let state = Mutex(State())
    /// The two ends of a socket pair: a byte sent through it wakes the thread when there is
    /// something new to wait for.
    private let (bell, button): (Int32, Int32)

    private init() {
        var ends: [Int32] = [-1, -1]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends)
        (bell, button) = (ends[0], ends[1])
        Thread { [self] in
            while true { look() }
        }.start()
    }

    /// Returns when the event may have happened.
    /// - Throws: ``TimedOut`` at the deadline, or `CancellationError`.
    func wait(for event: Event, on descriptor: Int32, until deadline: ContinuousClock.Instant) async throws {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    guard state.cancelled.remove(id) == nil else { return true }
                    state.waits[id] = Wait(
                        descriptor: descriptor, event: event, deadline: deadline, continuation: continuation)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) } else { interrupt() }
            }
        } onCancel: {
            let wait = state.withLock { state in
                let wait = state.waits.removeValue(forKey: id)
                if wait == nil { state.cancelled.insert(id) }
                return wait
            }
            wait?.continuation.resume(throwing: CancellationError())
        }
    }

    private func interrupt() {
        _ = send(button, [1], 1, Int32(MSG_NOSIGNAL))
    }

    /// Waits for the next event or deadline and resumes the waits that it concerns.
    private func look() {
        let waits = state.withLock { Array($0.waits) }
        var files = waits.map { pollfd(fd: $0.value.descriptor, events: $0.value.event.bits, revents: 0) }
        files.append(pollfd(fd: bell, events: Int16(POLLIN), revents: 0))
        let rest = waits.map(\.value.deadline).min().map { max(.zero, $0 - .now) } ?? .seconds(60)
        poll(&files, nfds_t(files.count), Int32(min(rest, .seconds(60)) / .milliseconds(1)) + 1)
        var rung = [UInt8](repeating: 0, count: 1024)
        _ = recv(bell, &rung, rung.count, 0)
        let now = ContinuousClock.now
        for ((id, wait), file) in zip(waits, files) {
            let isReady = file.revents != 0
            guard isReady || wait.deadline <= now, state.withLock({ $0.waits.removeValue(forKey: id) }) != nil else {
                continue
            }
            wait.continuation.resume(with: isReady ? .success(()) : .failure(TimedOut()))
        }
    }
}

import RESTAuth
import Synchronization
import Testing

@Suite struct GuessLineTests {
    private let subject = ThrottleSubject.confirmation(by: 7)

    /// Counts the failures in the storage, and the guesses in progress.
    private final class Book: Sendable {
        struct State {
            var (failures, tried, most) = (0, 0, 0)
        }
        let state = Mutex(State())

        func begin() {
            state.withLock { ($0.tried, $0.most) = ($0.tried + 1, max($0.most, $0.failures + $0.tried + 1)) }
        }
        func end(failed: Bool) {
            state.withLock { ($0.tried, $0.failures) = ($0.tried - 1, $0.failures + (failed ? 1 : 0)) }
        }
        var failures: Int { state.withLock { $0.failures } }
    }

    private struct Refused: Error {}

    /// Makes a hundred guesses at once, ten of which may be wrong.
    /// - Returns: the number of guesses tried, and the highest sum of failures and guesses in
    ///   progress.
    private func burst(areWrong: Bool) async -> (tried: Int, most: Int) {
        let (line, book) = (GuessLine(), Book())
        let tried = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    do {
                        try await line.enter(subject) { tried in
                            await Task.yield()
                            guard book.failures < 10 else { throw Refused() }
                            return book.failures + tried < 10
                        }
                    } catch {
                        return false
                    }
                    book.begin()
                    for _ in 0..<10 { await Task.yield() }
                    book.end(failed: areWrong)
                    line.leave(subject)
                    return true
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        return (tried, book.state.withLock { $0.most })
    }

    @Test func ofAHundredWrongOnesTenAreTried() async {
        for _ in 0..<20 {
            let (tried, most) = await burst(areWrong: true)
            #expect(tried == 10)
            #expect(most <= 10)
        }
    }

    @Test func aHundredRightOnesAllHaveTheirTurn() async {
        let (tried, most) = await burst(areWrong: false)
        #expect(tried == 100)
        #expect(most <= 10)
    }

    @Test func subjectsDoNotWaitForEachOther() async throws {
        let line = GuessLine()
        try await line.enter(subject) { _ in true }
        try await line.enter(.confirmation(by: 8)) { $0 == 0 }
        line.leave(subject)
        try await line.enter(subject) { $0 == 0 }
    }

    @Test func whoIsRefusedMakesWayForTheNext() async throws {
        let line = GuessLine()
        for _ in 0..<3 {
            await #expect(throws: Refused.self) { try await line.enter(subject) { _ in throw Refused() } }
        }
        try await line.enter(subject) { $0 == 0 }
    }
}

import RESTAuth
import Testing

@Suite struct AllowancesTests {
    private let start = ContinuousClock.now

    /// The number of units that can be spent in `count` attempts.
    private func spent(
        _ allowances: Allowances<Int>, _ count: Int, by key: Int = 1, factor: Int = 1, after seconds: Int = 0
    ) -> Int {
        (0..<count).count { _ in allowances.spend(key, factor: factor, at: start + .seconds(seconds)) == nil }
    }

    @Test func someAreSpentAtOnceAndTheOthersAsTheyComeBack() {
        let allowances = Allowances<Int>(perHour: 60, burst: 5)
        #expect(spent(allowances, 10) == 5)
        #expect(allowances.spend(1, at: start) == .seconds(60))
        #expect(allowances.spend(1, at: start + .seconds(59)) == .seconds(1))
        #expect(spent(allowances, 10, after: 60) == 1)
        #expect(spent(allowances, 10, after: 240) == 3)
        // No more units than the burst are ever saved.
        #expect(spent(allowances, 10, after: 100_000) == 5)
    }

    @Test func inAnHourTheRateAndTheBurstAreSpent() {
        let allowances = Allowances<Int>(perHour: 120, burst: 10)
        #expect((0...3600).count { spent(allowances, 1, after: $0) == 1 } == 130)
    }

    @Test func eachHasItsOwn() {
        let allowances = Allowances<Int>(perHour: 60, burst: 2)
        #expect((1...100).allSatisfy { spent(allowances, 3, by: $0) == 2 })
    }

    @Test func oneThatMaySoManyTimesAsMuchMayItAtOnceAndInAnHour() {
        let allowances = Allowances<Int>(perHour: 60, burst: 5)
        #expect(spent(allowances, 100, factor: 4) == 20)
        #expect(allowances.spend(1, factor: 4, at: start) == .seconds(15))
        #expect(spent(allowances, 100, factor: 4, after: 60) == 4)
    }

    @Test func whatIsGivenBackCanBeSpent() {
        let allowances = Allowances<Int>(perHour: 60, burst: 2)
        #expect(spent(allowances, 3) == 2)
        allowances.giveBack(1)
        allowances.giveBack(2)
        #expect(spent(allowances, 3) == 1)
        #expect(spent(allowances, 3, by: 2) == 2)
    }

    @Test(arguments: [(0, 0), (-1, -1), (1, 1)])
    func theLeastIsOne(perHour: Int, burst: Int) {
        let allowances = Allowances<Int>(perHour: perHour, burst: burst)
        #expect(spent(allowances, 3) == 1)
        #expect(allowances.spend(1, at: start) == .seconds(3600))
    }

    /// No key can clear a debt by spending with many other keys.
    @Test func whoOwesMostIsRememberedWhenTooManyCome() {
        let allowances = Allowances<Int>(perHour: 60, burst: 5, capacity: 100)
        #expect(spent(allowances, 10) == 5)
        for key in 2...1000 { #expect(spent(allowances, 1, by: key) == 1) }
        #expect(spent(allowances, 10) == 0)
        #expect(spent(allowances, 10, by: 1000) == 4)
        // The key gets no more than the others, once its debt is paid.
        #expect(spent(allowances, 10, after: 3600) == 5)
    }

    @Test func ofAHundredAtOnceNoMoreAreSpentThanOneAfterTheOther() async {
        let allowances = Allowances<Int>(perHour: 1, burst: 10)
        let spent = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 { group.addTask { allowances.spend(1) == nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(spent == 10)
    }
}

import Foundation
import GRDB
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

extension ThrottleTests {
    // MARK: The blocks of IPv6

    /// An address in the network of that number within a /48, which has the number `site` within a
    /// /32.
    func address(site: Int = 0, _ number: Int) -> String {
        "2001:db8:\(String(site, radix: 16)):\(String(number << 8, radix: 16))::1"
    }

    @Test func aBlockMayFourTimesWhatItsNetworksMay() async throws {
        let test = try await testWithMiguel { $0.throttle.networkFailures = 3 }
        var codes: [AuthError.Code] = []
        for number in 0..<20 { codes += await guess(test, 1, at: "user\(number)", from: address(number)) }
        #expect(codes == Array(repeating: .invalidCredentials, count: 12) + Array(repeating: .rateLimited, count: 8))
        let refusal = await error(test, "miguel", "python", from: address(99))
        #expect(refusal?.policy == RateLimitPolicy(name: "network", quota: 12))
        #expect(refusal?.retryAfter == 1)
        // Another site has a counter of its own.
        #expect(await code(test, "miguel", "python", from: address(site: 1, 0)).rawValue == "signed_in")
        test.clock.advance(by: 1)
        #expect(await code(test, "miguel", "python", from: address(99)).rawValue == "signed_in")
        // One is forgiven four times as fast.
        test.clock.advance(by: 149)
        #expect(await guess(test, 1, at: "susan", from: address(100)) == [.invalidCredentials])
    }

    @Test func aProvidersBlockMaySixteenTimes() async throws {
        let test = try await testWithMiguel { $0.throttle.networkFailures = 1 }
        var codes: [AuthError.Code] = []
        for number in 0..<20 { codes += await guess(test, 1, at: "user\(number)", from: address(site: number, 0)) }
        #expect(codes == Array(repeating: .invalidCredentials, count: 16) + Array(repeating: .rateLimited, count: 4))
        #expect(
            await error(test, "miguel", "python", from: address(site: 99, 0))?.policy
                == RateLimitPolicy(name: "network", quota: 16))
        #expect(await guess(test, 1, at: "susan", from: "2001:db9::1") == [.invalidCredentials])
    }

    @Test func whoHasUsedUpANetworkTakesNothingOfItsBlock() async throws {
        let test = try await testWithMiguel { $0.throttle.networkFailures = 3 }
        #expect(await guess(test, 40, at: "susan", from: address(0)).count { $0 == .invalidCredentials } == 3)
        #expect(await guess(test, 3, at: "david", from: address(1)).count { $0 == .invalidCredentials } == 3)
    }

    @Test func whoIsKnownInANetworkIsNotHeldUpByItsBlocks() async throws {
        let test = try await testWithMiguel { $0.throttle.networkFailures = 1 }
        _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: address(0)))
        for number in 1..<20 { _ = await guess(test, 1, at: "user\(number)", from: address(number)) }
        #expect(await code(test, "miguel", "python", from: address(0)).rawValue == "signed_in")
        // Only the customer's network is known, not the whole site or provider.
        #expect(await code(test, "miguel", "python", from: address(1)) == .rateLimited)
    }

    @Test(arguments: ["::ffff:198.51.100.7", "64:ff9b::c633:6407", "2002:c633:6407::1"])
    func anAddressOfIPv4InIPv6IsThatOfIPv4(address: String) async throws {
        let test = try await testWithMiguel { $0.throttle.networkFailures = 3 }
        for number in 0..<3 { _ = await guess(test, 1, at: "user\(number)", from: elsewhere) }
        #expect(await guess(test, 1, at: "susan", from: address) == [.rateLimited])
    }

    @Test func whatCouldBeNoNameIsCountedForItsNetwork() async throws {
        let test = try await testWithMiguel { $0.throttle.networkFailures = 9 }
        #expect(await guess(test, 10, at: "", from: elsewhere).count { $0 == .invalidCredentials } == 9)
        #expect(await guess(test, 1, at: "susan", from: elsewhere) == [.rateLimited])
    }

    @Test func turnedOffItCountsNothing() async throws {
        let test = try await testWithMiguel { $0.throttle.isOn = false }
        #expect(await guess(test, 40, from: elsewhere) == Array(repeating: .invalidCredentials, count: 40))
        #expect(try await test.auth.throttle.list().isEmpty)
    }

    @Test func whileNothingIsWrongNothingIsWritten() async throws {
        let test = try await testWithMiguel()
        // The first sign-in replaces the hash.
        _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        let changes = try await test.storage.database.read { $0.totalChangesCount }
        for _ in 0..<5 {
            _ = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        }
        #expect(try await test.storage.database.read { $0.totalChangesCount } == changes)
    }

    // MARK: The budget

    @Test func whatWrongPasswordsCostIsBounded() async throws {
        // A budget so large that the hashing of this test does not matter.
        let test = try await testWithMiguel { $0.throttle.hashingBudget = 1000 }
        let budget = test.auth.throttle.budget
        budget.spend(.milliseconds(59_999))
        try await budget.settle()
        #expect(await guess(test, 1, at: "susan", from: elsewhere) == [.invalidCredentials])
        budget.spend(.milliseconds(2))
        try await budget.settle()
        let refusal = await error(test, "miguel", "python", from: elsewhere)
        #expect(refusal?.code == .rateLimited)
        #expect(refusal?.policy?.name == "hashing")
        #expect(await code(test, "miguel", "python", from: home) == AuthError.Code(rawValue: "signed_in"))
        test.clock.advance(by: 60)
        try await budget.settle()
        #expect(await code(test, "miguel", "python", from: elsewhere) == AuthError.Code(rawValue: "signed_in"))
    }

    @Test func whatWasSpentBeyondIsOwed() async throws {
        let test = try await testWithMiguel { $0.throttle.hashingBudget = 10 }
        let budget = test.auth.throttle.budget
        for _ in 0..<3 {
            budget.spend(.milliseconds(600))
            try await budget.settle()
        }
        test.clock.advance(by: 119)
        try await budget.settle()
        await test.expect(.rateLimited) {
            try await test.auth.login.identify("susan", password: "x", by: Caller(address: elsewhere))
        }
        test.clock.advance(by: 2)
        try await budget.settle()
        await test.expect(.invalidCredentials) {
            try await test.auth.login.identify("susan", password: "x", by: Caller(address: elsewhere))
        }
    }

    @Test func allProcessesSpendOneBudget() async throws {
        let (storage, secret, clock) = (try await SQLiteStorage(), InstanceSecret(), TestClock())
        let nodes = [
            try await TestAuth(over: storage, secret: secret, clock: clock) { $0.throttle.hashingBudget = 10 },
            try await TestAuth(over: storage, secret: secret, clock: clock) { $0.throttle.hashingBudget = 10 },
        ]
        for node in nodes {
            node.auth.throttle.budget.spend(.milliseconds(350))
            try await node.auth.throttle.budget.settle()
        }
        // 700 of 600 milliseconds are spent, and ten a second are forgiven; both nodes know it.
        for node in nodes {
            try await node.auth.throttle.budget.settle()
            #expect(abs(node.auth.throttle.budget.blockedUntil.timeIntervalSince(clock.now + 10.1)) < 0.01)
        }
    }

    @Test func aBudgetThatIsNotSpentIsNotWritten() async throws {
        let test = try await testWithMiguel()
        let changes = try await test.storage.database.read { $0.totalChangesCount }
        try await test.auth.throttle.budget.settle()
        #expect(try await test.storage.database.read { $0.totalChangesCount } == changes)
    }
}

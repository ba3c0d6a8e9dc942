import Foundation
import GRDB
import PasswordHashing
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// A storage that can be read but accepts no counters, as on a full disk.
@Suite struct UncountedFailuresTests {
    private let home = "192.0.2.1"
    private let elsewhere = "198.51.100.1"
    private let signedIn = AuthError.Code(rawValue: "signed_in")

    /// A user who has signed in from home.
    private func testWithMiguel() async throws -> TestAuth {
        let test = try await TestAuth()
        _ = try await test.auth.registration.register("miguel", password: "python", by: Caller(address: home))
        return test
    }

    private func refuseCounting(_ test: TestAuth) async throws {
        try await test.storage.database.write {
            try $0.execute(
                sql: "CREATE TRIGGER full BEFORE INSERT ON throttles BEGIN SELECT RAISE(ABORT, 'full'); END")
        }
    }

    private func takeCounting(_ test: TestAuth) async throws {
        try await test.storage.database.write { try $0.execute(sql: "DROP TRIGGER full") }
    }

    private func outcome(
        _ test: TestAuth, _ password: String, at username: String = "miguel", from address: String?
    ) async -> AuthError {
        do {
            _ = try await test.auth.login.identify(username, password: password, by: Caller(address: address))
            return AuthError(signedIn, "")
        } catch {
            return error as? AuthError ?? AuthError(.misconfigured, "\(error)")
        }
    }

    private func codes(
        _ test: TestAuth, _ count: Int, of password: String, at username: String = "miguel", from address: String?
    ) async -> [AuthError.Code] {
        var codes: [AuthError.Code] = []
        for _ in 0..<count { codes.append(await outcome(test, password, at: username, from: address).code) }
        return codes
    }

    private let tenAndNoMore: [AuthError.Code] =
        Array(repeating: .storageUnavailable, count: 10) + [.rateLimited, .rateLimited]

    @Test func whatCannotBeCountedIsCountedInMemoryAndWrittenLater() async throws {
        let test = try await testWithMiguel()
        try await refuseCounting(test)
        #expect(await codes(test, 12, of: "wrong", from: elsewhere) == tenAndNoMore)
        #expect(await outcome(test, "python", from: elsewhere).code == .rateLimited)
        #expect(await codes(test, 12, of: "wrong", from: nil).allSatisfy { $0 == .rateLimited })
        try await takeCounting(test)
        #expect(await codes(test, 1, of: "wrong", from: elsewhere) == [.rateLimited])
        try await test.auth.throttle.uncounted.settle()
        let counters = try await test.auth.throttle.list()
        #expect(counters.first { $0.subject.kind == .account }?.failures == 10)
        #expect(await outcome(test, "python", from: "203.0.113.1").code == .rateLimited)
        test.clock.advance(by: 30)
        #expect(await outcome(test, "python", from: "203.0.113.1").code == signedIn)
    }

    @Test func nothingTellsTheRightPasswordFromAWrongOneMeanwhileOrAfterwards() async throws {
        var histories: [[AuthError]] = []
        for (username, password) in [("miguel", "python"), ("miguel", "wrong"), ("nobody", "wrong")] {
            let test = try await testWithMiguel()
            try await refuseCounting(test)
            // A wrong guess, after which it is known that nothing can be counted.
            _ = await outcome(test, "x", at: username, from: elsewhere)
            var history: [AuthError] = []
            for _ in 0..<12 { history.append(await outcome(test, password, at: username, from: elsewhere)) }
            try await takeCounting(test)
            history.append(await outcome(test, "y", at: username, from: elsewhere))
            histories.append(history)
        }
        #expect(histories[0] == histories[1])
        #expect(histories[1] == histories[2])
        #expect(histories[0].map(\.code) == Array(tenAndNoMore.dropFirst()) + [.rateLimited, .rateLimited])
    }

    @Test func whoIsKnownIsRefusedTooAndIsBackWhenCountingIs() async throws {
        let test = try await testWithMiguel()
        try await refuseCounting(test)
        #expect(await outcome(test, "python", from: home).code == signedIn)
        #expect(await outcome(test, "wrong", at: "nobody", from: elsewhere).code == .storageUnavailable)
        #expect(await outcome(test, "python", from: home).code == .storageUnavailable)
        #expect(await !test.auth.readiness().throttle)
        try await takeCounting(test)
        #expect(await outcome(test, "python", from: home).code == signedIn)
        #expect(await test.auth.readiness().throttle)
    }

    @Test func theRightOneThatWasHashedMeanwhileIsNotToldEither() async throws {
        for isRight in [true, false] {
            let test = try await testWithMiguel()
            try await refuseCounting(test)
            let miguel = try await test.auth.login.vouch(for: test.auth.users.find(1), at: test.clock.now)
            await test.expect(.storageUnavailable) {
                try await test.auth.throttle.admitting(
                    Guess(name: Username("miguel"), by: Caller(address: elsewhere))
                ) { guess in
                    _ = await self.outcome(test, "x", at: "nobody", from: "203.0.113.1")
                    if isRight {
                        try await test.auth.throttle.succeed(guess, as: miguel)
                    } else {
                        try await test.auth.throttle.fail(guess, cost: .milliseconds(10))
                    }
                }
            }
            try await takeCounting(test)
            try await test.auth.throttle.uncounted.settle()
            let counter = try await test.auth.throttle.list().first { $0.subject.username == "miguel" }
            #expect(counter?.failures == 1)
        }
    }

    @Test func triesInAnOutageLockNobodyOutForLong() async throws {
        let test = try await testWithMiguel()
        try await refuseCounting(test)
        for _ in 0..<50 {
            _ = await outcome(test, "python", from: elsewhere)
            _ = await outcome(test, "wrong", from: elsewhere)
            test.clock.advance(by: 3600)
        }
        try await takeCounting(test)
        try await test.auth.throttle.uncounted.settle()
        for counter in try await test.auth.throttle.list() where counter.subject.kind == .account {
            #expect(counter.failures <= 10)
        }
        test.clock.advance(by: 30)
        #expect(await outcome(test, "python", from: elsewhere).code == signedIn)
    }

    @Test func presentPasswordsAreCountedInMemoryToo() async throws {
        let test = try await testWithMiguel()
        let identity = try await test.auth.login.identify("miguel", password: "python", by: Caller(address: home))
        func confirm(_ password: String) async -> AuthError.Code {
            do {
                try await test.auth.passwords.confirm(password, for: identity, by: Caller(address: home))
                return signedIn
            } catch { return (error as? AuthError)?.code ?? .misconfigured }
        }
        try await refuseCounting(test)
        for number in 0..<10 { #expect(await confirm(number == 5 ? "python" : "wrong") == .storageUnavailable) }
        #expect(await confirm("wrong") == .rateLimited)
        #expect(await confirm("python") == .rateLimited)
        try await takeCounting(test)
        #expect(await confirm("python") == .rateLimited)
        test.clock.advance(by: 30)
        #expect(await confirm("python") == signedIn)
    }

    @Test func ofABurstNoMoreAreComparedThanWouldBeOneByOne() async throws {
        let test = try await testWithMiguel()
        try await refuseCounting(test)
        let codes = await withTaskGroup(of: AuthError.Code.self) { group in
            for number in 0..<100 {
                group.addTask { await outcome(test, "wrong\(number)", from: "10.0.\(number).1").code }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(codes).isSubset(of: [.storageUnavailable, .rateLimited]))
        #expect(codes.count { $0 == .storageUnavailable } <= 20)
        try await takeCounting(test)
        #expect(await outcome(test, "python", from: elsewhere).code == .rateLimited)
    }

    @Test func anotherPasswordForgetsWhatWasNotWritten() async throws {
        let test = try await testWithMiguel()
        let user = try await test.auth.users.find(named: "miguel")
        try await refuseCounting(test)
        _ = await codes(test, 12, of: "wrong", from: elsewhere)
        try await takeCounting(test)
        try await test.auth.passwords.set("monty", for: user)
        #expect(await outcome(test, "monty", from: elsewhere).code == signedIn)
    }

    @Test func whatIsNotTakenOfTheBudgetIsOwedAllTheSame() async throws {
        let test = try await TestAuth { $0.throttle.hashingBudget = 10 }
        let budget = test.auth.throttle.budget
        try await refuseCounting(test)
        for _ in 0..<2 {
            budget.spend(.milliseconds(350))
            await test.expect(.storageUnavailable) { try await budget.settle() }
        }
        #expect(budget.blockedUntil > test.clock.now)
        await test.expect(.rateLimited) {
            try await test.auth.login.identify("susan", password: "x", by: Caller(address: elsewhere))
        }
        try await takeCounting(test)
        try await budget.settle()
        #expect(try await test.auth.throttle.list().first?.failures == 700)
    }
}

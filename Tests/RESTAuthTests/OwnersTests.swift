import Foundation
import GRDB
import RESTAuth
import RESTAuthSQLite
import RESTAuthTesting
import Testing

/// Counters of a name from before it is registered, and what is left of them when the user is
/// deleted.
@Suite struct OwnersTests {
    private let place = "198.51.100.1"

    private func guess(_ test: TestAuth, _ count: Int = 12, at name: String, from address: String) async {
        for _ in 0..<count {
            _ = try? await test.auth.login.identify(name, password: "wrong", by: Caller(address: address))
        }
    }

    private func kinds(_ test: TestAuth, about name: String) async throws -> [ThrottleSubject.Kind] {
        try await test.auth.throttle.list(limit: 1000).filter { $0.subject.username == name }
            .map(\.subject.kind)
    }

    @Test func whoRegistersIsNotHeldUpByWhatWasGuessedBefore() async throws {
        let test = try await TestAuth()
        await guess(test, at: "bob", from: place)
        await guess(test, at: "bobby", from: place)
        _ = try await test.auth.registration.register("Bob", password: "python", by: Caller(address: place))
        _ = try await test.auth.login.identify("bob", password: "python", by: Caller(address: place))
        _ = try await test.auth.login.identify("bob", password: "python", by: Caller(address: "203.0.113.1"))
        #expect(try await kinds(test, about: "bob").isEmpty)
        // Another name has counters of its own.
        #expect(try await kinds(test, about: "bobby") == [.account])
    }

    @Test func whoRegistersIsKnownThere() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.registration.register("bob", password: "python", by: Caller(address: place))
        for number in 0..<40 { await guess(test, 1, at: "nobody\(number)", from: place) }
        await guess(test, at: "bob", from: "203.0.113.1")
        _ = try await test.auth.login.identify("bob", password: "python", by: Caller(address: place))
        await test.expect(.rateLimited) {
            try await test.auth.login.identify("bob", password: "python", by: Caller(address: "203.0.113.1"))
        }
    }

    @Test func anOperatorsUserBeginsAnewAndIsKnownNowhere() async throws {
        let test = try await TestAuth()
        await guess(test, at: "bob", from: place)
        _ = try await test.auth.users.register("bob", password: "python")
        #expect(try await kinds(test, about: "bob").isEmpty)
        await guess(test, 1, at: "bob", from: place)
        #expect(try await kinds(test, about: "bob") == [.account])
    }

    @Test func aRefusedRegistrationEndsNoSeries() async throws {
        let test = try await TestAuth()
        _ = try await test.auth.users.register("bob", password: "python")
        await guess(test, at: "bob", from: place)
        await test.expect(.userAlreadyExists) {
            try await test.auth.registration.register("BOB", password: "mine", by: Caller(address: place))
        }
        await test.expect(.rateLimited) {
            try await test.auth.login.identify("bob", password: "python", by: Caller(address: place))
        }
    }

    @Test func whoHasTheNameNextBeginsAnew() async throws {
        let test = try await TestAuth()
        let home = "192.0.2.1"
        let first = try await test.auth.registration.register("bob", password: "python", by: Caller(address: home))
        let identity = try await test.auth.login.identify("bob", password: "python", by: Caller(address: home))
        for address in [home, place] { await guess(test, 3, at: "bob", from: address) }
        await test.expect(.currentPasswordInvalid) { try await test.auth.passwords.confirm("wrong", for: identity) }
        #expect(try await test.auth.throttle.list().count { $0.subject.userID == first.id } == 1)
        #expect(try await Set(kinds(test, about: "bob")) == [.account, .known])
        try await test.auth.users.delete(first.id)
        #expect(try await kinds(test, about: "bob").isEmpty)
        #expect(try await test.auth.throttle.list().allSatisfy { $0.subject.userID == nil })
        _ = try await test.auth.users.register("bob", password: "monty")
        #expect(try await test.storage.knownOrigin(#require(ClientNetwork(home)), canonicalUsername: "bob") == nil)
    }

    @Test func anotherPasswordAndTheEndOfTheSeriesAreOneTransaction() async throws {
        let test = try await TestAuth()
        let user = try await test.auth.users.register("bob", password: "python")
        await guess(test, 3, at: "bob", from: place)
        try await test.storage.database.write {
            try $0.execute(
                sql: "CREATE TRIGGER full BEFORE DELETE ON throttles BEGIN SELECT RAISE(ABORT, 'full'); END")
        }
        await test.expect(.storageUnavailable) { try await test.auth.passwords.set("monty", for: user) }
        _ = try await test.auth.login.identify("bob", password: "python", by: Caller(address: place))
        try await test.storage.database.write { try $0.execute(sql: "DROP TRIGGER full") }
        try await test.auth.passwords.set("monty", for: user)
        #expect(try await kinds(test, about: "bob").isEmpty)
    }

    @Test func whereNothingIsCountedNobodyIsKnown() async throws {
        let test = try await TestAuth { $0.throttle.isOn = false }
        _ = try await test.auth.registration.register("bob", password: "python", by: Caller(address: place))
        #expect(try await test.storage.knownOrigin(#require(ClientNetwork(place)), canonicalUsername: "bob") == nil)
    }
}

import Foundation
import RESTAuth
import RESTAuthTesting
import Testing

/// Wrong codes of the user `miguel`, who has an authenticator app and has signed in at home.
@Suite struct FactorGuessesTests {
    private let test: TestAuth
    private let app: TestApp
    private let home = Caller(address: "198.51.100.9")
    private let elsewhere = Caller(address: "192.0.2.7")

    init() async throws {
        test = try await TestAuth()
        for name in ["miguel", "susan"] { _ = try await test.auth.users.register(name, password: "python") }
        app = try await test.newApp(of: test.auth.login.identify("miguel", password: "python", by: home))
    }

    private func ticket(by caller: Caller) async throws -> String {
        let signIn = try await test.auth.login.attempt("miguel", password: "python", by: caller)
        guard case .continues(let ticket, _) = signIn else { throw AuthError(.misconfigured, "it did not go on") }
        return ticket.value
    }

    /// Both steps; the error of the refusal.
    @discardableResult
    private func refusal(of code: String, by caller: Caller) async throws -> AuthError? {
        do {
            _ = try await test.auth.login.answer(.code(code), of: ticket(by: caller), by: caller)
            return nil
        } catch let error as AuthError {
            return error
        }
    }

    private func failures(of subject: ThrottleSubject) async throws -> Int? {
        try await test.storage.throttles(of: [subject]).first?.failures
    }

    @Test func theSixthCodeHasToWaitAndSoDoesTheRightOne() async throws {
        for _ in 0..<5 { #expect(try await refusal(of: "000000", by: elsewhere)?.code == .invalidCode) }
        for code in ["000000", app.code] {
            let refusal = try await refusal(of: code, by: elsewhere)
            #expect(refusal?.code == .rateLimited && refusal?.retryAfter == 30)
            #expect(refusal?.policy == RateLimitPolicy(name: "one_time_code", quota: 5))
        }
        test.clock.advance(by: 30)
        #expect(try await refusal(of: "000000", by: elsewhere)?.code == .invalidCode)
        #expect(try await refusal(of: app.code, by: elsewhere)?.retryAfter == 60)
        test.clock.advance(by: 60)
        #expect(try await refusal(of: app.code, by: elsewhere) == nil)
        // The series has ended with it.
        #expect(try await failures(of: .oneTimeCode(of: 1)) == nil)
        #expect(try await test.storage.events(after: 0, limit: 100).contains { $0.fields.name == "throttle.reached" })
    }

    @Test func theWaitGrowsToAnHourAndNoFurther() async throws {
        let subject = ThrottleSubject.oneTimeCode(of: 1)
        let limit = ThrottleConfiguration().factor
        for _ in 0..<50 {
            test.clock.advance(by: 3600)
            _ = try await test.storage.countFailure(1, of: subject, other: nil, limit: limit, at: test.clock.now)
        }
        let counter = try #require(await test.storage.throttles(of: [subject]).first)
        #expect(test.auth.throttle.blockedUntil(counter) == test.clock.now.addingTimeInterval(3600))
    }

    @Test func eachFactorIsHeldUpByItsOwnCounterAlone() async throws {
        for _ in 0..<5 { try await refusal(of: "000000", by: elsewhere) }
        #expect(try await refusal(of: "0000000000", by: elsewhere)?.code == .invalidCode)
        #expect(try await failures(of: .recoveryCode(of: 1)) == 1)
        #expect(try await refusal(of: app.recoveryCodes[0], by: elsewhere) == nil)
        #expect(try await failures(of: .recoveryCode(of: 1)) == nil)
        #expect(try await failures(of: .oneTimeCode(of: 1)) == 5)
        #expect(try await failures(of: .oneTimeCode(of: 2)) == nil)
    }

    @Test(arguments: ["", "x", "12345", "1234567", "１２３４５６", "00000000000", "12 34 56"])
    func whatIsNoCodeIsCountedByTheAccountAndTheNetworkAlone(text: String) async throws {
        #expect(try await refusal(of: text, by: elsewhere)?.code == .invalidCode)
        let network = try #require(elsewhere.network)
        #expect(
            Set(try await test.storage.throttles(after: nil, limit: 10).map(\.subject))
                == [.account(canonicalUsername: "miguel"), .network(network)])
        for _ in 1..<10 { try await refusal(of: text, by: elsewhere) }
        let refusal = await #expect(throws: AuthError.self) { try await ticket(by: elsewhere) }
        #expect(refusal?.policy == RateLimitPolicy(name: "account", quota: 10))
    }

    @Test func guessesFromElsewhereDoNotHoldUpWhoIsAtHome() async throws {
        for _ in 0..<6 { try await refusal(of: "000000", by: elsewhere) }
        #expect(try await refusal(of: app.code, by: elsewhere)?.code == .rateLimited)
        #expect(try await refusal(of: app.nextCode(), by: home) == nil)
    }

    /// Codes from a network where the user is known are held up as passwords from there are.
    @Test func guessesFromHomeAreHeldUpThere() async throws {
        for _ in 0..<10 { #expect(try await refusal(of: "000000", by: home)?.code == .invalidCode) }
        #expect(try await failures(of: .oneTimeCode(of: 1)) == 5)
        let refusal = await #expect(throws: AuthError.self) { try await ticket(by: home) }
        #expect(refusal?.policy == RateLimitPolicy(name: "account", quota: 10))
    }

    @Test func ofManyAtOnceNoMoreAreComparedThanOneAfterTheOther() async throws {
        var tickets: [String] = []
        for _ in 0..<30 { tickets.append(try await ticket(by: elsewhere)) }
        let all = tickets
        let told = await withTaskGroup(of: AuthError.Code?.self) { group in
            for ticket in all {
                group.addTask {
                    do {
                        _ = try await test.auth.login.answer(.code("000000"), of: ticket, by: elsewhere)
                        return nil
                    } catch {
                        return (error as? AuthError)?.code
                    }
                }
            }
            return await group.reduce(into: [AuthError.Code?]()) { $0.append($1) }
        }
        #expect(told.count { $0 == .invalidCode } == 5)
        #expect(told.count { $0 == .rateLimited } == 25)
    }

    @Test func anotherPasswordAndAnOperatorEndTheSeries() async throws {
        let subjects: [ThrottleSubject] = [.oneTimeCode(of: 1), .recoveryCode(of: 1)]
        func count() async throws {
            for code in ["000000", "0000000000"] { try await refusal(of: code, by: elsewhere) }
            #expect(try await test.storage.throttles(of: subjects).count == 2)
        }
        try await count()
        let cleared = try await test.auth.throttle.clear(Username("miguel"), user: 1)
        #expect(Set(cleared).isSuperset(of: subjects))
        try await count()
        #expect(try await test.auth.throttle.clear(subjects[0]))
        #expect(try await test.auth.throttle.list().map(\.subject).contains(subjects[1]))
        try await test.auth.passwords.set("python", for: test.auth.users.find(1))
        #expect(try await test.storage.throttles(of: subjects).isEmpty)
    }
}

import Hummingbird
import NIOCore
import RESTAuthHummingbird
import Synchronization
import Testing

/// Warnings about addresses that send a client's address in a field without being trusted, under a
/// clock of the test.
@Suite struct UnheardProxiesTests {
    private final class Time: Sendable {
        private let instant = Mutex(ContinuousClock.now)
        func now() -> ContinuousClock.Instant { instant.withLock(\.self) }
        func pass(_ duration: Duration) { instant.withLock { $0 += duration } }
    }

    private let time = Time()

    private func unheard(named: [String] = []) throws -> UnheardProxies {
        let networks = try named.map { try #require(Network($0)) }
        return ForwardedFields(trusted: networks, now: { [time] in time.now() }).unheard
    }

    private let fields: HTTPFields = [.init("X-Forwarded-For")!: "203.0.113.7"]

    @Test func aWarningComesOnceAnHour() throws {
        let unheard = try unheard()
        #expect(unheard.notice(fields, from: "10.0.0.5", .notNamed)?.address == "10.0.0.5")
        for _ in 0..<10 {
            time.pass(.seconds(359))
            #expect(unheard.notice(fields, from: "10.0.0.5", .notNamed) == nil)
            #expect(unheard.notice(fields, from: "10.0.0.6", .notNamed) == nil)
        }
        time.pass(.seconds(10))
        #expect(unheard.notice(fields, from: "10.0.0.6", .notNamed)?.address == "10.0.0.6")
        #expect(unheard.notice(fields, from: "10.0.0.5", .notNamed) == nil)
    }

    /// A client that sends the field from very many addresses hides no other and cannot fill the
    /// memory.
    @Test func whoComesMostOftenIsTheOneWarnedAbout() throws {
        let unheard = try unheard()
        _ = unheard.notice(fields, from: "198.51.100.1", .notNamed)
        for number in 0..<100_000 {
            let stranger = "198.51.\(number / 256 % 256).\(number % 256)"
            #expect(unheard.notice(fields, from: stranger, .notNamed) == nil)
            if number.isMultiple(of: 4) { _ = unheard.notice(fields, from: "10.0.0.5", .notNamed) }
        }
        #expect(unheard.sightings.count == UnheardProxies.capacity)
        #expect(unheard.sightings.first?.address == "10.0.0.5")
        time.pass(.seconds(3600))
        #expect(unheard.notice(fields, from: "198.51.100.1", .notNamed)?.address == "10.0.0.5")
        #expect(unheard.sightings.isEmpty)
    }

    @Test func whatSaysNothingOfAClientIsNotNoticed() throws {
        let unheard = try unheard()
        for name in ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Via", "X-Field"] {
            #expect(unheard.notice([.init(name)!: "x"], from: "10.0.0.5", .notNamed) == nil)
        }
        #expect(unheard.sightings.isEmpty)
    }

    @Test func theAdviceNamesTheSettingAndRepeatsNothingThatWasSent() throws {
        let unheard = try unheard(named: ["10.1.0.0/16", "fd00::/8", "::1", "::ffff:192.0.2.1"])
        let unnamed = try #require(unheard.notice(fields, from: "2001:db8::5", .notNamed))
        let advice = unheard.advice(on: unnamed)
        #expect(advice.contains("set --trusted-proxies 10.1.0.0/16,fd00::/8,::1,192.0.2.1,2001:db8::5,"))
        #expect(advice.hasPrefix("2001:db8::5 sends X-Forwarded-For "))
        #expect(!advice.contains("203.0.113.7"))
        time.pass(.seconds(3600))
        let other: HTTPFields = [.init("Forwarded")!: "for=203.0.113.7"]
        let named = try #require(unheard.notice(other, from: "10.1.2.3", .otherFamily))
        #expect(unheard.advice(on: named).contains("set --forwarded-fields forwarded"))
        time.pass(.seconds(3600))
        let noAddress = try #require(unheard.notice(fields, from: "::ffff:10.1.2.3", .noAddress))
        #expect(
            unheard.advice(on: noAddress).hasPrefix("10.1.2.3, which trusted_proxies names, sends in X-Forwarded-For "))
    }

    @Test(arguments: [
        "10.0.0.0/8", "10.0.0.5", "::1", "fd00::/8", "0.0.0.0/0", "::/0", "2001:db8::7/128", "::ffff:10.0.0.5",
    ])
    func aNetworkIsWrittenAsItMayBeGiven(text: String) throws {
        let network = try #require(Network(text))
        #expect(Network(network.description) == network)
    }
}

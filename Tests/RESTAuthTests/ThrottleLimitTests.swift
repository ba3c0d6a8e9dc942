import Foundation
import RESTAuth
import Testing

@Suite struct ThrottleLimitTests {
    private let subject = ThrottleSubject.confirmation(by: 7)
    private let start = Date(timeIntervalSince1970: 1_800_000_000)

    /// Fails as often as the limit allows.
    /// - Returns: the seconds from the first failure to each of the others.
    private func attack(_ limit: ThrottleLimit, times: Int, notBefore pace: TimeInterval = 0) -> [TimeInterval] {
        var (now, counter) = (start, ThrottleCounter?.none)
        var moments: [TimeInterval] = []
        while moments.count < times {
            switch limit.counting(1, of: subject, other: nil, on: counter, at: now) {
            case .counted(let next, _):
                counter = next
                moments.append(now.timeIntervalSince(start))
                now += pace
            case .refused(let until):
                guard until < .distantFuture else { return moments }
                now = until
            }
        }
        return moments
    }

    @Test func delaysDoubleUpToTheLongest() {
        let limit = ThrottleLimit(allowance: 3, delay: .doubling(from: 30, to: 100), forgiveness: nil, memory: 3600)
        #expect(attack(limit, times: 8) == [0, 0, 0, 30, 90, 190, 290, 390])
    }

    @Test func anAccountLetsTenThroughAndThenOneAnHour() {
        let moments = attack(ThrottleConfiguration().account, times: 1000)
        #expect(moments.count { $0 < 30 } == 10)
        #expect(moments.count { $0 < 3600 } == 16)
        #expect(moments.count { $0 < 86400 } <= 40)
    }

    @Test func nobodyComesInAfterAHundredInARow() {
        #expect(attack(ThrottleConfiguration().account, times: 1000).count == 100)
        #expect(attack(ThrottleConfiguration().account, times: 1000, notBefore: 86399).count == 100)
    }

    @Test func aNetworkIsForgivenOneEachTenMinutes() {
        let moments = attack(ThrottleConfiguration().network, times: 2000)
        #expect(moments.count { $0 < 1 } == 30)
        #expect(moments.count { $0 < 3600 } <= 45)
        // In the long run, no more than are forgiven.
        #expect((140...190).contains(moments.count { $0 >= 86400 && $0 < 2 * 86400 }))
    }

    @Test func whoFailsRarelyNeverWaits() {
        let moments = attack(ThrottleConfiguration().network, times: 1000, notBefore: 601)
        #expect(moments == (0..<1000).map { TimeInterval($0) * 601 })
    }

    @Test func registrationsRefillEvenly() {
        let moments = attack(ThrottleConfiguration().registrations(perHour: 100), times: 300)
        #expect(moments.count { $0 < 36 } == 100)
        #expect((199...200).contains(moments.count { $0 < 3600 }))
    }

    @Test func aClockThatGoesBackForgivesNothing() {
        let limit = ThrottleConfiguration().network
        guard case .counted(let counter, _) = limit.counting(29, of: subject, other: nil, on: nil, at: start),
            case .counted(let later, _) = limit.counting(1, of: subject, other: nil, on: counter, at: start - 86400)
        else {
            Issue.record("refused")
            return
        }
        #expect(later.failures == 30)
    }

    @Test func aClockThatWasAheadMakesNobodyWaitForIt() {
        for limit in [
            ThrottleConfiguration().account, ThrottleConfiguration().network, ThrottleConfiguration().hashing,
        ] {
            guard
                case .counted(let counter, _) = limit.counting(
                    limit.allowance, of: subject, other: nil, on: nil, at: start + 86400)
            else {
                Issue.record("refused")
                return
            }
            let until = limit.blockedUntil(counter, at: start) ?? start
            #expect(until <= start + 3600)
        }
    }

    @Test func aSeriesThatHeldNobodyUpIsForgottenAfterADay() {
        let limit = ThrottleConfiguration().account
        guard case .counted(let few, _) = limit.counting(9, of: subject, other: nil, on: nil, at: start),
            case .counted(let enough, _) = limit.counting(1, of: subject, other: nil, on: few, at: start)
        else {
            Issue.record("refused")
            return
        }
        #expect(few.forgottenAt == start + 86400)
        #expect(enough.forgottenAt == start + 7 * 86400)
    }

    @Test(arguments: [
        (0, 0, true), (0, 9, true), (0, 10, false), (9, 0, true), (9, 1, false), (10, 0, true), (10, 1, false),
        (50, 1, false),
    ])
    func whatIsTriedCountsAsIfItHadFailed(failures: Int, tried: Int, hasRoom: Bool) {
        let limit = ThrottleConfiguration().account
        var counter: ThrottleCounter?
        if failures > 0,
            case .counted(let counted, _) = limit.counting(failures, of: subject, other: nil, on: nil, at: start)
        {
            counter = counted
        }
        #expect(limit.hasRoom(counter, tried: tried, at: start + 7200) == hasRoom)
    }

    @Test func aDelayDoesNotOverflow() {
        let limit = ThrottleLimit(allowance: 1, delay: .doubling(from: 1, to: 3600), forgiveness: nil, memory: 1)
        guard case .counted(let counter, _) = limit.counting(1_000_000_000, of: subject, other: nil, on: nil, at: start)
        else {
            Issue.record("refused")
            return
        }
        #expect(limit.blockedUntil(counter, at: start) == start + 3600)
    }

    @Test func digestsSurviveTheirBytes() {
        let others: [UInt32] = [0, 1, .max, 0x0102_0304]
        #expect([UInt32](bytes: others.bytes) == others)
        #expect([UInt32](bytes: []).isEmpty)
        #expect([UInt32](bytes: [1, 0, 0, 0, 9]) == [1])
    }
}

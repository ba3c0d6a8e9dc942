import Foundation
import RESTAuth
import Testing

/// The codes of an authenticator app, as far as they can be decided without a storage.
@Suite struct TOTPTests {
    /// Of the test vectors of RFC 4226 and RFC 6238.
    private let secret: TOTPSecret
    private let start = Date(timeIntervalSince1970: 1_111_111_110)

    init() throws { secret = try #require(TOTPSecret(bytes: Array("12345678901234567890".utf8))) }

    private func code(at date: Date) -> OneTimeCode { secret.code(for: TOTP.step(at: date)) }

    private func step(_ code: OneTimeCode, at date: Date, after last: Int64 = 0) -> Int64? {
        secret.step(matching: code, at: date, after: last)
    }

    // MARK: Codes

    // RFC 4226 appendix D.
    @Test(
        arguments: zip(
            0..., ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
        ).map { ($0, $1) })
    func codesOfCountersAreThoseOfTheStandard(counter: Int64, code: String) {
        #expect(secret.code(for: counter).value == code)
    }

    // RFC 6238 appendix B: the last six of its eight digits.
    @Test(arguments: [
        (59, 1, "94287082"), (1_111_111_109, 0x23523EC, "07081804"), (1_111_111_111, 0x23523ED, "14050471"),
        (1_234_567_890, 0x273EF07, "89005924"), (2_000_000_000, 0x3F940AA, "69279037"),
        (20_000_000_000, 0x27BC86AA, "65353130"),
    ])
    func codesOfTimesAreThoseOfTheStandard(time: Int, step: Int64, code: String) {
        let date = Date(timeIntervalSince1970: TimeInterval(time))
        #expect(TOTP.step(at: date) == step)
        #expect(self.code(at: date).value == String(code.suffix(6)))
    }

    @Test func aCodeHasSixDigitsAlsoWhenTheyAreZeros() throws {
        #expect(secret.code(for: 25193).value == "000039")
        #expect(secret.code(for: 26383).value == "000066")
        let code = try #require(OneTimeCode("000039"))
        #expect(step(code, at: Date(timeIntervalSince1970: 25193 * 30)) == 25193)
    }

    @Test func aStepHasThirtySeconds() {
        #expect(TOTP.step(at: start) == 37_037_037)
        #expect(TOTP.step(at: start.addingTimeInterval(29.999)) == 37_037_037)
        #expect(TOTP.step(at: start.addingTimeInterval(30)) == 37_037_038)
        #expect(TOTP.step(at: start.addingTimeInterval(-0.001)) == 37_037_036)
    }

    @Test(arguments: [0, -1, -1e9, -.infinity, .infinity, .nan, 1e300, -.greatestFiniteMagnitude])
    func aClockOutOfItsMindHasNoStep(time: TimeInterval) {
        #expect(TOTP.step(at: Date(timeIntervalSince1970: time)) == 0)
        let code = secret.code(for: -1)
        #expect(step(code, at: Date(timeIntervalSince1970: time)) == nil)
    }

    @Test func everyStepHasACode() {
        for step in [Int64.min, -1, 0, Int64.max] { #expect(OneTimeCode(secret.code(for: step).value) != nil) }
    }

    // MARK: Skew

    @Test func aCodeOfTheNeighbouringStepsIsFound() {
        let present = TOTP.step(at: start)
        for seconds in [-30, 0, 30] {
            let date = start.addingTimeInterval(TimeInterval(seconds))
            #expect(step(code(at: date), at: start) == present + Int64(seconds / 30))
        }
        // The whole of the neighbouring steps, and no second more.
        let code = code(at: start)
        #expect(step(code, at: start.addingTimeInterval(59.999)) == present)
        #expect(step(code, at: start.addingTimeInterval(60)) == nil)
        #expect(step(code, at: start.addingTimeInterval(-30)) == present)
        #expect(step(code, at: start.addingTimeInterval(-30.001)) == nil)
    }

    @Test(arguments: [-86400, -3600, -90, -60, 60, 90, 3600, 86400])
    func aCodeOfAnotherTimeIsNotFound(seconds: Int) {
        #expect(step(code(at: start.addingTimeInterval(TimeInterval(seconds))), at: start) == nil)
    }

    @Test func aCodeOfAnotherSecretIsNotFound() {
        // One code in 300,000 is right by chance; of ten no two are.
        let found = (0..<10).filter { _ in
            step(TOTPSecret().code(for: TOTP.step(at: start)), at: start) != nil
        }
        #expect(found.count <= 1)
    }

    @Test func aCodeWithOneOtherDigitIsNotFound() throws {
        let right = Array(code(at: start).value.utf8)
        for place in right.indices {
            for digit in UInt8(ascii: "0")...UInt8(ascii: "9") where digit != right[place] {
                var digits = right
                digits[place] = digit
                let wrong = try #require(OneTimeCode(String(decoding: digits, as: UTF8.self)))
                #expect(step(wrong, at: start) == nil)
            }
        }
    }

    // MARK: Used once, and no older one after it

    @Test func aCodeIsFoundOnce() throws {
        let used = try #require(step(code(at: start), at: start))
        for seconds in [0.0, 1, 29, 30, 59] {
            #expect(step(code(at: start), at: start.addingTimeInterval(seconds), after: used) == nil)
        }
    }

    @Test func noCodeOlderThanTheLastIsFound() throws {
        let next = start.addingTimeInterval(30)
        let used = try #require(step(code(at: next), at: start))
        #expect(step(code(at: start), at: start, after: used) == nil)
        #expect(step(code(at: start.addingTimeInterval(-30)), at: start, after: used) == nil)
        #expect(step(code(at: next), at: next, after: used) == nil)
        #expect(step(code(at: next.addingTimeInterval(30)), at: next, after: used) == used + 1)
    }

    @Test func theNextCodeIsFoundAtOnce() throws {
        let used = try #require(step(code(at: start), at: start))
        #expect(step(code(at: start.addingTimeInterval(30)), at: start, after: used) == used + 1)
    }

    /// Where two steps in a row have one code, it counts as that of the later: or it could be used
    /// again when the window has moved on.
    @Test func aCodeOfTwoStepsIsFoundOnce() throws {
        let (one, other) = (secret.code(for: 910_737), secret.code(for: 910_738))
        #expect(one.value == "911617" && other.value == "911617")
        let date = Date(timeIntervalSince1970: 910_737 * 30)
        let used = try #require(step(one, at: date))
        #expect(used == 910_738)
        for steps in 0..<4 {
            #expect(step(one, at: date.addingTimeInterval(TimeInterval(30 * steps)), after: used) == nil)
        }
    }

    @Test func aClockSetBackFindsNothingUntilItIsThereAgain() throws {
        let used = try #require(step(code(at: start), at: start))
        let back = start.addingTimeInterval(-3600)
        for seconds in [-3600.0, -1800, -30, 0] {
            let date = start.addingTimeInterval(seconds)
            // Neither what was used nor what an app shows that goes by that clock.
            #expect(step(code(at: date), at: date, after: used) == nil)
            #expect(step(code(at: start), at: back, after: used) == nil)
        }
        let later = start.addingTimeInterval(30)
        #expect(step(code(at: later), at: later, after: used) == used + 1)
    }

    @Test func theLastStepOfAllLeavesNone() {
        for date in [start, .distantFuture] { #expect(step(code(at: date), at: date, after: .max) == nil) }
    }

    // MARK: What is no code

    @Test(arguments: [
        "", "1", "12345", "1234567", "12345678", " 123456", "123456 ", "123 456", "123-456", "123456\n", "\t123456",
        "12345\0", "123456\0", "12345a", "0x1234", "+12345", "-12345", "12.456", "1e1000", "½23456",
        // Digits of other scripts: three or two bytes each.
        "١٢٣٤٥٦", "۱۲۳۴۵۶", "１２３４５６", "𝟏𝟐𝟑𝟒𝟓𝟔", "१२३४५६", "12345６", "①②③④⑤⑥", "１２", "١٢٣",
        // A mark that combines with the last digit.
        "123456\u{0301}", "1234\u{0301}", "123456\u{FE0F}\u{20E3}",
        "undefined", "null", "𐌀a", "😀ab",
    ])
    func whatIsNotSixDigitsIsNoCode(text: String) {
        #expect(OneTimeCode(text) == nil)
    }

    @Test func aLongTextIsNoCode() {
        #expect(OneTimeCode(String(repeating: "1", count: 1_000_000)) == nil)
    }

    @Test(arguments: ["000000", "123456", "999999", "000001"])
    func sixDigitsAreACode(text: String) {
        #expect(OneTimeCode(text)?.value == text)
    }
}

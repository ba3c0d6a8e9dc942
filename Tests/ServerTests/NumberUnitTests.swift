import RESTAuth
import Testing

@Suite struct NumberUnitTests {
    private static let units: [NumberUnit] = [.seconds, .milliseconds, .bytes, .kibibytes]

    @Test(
        arguments: [
            ("0", 0), ("600", 600), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("7d", 604_800), ("1d1h1m1s", 90061),
            ("2000ms", 2), ("1m500ms500ms", nil), ("500ms", nil), ("1500ms", nil), ("1s500ms", nil), ("90m", 5400),
        ] as [(String, Int?)])
    func aDurationIsReadInSeconds(text: String, seconds: Int?) {
        #expect(NumberUnit.seconds.number(text) == seconds)
    }

    @Test(arguments: [("1", 1), ("500ms", 500), ("2s", 2000), ("1m500ms", 60500), ("1m1s1ms", 61001)])
    func aDurationIsReadInMilliseconds(text: String, milliseconds: Int) {
        #expect(NumberUnit.milliseconds.number(text) == milliseconds)
    }

    @Test(
        arguments: [
            ("1", 1, 1), ("64KiB", 65536, 64), ("1MiB", 1 << 20, 1024), ("4GiB", 4 << 30, 4 << 20),
            ("1MiB512KiB", 1_572_864, 1536), ("1024B", 1024, 1), ("1B", 1, nil), ("1KiB1B", 1025, nil),
        ] as [(String, Int?, Int?)])
    func aSizeIsReadInBytesAndInKiB(text: String, bytes: Int?, kibibytes: Int?) {
        // A bare number is in the unit of the setting.
        #expect(NumberUnit.bytes.number(text) == bytes)
        #expect(NumberUnit.kibibytes.number(text) == kibibytes)
    }

    @Test(arguments: [
        "", " ", "s", "10 m", " 10m", "10m ", "10M", "10min", "10mm", "m10", "10m5", "1m1h", "1m1m", "1d 1h", "1.5h",
        "1,5h",
        "-1", "-1s", "+1", "+1s", "1e3", "0x10", "١s", "1٠s", "10ｍ", "1m\n", "1h-5m", "64kib",
        "64KB", "64K", "64Kib",
        "KiB",
        "99999999999999999999", "99999999999999999999s", "9223372036854775807d", "106751991167301d",
        "9007199254740992GiB",
    ])
    func whatIsNoneIsRefused(text: String) {
        for unit in Self.units { #expect(unit.number(text) == nil, "\(text) counts \(unit.name)") }
    }

    @Test func whatIsWrittenIsReadAgain() {
        var numbers = Array(0...5000) + [86399, 86400, 604_800, 65536, 1 << 20, 315_360_000]
        var generator = SystemRandomNumberGenerator()
        numbers += (0..<1000).map { _ in Int.random(in: 0...(1 << 40), using: &generator) }
        for unit in Self.units {
            for number in numbers {
                #expect(unit.number(unit.text(number)) == number, "\(unit.text(number))")
            }
        }
    }

    @Test(arguments: [(0, "0s"), (1, "1s"), (90, "1m30s"), (600, "10m"), (43200, "12h"), (2_592_000, "30d")])
    func aDurationIsWrittenShort(seconds: Int, text: String) { #expect(NumberUnit.seconds.text(seconds) == text) }
}

import ArgumentParser
import RESTAuth

/// A duration on the command line: `90s`, `30m`, `1d12h`, `7d`.
struct DurationArgument: ExpressibleByArgument {
    let seconds: Int
    /// Whether it is a number without a unit, which counts seconds.
    let isBare: Bool

    init(seconds: Int) { (self.seconds, isBare) = (seconds, false) }

    init?(argument: String) {
        guard let seconds = NumberUnit.seconds.number(argument) else { return nil }
        (self.seconds, isBare) = (seconds, Int(argument) != nil)
    }

    var defaultValueDescription: String { NumberUnit.seconds.text(seconds) }
}

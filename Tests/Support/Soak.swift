import Foundation

/// How much is done of what takes long by nature: a short form each time, the whole of it under
/// `make soak`.
public enum Soak {
    public static let isOn = ProcessInfo.processInfo.environment["TEST_SOAK"] == "yes"

    /// A number of rounds, tries or rows.
    public static func count(_ short: Int, soak: Int) -> Int { isOn ? soak : short }
}

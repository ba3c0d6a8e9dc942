import Foundation

/// The extent of slow tests: short each time, and in full under `make soak`.
public enum Soak {
    public static let isOn = ProcessInfo.processInfo.environment["TEST_SOAK"] == "yes"

    /// A number of rounds, attempts or rows.
    public static func count(_ short: Int, soak: Int) -> Int { isOn ? soak : short }
}

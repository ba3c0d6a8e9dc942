import Foundation

/// Figures that the kernel reports about this process, under the names that Prometheus' own client
/// libraries use.
struct ProcessReadings: Sendable {
    /// Unix time in seconds.
    private let startTime: Double?

    init() { startTime = ProcessStatus().map(Self.startTime) }

    /// Current values; names for which the system gives no number are left out.
    func values() -> [(name: String, value: Double)] {
        let status = ProcessStatus()
        let values: [(name: String, value: Double?)] = [
            ("process_cpu_seconds_total", status?.processorSeconds),
            ("process_resident_memory_bytes", status?.residentBytes),
            ("process_virtual_memory_bytes", status?.virtualBytes),
            ("process_open_fds", Self.openFiles), ("process_max_fds", Self.fileLimit),
            ("process_start_time_seconds", startTime),
        ]
        return values.compactMap { name, value in value.map { (name, $0) } }
    }

    /// Computes the start time without `/proc/stat`, which a hardened unit hides
    /// (`ProcSubset=pid`).
    private static func startTime(of status: ProcessStatus) -> Double {
        #if os(Linux)
            var sinceBoot = timespec()
            clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
            let uptime = Double(sinceBoot.tv_sec) + Double(sinceBoot.tv_nsec) / 1e9
            return Date().timeIntervalSince1970 - uptime + status.startedAfterBoot
        #else
            return 0
        #endif
    }

    private static var openFiles: Double? {
        // One entry is the descriptor of the directory listing itself.
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")).map { Double($0.count - 1) }
    }

    private static var fileLimit: Double? {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        return getrlimit(resource, &limit) == 0 ? Double(limit.rlim_cur) : nil
    }
}

/// The fields of `/proc/self/stat` (proc(5)).
private struct ProcessStatus {
    let processorSeconds: Double
    let startedAfterBoot: Double
    let virtualBytes: Double
    let residentBytes: Double

    /// `nil` where there is no such file.
    init?() {
        guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            // The program's name, before this bracket, may contain blanks and brackets.
            let end = text.utf8.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = text.utf8[end...].split(separator: UInt8(ascii: " ")).dropFirst().map {
            Double(String(Substring($0))) ?? 0
        }
        guard fields.count > 21 else { return nil }
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        processorSeconds = (fields[11] + fields[12]) / ticks
        startedAfterBoot = fields[19] / ticks
        virtualBytes = fields[20]
        residentBytes = fields[21] * Double(sysconf(Int32(_SC_PAGESIZE)))
    }
}

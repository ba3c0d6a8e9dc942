import Foundation
import PasswordHashing
import RESTAuth

#if canImport(Glibc)
    import CLinux
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Findings about the machine or container: files, memory, processors, clock.
extension Settings {
    var findingsOnTheMachine: [Finding] {
        [findingOnFileLimit, findingOnMemory, findingOnProcessors, findingOnClock].compactMap(\.self)
    }

    private var findingOnFileLimit: Finding? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        do {
            try requireFiles()
        } catch {
            return .wrong(Setting.requests.maxConnections.name, error.detail)
        }
        guard limit.rlim_max < rlim_t(maxConnections + Self.filesBesideConnections) else { return nil }
        return .slow(
            Setting.requests.maxConnections.name,
            "the process may open \(limit.rlim_max) files, which is less than \(maxConnections) connections need",
            "raise the limit (LimitNOFILE= in a unit, ulimit -n in a shell) or lower --max-connections")
    }

    /// The number of files that the server opens beside its connections.
    static let filesBesideConnections = 256

    /// Checks that the threads that serve connections can be made, each of which needs three files.
    /// - Throws: `misconfigured` when the process may not open that many files.
    func requireFiles() throws(AuthError) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let forDatabase = if case .postgres = database { postgres.connections } else { 0 }
        let least = 30 + forDatabase + 3 * ProcessInfo.processInfo.activeProcessorCount
        guard limit.rlim_max < rlim_t(least) else { return }
        throw AuthError(
            .misconfigured,
            """
            the process may have \(limit.rlim_max) files open, and needs \(least) without any connection: raise that \
            with LimitNOFILE= in a unit of systemd, --ulimit nofile= of a container or ulimit -n in a shell
            """)
    }

    private var findingOnMemory: Finding? {
        guard let limit = ControlGroup.memoryLimit else { return nil }
        let hashing = auth.hashingThreads * max(auth.passwordCost.memory, auth.passwordHashLimit.memoryKiB) * 1024
        let needed = hashing + 64 << 20
        guard limit < needed else { return nil }
        return .slow(
            "memory",
            """
            the process may use \(limit >> 20) MiB, and hashing \(auth.hashingThreads) passwords at once can take \
            \(hashing >> 20) MiB
            """,
            "give it \(needed >> 20) MiB, or lower --hashing-threads or --password-hash-memory-limit")
    }

    private var findingOnProcessors: Finding? {
        let cores = ControlGroup.processors ?? Double(ProcessInfo.processInfo.activeProcessorCount)
        guard Double(auth.hashingThreads) > max(cores.rounded(.up), 1) else { return nil }
        let count = cores == cores.rounded() ? "\(Int(cores))" : "\(cores)"
        return .slow(
            Setting.hashingQueue.threads.name,
            """
            \(auth.hashingThreads) passwords are hashed at once on \(count) processors, so hashing takes longer and \
            what answers tokens waits for it
            """,
            "set --hashing-threads \(Int(max(cores.rounded(.up), 1)))")
    }

    /// A finding on an unsynchronised clock, from the state that the time service reports to the
    /// kernel.
    private var findingOnClock: Finding? {
        #if canImport(Glibc)
            var status = timex()
            guard adjtimex(&status) == TIME_ERROR else { return nil }
            return .note(
                "clock", "nothing keeps the clock of this machine right: tokens may be good for too long or too short",
                "run chrony or systemd-timesyncd on the host")
        #else
            return nil
        #endif
    }
}

/// The resource limits of the container or unit (cgroups, version 2).
private enum ControlGroup {
    static var memoryLimit: Int? { word(of: "memory.max").flatMap { Int($0) } }

    /// The quota of processor time, in processors.
    static var processors: Double? {
        guard let words = words(of: "cpu.max"), words.count == 2, let quota = Double(words[0]),
            let period = Double(words[1]), period > 0
        else { return nil }
        return quota / period
    }

    private static func word(of file: String) -> String? { words(of: file)?.first }

    /// The words in a file of this process's control group. In a container the group is the root;
    /// under systemd it is the unit's.
    private static func words(of file: String) -> [String]? {
        let own =
            (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3) ?? "/"
        let text = ["/sys/fs/cgroup\(own)/\(file)", "/sys/fs/cgroup/\(file)"].lazy
            .compactMap { try? String(contentsOfFile: $0, encoding: .utf8) }.first
        return text?.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}

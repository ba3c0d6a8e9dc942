import RESTAuth

/// A metric with its help text and the names of its labels.
/// The list is closed: a metric that is not in it is not exposed, and no label has a value that a
/// client chooses.
package struct MetricFamily: Sendable {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    package let name: String
    package let kind: Kind
    package let help: String
    /// Names of the labels, in the order in which they are written.
    package var labels: [String] = []
    /// Label values whose series exist at zero before anything is counted: PromQL's `increase()`
    /// does not see the first count of a series that did not exist before.
    var initialValues: [String] = []
    /// Whether series that have counted nothing are left out.
    var isSparse = false

    package static let all: [MetricFamily] =
        requests + events + hashing + storage + revocations + signingKeys + throttle + audit + process

    private static let requests = [
        MetricFamily(
            name: buildInfo, kind: .gauge, help: "Version of the program; always 1.", labels: ["version"]),
        MetricFamily(
            name: requestDuration, kind: .histogram,
            help: "Seconds from a whole request to the head of its answer, by the route's pattern and class of status.",
            labels: ["route", "method", "status"], isSparse: true),
        MetricFamily(
            name: requestsInFlight, kind: .gauge, help: "Requests that have been read and not been answered."),
        MetricFamily(name: connections, kind: .gauge, help: "Connections of clients that are open."),
        MetricFamily(name: connectionLimit, kind: .gauge, help: "Connections of clients that may be open at once."),
    ]

    private static let events = [
        MetricFamily(
            name: "rest_auth_events_total", kind: .counter,
            help: "Events by name.", labels: ["event"],
            initialValues: AuthEvent.Name.allCases.map(\.rawValue))
    ]

    private static let hashing = [
        MetricFamily(name: "rest_auth_hashing_threads", kind: .gauge, help: "Threads that hash passwords."),
        MetricFamily(name: "rest_auth_hashing_running", kind: .gauge, help: "Passwords that are being hashed."),
        MetricFamily(
            name: "rest_auth_hashing_queue_depth", kind: .gauge, help: "Passwords that wait to be hashed."),
        MetricFamily(
            name: "rest_auth_hashing_wait_seconds", kind: .histogram,
            help: "Seconds that a password waited until a thread took it."),
        MetricFamily(
            name: "rest_auth_hashing_refused_total", kind: .counter,
            help: "Passwords refused because the queue was full or the wait too long."),
        MetricFamily(
            name: "rest_auth_hashing_cancelled_total", kind: .counter,
            help: "Passwords not hashed because the client went while they waited."),
    ]

    private static let storage = [
        MetricFamily(
            name: "rest_auth_storage_seconds", kind: .histogram,
            help: "Seconds that a storage operation took, its wait included, by kind: read or write.",
            labels: ["kind"]),
        MetricFamily(
            name: "rest_auth_storage_pending", kind: .gauge,
            help: "Storage operations that wait or are under way, by kind: read or write.", labels: ["kind"]),
        MetricFamily(
            name: "rest_auth_storage_errors_total", kind: .counter,
            help: "Storage operations that the database failed or did not answer in time."),
    ]

    private static let revocations = [
        MetricFamily(
            name: "rest_auth_revocations_read_timestamp_seconds", kind: .gauge,
            help: "Unix time at which the log of revocations was last read to its end."),
        MetricFamily(
            name: "rest_auth_revocations", kind: .gauge, help: "Entries of the set of revocations in memory."),
    ]

    private static let signingKeys = [
        MetricFamily(
            name: "rest_auth_signing_keys", kind: .gauge,
            help: "Signing keys that are published: the next, the one that signs, and those replaced."),
        MetricFamily(
            name: "rest_auth_signing_key_first_use_timestamp_seconds", kind: .gauge,
            help: "Unix time from which the present signing key signs."),
        MetricFamily(
            name: "rest_auth_signing_key_rotation_timestamp_seconds", kind: .gauge,
            help: "Unix time at which the next signing key is due to sign."),
    ]

    private static let audit = [
        MetricFamily(
            name: "rest_auth_audit_unsealed_seconds", kind: .gauge,
            help: "Seconds that the oldest event has waited for its seal."),
        MetricFamily(name: "rest_auth_audit_events", kind: .gauge, help: "Rows of the audit trail."),
    ]

    private static let throttle = [
        MetricFamily(
            name: "rest_auth_throttle_unwritten", kind: .gauge,
            help: "Accounts and networks with wrong passwords that the storage has not taken yet.")
    ]

    private static let process = [
        MetricFamily(name: "process_cpu_seconds_total", kind: .counter, help: "Processor time, user and system."),
        MetricFamily(name: "process_resident_memory_bytes", kind: .gauge, help: "Resident memory."),
        MetricFamily(name: "process_virtual_memory_bytes", kind: .gauge, help: "Virtual memory."),
        MetricFamily(name: "process_open_fds", kind: .gauge, help: "File descriptors that are open."),
        MetricFamily(name: "process_max_fds", kind: .gauge, help: "File descriptors that may be open."),
        MetricFamily(name: "process_start_time_seconds", kind: .gauge, help: "Unix time of the process's start."),
    ]
}

extension MetricFamily {
    static let buildInfo = "rest_auth_build_info"
    static let requestDuration = "rest_auth_http_request_duration_seconds"
    static let requestsInFlight = "rest_auth_http_requests_in_flight"
    static let connections = "rest_auth_http_connections"
    static let connectionLimit = "rest_auth_http_connections_limit"
}

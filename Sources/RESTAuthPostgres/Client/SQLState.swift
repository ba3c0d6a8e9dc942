/// SQLSTATE code of a failure (Appendix A of PostgreSQL's manual): five characters.
struct SQLState: RawRepresentable, Sendable, Hashable {
    let rawValue: String

    static let characterNotInRepertoire = SQLState(rawValue: "22021")
    static let uniqueViolation = SQLState(rawValue: "23505")
    /// Raised by a trigger on `users`: another user had the name until lately. Of the class of
    /// violated constraints.
    static let nameReserved = SQLState(rawValue: "23R01")
    static let serializationFailure = SQLState(rawValue: "40001")
    static let deadlockDetected = SQLState(rawValue: "40P01")
    static let insufficientPrivilege = SQLState(rawValue: "42501")
    static let invalidSchemaName = SQLState(rawValue: "3F000")
    static let diskFull = SQLState(rawValue: "53100")
    static let readOnlyTransaction = SQLState(rawValue: "25006")
    static let cachedPlanChanged = SQLState(rawValue: "0A000")
    static let unknownPreparedStatement = SQLState(rawValue: "26000")
    static let duplicatePreparedStatement = SQLState(rawValue: "42P05")

    /// Whether the rows violate a constraint.
    var isIntegrityViolation: Bool { rawValue.hasPrefix("23") }

    /// Whether other clients have used the server's connection.
    var isSignOfPooler: Bool { self == .unknownPreparedStatement || self == .duplicatePreparedStatement }
}

/// The reason why a statement has no result.
enum PostgresError: Error {
    /// The server refused the statement; nothing of its transaction is stored.
    case refused(SQLState, String)
    /// The connection ended before the answer; it is not known what is stored.
    case connectionLost(String)
    /// The statement was not run, because something that was sent together with it failed.
    case abandoned
    /// The time was over before the answer came.
    case timedOut
    /// The queue of waiting transactions was full.
    case queueFull
    /// A column is missing, NULL, or of another type than the code expects.
    case unexpectedColumn(String)
    /// The server cannot be used, with what to do about it.
    case unsuitable(String)

    /// Error for answers that do not belong to what was sent.
    static let misunderstood = PostgresError.connectionLost("what the server answers does not fit what it was asked")

    /// Whether nothing was done and the same may succeed at once, as another transaction was in the
    /// way.
    var asksForAnotherTry: Bool {
        switch self {
        case .refused(.serializationFailure, _), .refused(.deadlockDetected, _): true
        default: false
        }
    }

    var state: SQLState? {
        if case .refused(let state, _) = self { state } else { nil }
    }
}

extension PostgresError: CustomStringConvertible {
    var description: String {
        switch self {
        case .refused(let state, let message):
            "\(message) (SQLSTATE \(state.rawValue))"
        case .connectionLost(let message), .unsuitable(let message): message
        case .abandoned: "what was sent before it failed"
        case .timedOut: "no answer in time"
        case .queueFull: "too many wait for the database"
        case .unexpectedColumn(let name): "the column \(name) is not what it should be"
        }
    }
}
